"""What simulated data sets look like to the networks: against it every data set is held.

    MMD^2(s, S) = k(s, s) + mean k(S, S) - 2 mean k(s, S),   s the summary of y, S those of M simulations

with an inverse multiquadratic kernel; the null distribution takes each simulation in the place of y.
"""

from typing import NamedTuple

import numpy as np

from amortmix.inference.verdict import unusual
from amortmix.model.data import as_numpy
from amortmix.storage import files
from amortmix.storage.files import BadInput

SIMULATIONS = 1000
ROWS = 100  # of the kernel matrix at a time
#: Of the kernel, which sees distances of any size.
SCALES = 10 ** np.linspace(-6, 6, 11)
#: A value counts as far outside if it is so many widths of the simulated range away from it.
FAR = 0.5


class Reference(NamedTuple):
    """Simulated data sets in numbers.

    Attributes
    ----------
    summaries : (M, dim)
    values : (D, 2)
        Smallest and largest transformed observation of each column.
    means : (D, 2)
        Smallest and largest mean of a data set, likewise.
    covariates : (C, 2)
        Smallest and largest value of each covariate.
    """

    summaries: np.ndarray
    values: np.ndarray
    means: np.ndarray
    covariates: np.ndarray = np.zeros((0, 2))

    def save(self, path):
        """Write as NumPy archive."""
        with files.atomic(path) as temporary:
            np.savez_compressed(temporary, **{k: v.astype(np.float32) for k, v in self._asdict().items()})

    @classmethod
    def load(cls, path):
        """Read what `save` wrote; BadInput names a damaged file."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                return cls(**{k: archive[k] for k in cls._fields if k in archive or k not in cls._field_defaults})
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise BadInput(f"{path}: damaged, not the reference that was written ({error}); {files.REMAKE}") from error


def make_reference(amortized, seed, simulations=SIMULATIONS):
    """`Reference` of new simulations as in training: under the model's prior, or those in its ranges."""
    import jax  # only what simulates needs it

    def one(key):
        return amortized.model.under_any_prior(key).simulate_dataset(key)[1]

    data = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), simulations))
    return reference_of(amortized, as_numpy(data))


def reference_of(amortized, data):
    """`Reference` of simulated data sets with a leading axis."""
    values = _transformed(amortized.model, data)
    seen = np.asarray(data.seen) > 0
    means = np.where(seen, values, 0).sum((1, 2)) / np.maximum(seen.sum((1, 2)), 1)
    ranges = _range(values, seen), np.stack([means.min(0), means.max(0)], axis=-1)
    if data.x is not None:
        ranges += (_range(np.asarray(data.x), np.asarray(data.exists)[..., None] > 0),)
    return Reference(amortized.summarize_many(data), *ranges)


def _range(values, seen):
    """Smallest and largest of the values (..., D) that are seen: (D, 2)."""
    axes = tuple(range(values.ndim - 1))
    low, high = np.where(seen, values, np.inf).min(axes), np.where(seen, values, -np.inf).max(axes)
    return np.stack([low, high], axis=-1)


def _transformed(model, data):
    """Observations on the scale on which networks see them: (..., N, P, D)."""
    kinds = model.columns.values()
    return np.stack([np.asarray(kind.feature(data.y[..., j])) for j, kind in enumerate(kinds)], axis=-1)


def far_outside(model, reference, table):
    """Sentences about values and covariates far outside anything simulated, which may be in milliseconds, say."""
    data, found = table.data, []
    values = _transformed(model, data)
    for j, column in enumerate(model.columns):
        seen = np.where(np.asarray(data.seen)[..., j] > 0, values[..., j], np.nan)
        beyond = _beyond(seen, reference.values[j])
        if beyond.any():
            found.append(_named(column, data.y[..., j], beyond, table.labels))
        elif _beyond(np.nanmean(seen), reference.means[j]):
            found.append(f"the mean of {column} is far outside those of all simulated data sets")
    for j, known in enumerate(reference.covariates):
        beyond = _beyond(data.x[:, j], known) & (data.exists > 0)
        if beyond.any():
            found.append(_named(tuple(model.covariates)[j], data.x[:, j], beyond, table.labels))
    return found


def _beyond(values, known):
    """Which values are farther than `FAR` widths from a range; those that are not a number are not."""
    low, high = known
    margin = FAR * (high - low)
    return (values < low - margin) | (values > high + margin)


def _named(column, values, beyond, labels):
    """The first value that lies beyond, and how many others do."""
    first = tuple(np.argwhere(beyond)[0])
    others = f", as are {int(beyond.sum()) - 1} others" if beyond.sum() > 1 else ""
    return f"{column} of unit {labels[first[0]]} is {values[first]:g}, far outside all simulated data sets{others}"


def unlike_simulations(engine, reference, mmd_test, table, summary):
    """Sentences about a data set that networks do not know: of another size, far outside, or unusual among them.

    Parameters
    ----------
    engine : Engine
    reference : Reference
    mmd_test : MmdTest
        Of its summaries.
    table : Table
    summary : (dim,)
    """
    found = engine.warnings(table.data) + far_outside(engine.model, reference, table)
    return found + unusual(mmd_test(summary)[1])


class MmdTest:
    """The MMD test of single data sets against a reference of M simulations.

    Its null distribution takes each simulation in the place of y and the others as the reference. For data from the
    model p is then uniform over 1 / (M + 1), ..., 1, up to terms of the order 1 / M.

    Attributes
    ----------
    null : (M,)
        Under the model, on the scale of the square root as in Table 1.
    """

    def __init__(self, summaries):
        self.summaries = np.asarray(summaries, dtype=np.float32)
        m = len(self.summaries)
        sums = np.concatenate([self._kernel(rows).sum(1) for rows in np.array_split(self.summaries, -(-m // ROWS))])
        # every k(s, s) is the same; the term of the reference alone is the same for every data set
        self.alone = float(self._kernel(self.summaries[:1])[0, 0])
        self.within = float(sums.mean() / m)
        self.null = self._root((sums - self.alone) / (m - 1))

    def _kernel(self, rows):
        """Inverse multiquadratic, summed over `SCALES` c: c / (c + |s - s'|^2), as in BayesFlow."""
        a, b = np.asarray(rows, float), np.asarray(self.summaries, float)
        distance = np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0)
        return sum(scale / (scale + distance) for scale in SCALES)

    def _root(self, between):
        """MMD of the mean kernel between data sets and the reference."""
        return np.sqrt(np.maximum(self.alone + self.within - 2 * between, 0))

    def __call__(self, summary):
        """MMD and p of a summary (dim,)."""
        found = self._root(self._kernel(np.asarray(summary, np.float32)[None]).mean(1))[0]
        return float(found), float((1 + np.sum(self.null >= found)) / (1 + len(self.null)))
