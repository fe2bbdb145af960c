"""Posterior means, medians and 90 % intervals of a data set in one forward pass, without a draw.

    (mean, q_p) = c(y) + s(y) f(context(y), h_psi(y))        see `amortmix.networks.points`

on the summary h_psi of trained networks. c and s come from their flow at 2 d + 1 places: c = theta(0) and
s^2 = sum_k ((theta(e_k) - theta(-e_k)) / 2)^2, which are the mean and standard deviation where the posterior is normal
and theta a linear function of u.
"""

import warnings
from functools import cached_property

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pandas as pd

from amortmix.api import Networks
from amortmix.diagnostics import intervals
from amortmix.diagnostics.validation import simulate_held_out
from amortmix.inference.amortized import drawn
from amortmix.inference.many import NOT_FITTED
from amortmix.inference.parts import read_parts
from amortmix.inference.reference import MmdTest, unlike_simulations
from amortmix.loading import load
from amortmix.model import tables
from amortmix.networks import points as networks
from amortmix.storage import compiled, files, pretrained
from amortmix.storage.card import POINTS, check_points
from amortmix.storage.files import BadInput
from amortmix.training.rounds import train_in_rounds

STEPS, BATCH, RATE = 10_000, 32, 2e-3
FEWEST_STEPS = 500
#: Smallest scale, relative to one plus the size of the location: a flow can put all its places on an edge.
SMALLEST = 1e-6
#: Scales beyond which a parameter counts as so far away, so that no single data set decides a step.
FARTHEST = 30.0
#: Data sets and draws of each by which point estimates are judged.
HELD_OUT, DRAWS = 1000, 1000
#: Data sets that are estimated at a time.
AT_A_TIME = 64
#: Names of what is estimated of every parameter.
NAMES = ("mean", *(f"{100 * p:g}%" for p in networks.QUANTILES))


def train_points(nets, steps=STEPS, seed=1) -> "Points":
    """Train point estimators on the summaries of networks, and keep them in their folder.

    Parameters
    ----------
    nets : Networks, str or path
        Trained networks, or what `amortmix.load` takes; they stay as they are.
    steps : int
        Each with 32 simulated data sets.
    seed : int

    Returns
    -------
    Points

    Raises
    ------
    BadInput
        If the networks cannot be loaded or are in the library's own folder, or the loss is not finite.

    Examples
    --------
    >>> am.load("evidence_accumulation").save("networks/race")
    >>> points = am.train_points("networks/race")
    >>> points.estimate("me.csv")
    """
    compiled.keep()
    nets = nets if isinstance(nets, Networks) else load(nets)
    if pretrained.FOLDER in nets.folder.parents:
        raise BadInput(f"{nets!r} are part of the library; expected a copy: nets.save(FOLDER), then that folder")
    located = Located(nets.amortized)
    told = jax.eval_shape(lambda key: located.example(None, key), jax.random.key(0))["inference_conditions"].shape[-1]
    estimator = networks.build(told, len(nets.model.parameters), seed)
    train_in_rounds(
        estimator,
        lambda particles, place: (lambda key: located.example(place, key), lambda state, batch: batch),
        steps,
        BATCH,
        RATE,
        seed,
        f"point estimates of {nets.model.name}",
        nets.model.design,
    )
    with files.atomic(nets.folder / POINTS) as temporary:
        estimator.save(temporary)
    of = {"networks": nets.card["sha256"], "sha256": files.sha256(nets.folder / POINTS)}
    card = of | {"steps": steps, "data_sets": steps * BATCH, "seed": seed, "versions": files.versions()}
    card["meaningful"] = bool(nets.card["meaningful"] and steps >= FEWEST_STEPS)
    found = Points(nets, estimator, card)
    card["quality"] = found.assess(seed)
    files.write_json((nets.folder / POINTS).with_suffix(".json"), card)
    print(found.sentence)
    return found


