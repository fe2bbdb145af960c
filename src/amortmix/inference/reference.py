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
    """

    summaries: np.ndarray
    values: np.ndarray
    means: np.ndarray

    def save(self, path):
        """Write as NumPy archive."""
        with files.atomic(path) as temporary:
            np.savez_compressed(temporary, **{k: v.astype(np.float32) for k, v in self._asdict().items()})

    @classmethod
    def load(cls, path):
        """Read what `save` wrote; BadInput names a damaged file."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                return cls(**{k: archive[k] for k in cls._fields})
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
    low, high = (f(np.where(seen, values, e), axis=(0, 1, 2)) for f, e in ((np.min, np.inf), (np.max, -np.inf)))
    ranges = np.stack([low, high], axis=-1), np.stack([means.min(0), means.max(0)], axis=-1)
    return Reference(amortized.summarize_many(data), *ranges)


def _transformed(model, data):
    """Observations on the scale on which networks see them: (..., N, P, D)."""
    kinds = model.columns.values()
    return np.stack([np.asarray(kind.feature(data.y[..., j])) for j, kind in enumerate(kinds)], axis=-1)


def far_outside(model, reference, table):
    """Sentences about values far outside anything simulated: in milliseconds, say, or of another kind."""
    data, found = table.data, []
    values = _transformed(model, data)
    for j, column in enumerate(model.columns):
        seen = np.where(np.asarray(data.seen)[..., j] > 0, values[..., j], np.nan)
        low, high = reference.values[j]
        margin = FAR * (high - low)
        beyond = (seen < low - margin) | (seen > high + margin)
        if beyond.any():
            n, p = (int(i) for i in np.argwhere(beyond)[0])
            found.append(
                f"{column} of unit {table.labels[n]} is {data.y[n, p, j]:g}, far outside all simulated data sets"
                + (f", as are {int(beyond.sum()) - 1} others" if beyond.sum() > 1 else "")
            )
        low, high = reference.means[j]
        margin = FAR * (high - low)
        if not beyond.any() and not low - margin <= np.nanmean(seen) <= high + margin:
            found.append(f"the mean of {column} is far outside those of all simulated data sets")
    return found


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