def load_points(nets) -> "Points":
    """The point estimators that `train_points` kept beside networks, or that came with pretrained ones.

    Parameters
    ----------
    nets : Networks, str or path
        See `train_points`.

    Raises
    ------
    BadInput
        If there are none, or they are damaged or of other networks.

    Examples
    --------
    >>> am.load_points("networks/race").estimate("me.csv")
    """
    nets = nets if isinstance(nets, Networks) else load(nets)
    card = check_points(nets.card, nets.folder)
    return Points(nets, keras.saving.load_model(nets.folder / POINTS, compile=False), card)


class Located:
    """Location and scale of every data set, and what the estimator is told of it, by networks that stay as they are."""

    def __init__(self, amortized):
        self.amortized = amortized

    def __call__(self, data):
        """What is told (C,), location and scale (D,) of a framed data set."""
        amortized = self.amortized
        told, unit = amortized.conditions(data), jnp.eye(amortized.model.free)
        noise = jnp.concatenate([jnp.zeros_like(unit[:1]), unit, -unit])
        conditions = jnp.repeat(told, len(noise), axis=0)
        theta = drawn(amortized.model, amortized.estimator, data, conditions, noise)[0]
        above, below = jnp.split(theta[1:], 2)
        scale = jnp.sqrt(jnp.sum(((above - below) / 2) ** 2, axis=0))
        return told[0], theta[0], jnp.maximum(scale, SMALLEST * (1 + jnp.abs(theta[0])))

    def example(self, place, key):
        """One simulated data set, in the frame at ``place``, as the estimator is trained on it."""
        model = self.amortized.model if place is None else self.amortized.model.in_frame(place)
        theta, data, _ = model.under_any_prior(key).simulate_dataset(key)
        told, centre, scale = self(data)
        away = jnp.clip((theta - centre) / scale, -FARTHEST, FARTHEST)
        return {"inference_variables": away, "inference_conditions": told}


class Points:
    """Trained point estimators of one model.

    Attributes
    ----------
    nets : Networks
        On whose summaries they rest, and whose prior they have.
    card : dict
        How they were trained, and their ``quality`` on simulations that they have not seen, beside that of draws.
    """

    def __init__(self, nets, estimator, card):
        self.nets, self.card, self._estimator = nets, card, estimator
        self._located = Located(nets.amortized)
        self._one = jax.jit(self._estimate)
        self._many = jax.jit(lambda data: jax.lax.map(self._estimate, data))

    def __repr__(self):
        return f"<Points of {self.nets.card['model']}: {', '.join(NAMES)}>"

    @cached_property
    def _mmd_test(self):
        return MmdTest(self.nets.reference.summaries)

    @property
    def sentence(self):
        """How good they are, in words."""
        points, draws = (pd.DataFrame(self.card["quality"][name]) for name in ("points", "draws"))
        ratios = points / draws
        return (
            f"{HELD_OUT:,} new data sets: root mean squared error at most {ratios['RMSE'].max():.3f} and interval "
            f"score at most {ratios['interval score'].max():.3f} times those of {DRAWS:,} draws; 90 % intervals hold "
            f"the truth in {points['coverage'].min():.1%} to {points['coverage'].max():.1%}"
        )

    def estimate(self, data, **reading) -> pd.DataFrame:
        """Point estimates of one data set.

        Parameters
        ----------
        data : path, DataFrame, array or Data
            See `amortmix.model.tables.read`, also for further arguments.

        Returns
        -------
        DataFrame
            A row for each parameter: posterior ``mean``, ``5%``, ``50%`` and ``95%`` quantile; and ``reliable``, the
            same in all rows: whether the data look like the simulations. A warning says what speaks against it. No
            importance weights check these numbers: `Networks.fit` has a verdict.

        Raises
        ------
        BadInput
            If the data cannot be read.
        """
        table = tables.read(self.nets.amortized.model, data, **reading)
        found, concerns = next(self._of_tables([table]))
        if concerns:
            warnings.warn(f"estimates of {self.nets.card['model']}: {'; '.join(concerns)}", stacklevel=2)
        index = pd.Index(self.nets.amortized.model.parameter_names, name="parameter")
        return pd.DataFrame(dict(zip(NAMES, found)) | {"reliable": not concerns}, index=index)

    def estimate_many(self, data, by=None, **reading) -> pd.DataFrame:
        """Point estimates of many data sets.

        Parameters
        ----------
        data : DataFrame, path, list of paths, or dict of what `estimate` takes
        by : str, optional
            Column of a table that says which rows belong to one data set.

        Returns
        -------
        DataFrame
            A row for each data set: PARAMETER ``mean``, ``5%``, ``50%`` and ``95%``, then ``reliable`` and ``reason``.
            Data sets that cannot be read are left out, with a warning.

        Raises
        ------
        BadInput
            If no data set can be read: a line for each.
        """
        model = self.nets.amortized.model
        parts = read_parts(model, data, by, **reading)
        if parts.problems and not parts.tables:
            raise BadInput("\n".join(parts.problems.values()))
        if parts.problems:
            lines = "\n".join(parts.problems.values())
            warnings.warn(f"{NOT_FITTED}{len(parts.problems)} data sets\n{lines}", stacklevel=2)
        columns = [f"{name} {what}" for name in model.parameter_names for what in NAMES]
        rows = [
            dict(zip(columns, found.T.ravel())) | {"reliable": not concerns, "reason": "; ".join(concerns)}
            for found, concerns in self._of_tables(list(parts.tables.values()))
        ]
        return pd.DataFrame(rows, index=pd.Index(list(parts.tables), name="data set", tupleize_cols=False))

    def _of_tables(self, many):
        """`NAMES` of theta (1 + Q, D) and concerns of each table."""
        for table in many:
            self.nets.amortized.check(table.data)
        framed = [self.nets.amortized.frame(table.data) for table in many]
        for table, (found, summary) in zip(many, self.of_framed(framed)):
            yield found, self._concerns(table, summary)

    def of_framed(self, framed):
        """`NAMES` of theta (1 + Q, D) and the summary (dim,) of each framed data set, in their order."""
        found, groups = [None] * len(framed), {}
        for i, data in enumerate(framed):
            groups.setdefault(tuple(np.shape(a) for a in jax.tree.leaves(data)), []).append(i)
        for group in groups.values():
            whole = len(group) // AT_A_TIME * AT_A_TIME
            for first in range(0, whole, AT_A_TIME):
                places = group[first : first + AT_A_TIME]
                stacked = jax.tree.map(lambda *rows: np.stack(rows), *(framed[i] for i in places))
                for i, *row in zip(places, *map(np.asarray, self._many(stacked))):
                    found[i] = row
            for i in group[whole:]:
                found[i] = tuple(map(np.asarray, self._one(framed[i])))
        return found

    def _estimate(self, data):
        """`NAMES` of theta (1 + Q, D) and the summary (dim,) of a framed data set."""
        told, centre, scale = self._located(data)
        summary = told[len(told) - len(self.nets.reference.summaries[0]) :]
        return centre + scale * networks.estimates(self._estimator, told[None])[0], summary

    def _concerns(self, table, summary):
        """Sentences about what speaks against the estimates of a data set."""
        found = [] if self.card["meaningful"] else ["the networks are hardly trained"]
        return found + unlike_simulations(self.nets.amortized, self.nets.reference, self._mmd_test, table, summary)

    def assess(self, seed):
        """`intervals.scores` of these estimates and of draws from the same networks, on new simulations.

        Returns
        -------
        dict
            ``points`` and ``draws``, each {score: list (D,)}, and ``parameters``, their names.
        """
        amortized = self.nets.amortized
        theta, data, _ = simulate_held_out(amortized.model, HELD_OUT, seed + 1)
        found = np.asarray(jax.jit(lambda d: jax.lax.map(self._estimate, d))(data)[0])
        draws = amortized.sample_many(data, DRAWS, seed).theta
        fine = np.isfinite(draws).all((1, 2))
        by_draws = draws.mean(1), *np.quantile(draws, networks.QUANTILES, axis=1)
        judged = {}
        for name, (mean, low, _, high) in {"points": np.moveaxis(found, 1, 0), "draws": by_draws}.items():
            judged[name] = intervals.scores(mean[fine], low[fine], high[fine], theta[fine])
        return files.plain(judged | {"parameters": amortized.model.parameter_names})
