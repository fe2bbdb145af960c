"""Is a learned density the simulator's? Its own check, on units that no training has seen.

    u_j = P_q(Y_j <= y_j | y_<j, z, theta),   uniform and independent of theta if q is the simulator's (Rosenblatt 1952)

Four questions: does the cross-entropy still fall, do the members disagree, are the u uniform in every state and column,
and can a classifier tell (theta, u) from (theta, uniform numbers), which is to tell units of the simulator from units
of q. As many units are taken as show an error that would spoil the posterior of the largest data set.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from bayesflow.diagnostics.metrics import classifier_two_sample_test
from scipy import stats

#: Held-out units of each state, and points of the curve; the fourth is that of half the steps.
HELD_OUT, POINTS = 50_000, 8
#: Nats that a density may give away over the largest data set: 0.0001 for each of 400 units. A log likelihood that
#: errs by s costs about s^2 / 2 nats, and posterior means are off by at most s of their standard deviations: 0.28.
LOST = 0.04
#: Units of each state whose u are tested, for each unit of the largest data set: what they show is as much over it.
TESTED = 250
#: Probability that a density which is the simulator's fails; half of it is the classifier's.
FALSE_ALARM = 0.01
#: Most units from which a classifier learns, and as many on which it is tried.
CLASSIFIED = 20_000
CLASSIFIER = {"max_epochs": 30, "patience": 5, "batch_size": 512, "initial_learning_rate": 2e-3}


class Curve:
    """Held-out cross-entropy along a training, of weights averaged over its last tenth so far.

    Averaged weights are about as good as those at the end of a training that stops there, whose rate has gone to zero;
    what they gain in the second half of the steps is what the last doubling of the training brought. Where a divergence
    falls as one over the steps, as much is left.

    Parameters
    ----------
    model : Model
    density : function
        Weights -> `LearnedDensity`.
    units : Units
        Of one member, (1, K, N, ...).
    steps : int
        All that there will be.
    """

    def __init__(self, model, density, units, steps):
        self.marks = {steps * i // POINTS for i in range(1, POINTS + 1)} - {0}
        self._finite, self._half = np.asarray(units.finite[0]) > 0, max(steps // 2, 1)
        self._log_q = jax.jit(lambda layers: mean_log_q(density(layers).log_prob(model, units.y, units.theta, units.x)))
        self._points, self._at_half = [], None

    def add(self, step, layers):
        """Note the cross-entropy of averaged weights after so many steps."""
        log_q = np.asarray(self._log_q(layers), float)[self._finite]
        self._points.append([step, -float(log_q.mean())])
        if step <= self._half:
            self._at_half = log_q
        self._last = log_q

    def report(self):
        """``curve``, [[step, nats per unit], ...], and ``gain`` of the second half with its error ``gain_se``."""
        gains = self._last - (self._last if self._at_half is None else self._at_half)
        return {
            "curve": self._points,
            "gain": float(gains.mean()),
            "gain_se": float(gains.std() / np.sqrt(len(gains))),
        }


def mean_log_q(log_q):
    """log density (K, N) of the average of members (M, K, N)."""
    return jax.nn.logsumexp(log_q, axis=0) - np.log(len(log_q))


class Calibration(NamedTuple):
    """Deviation of the u from uniform: the largest one of each state and column (K, D), and their band."""

    deviations: np.ndarray
    band: float


def calibration(u, finite):
    """`Calibration` of u (K, N, D) by Kolmogorov's test, one band for all states and columns (Bonferroni)."""
    level = FALSE_ALARM / 2 / (u.shape[0] * u.shape[2])
    deviations = [[stats.kstest(column[f], "uniform").statistic for column in rows.T] for rows, f in zip(u, finite)]
    return Calibration(np.array(deviations), float(stats.kstwo.isf(level, int(finite.sum(1).min()))))


def classifier(told, scores, seed):
    """Accuracy of a classifier on units that it has not seen, and its standard error.

    Parameters
    ----------
    told : (N, C)
        What a unit depends on: theta, state, covariates.
    scores : (N, D)
        Normal quantiles of the u; those of half of the units are replaced by random numbers.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(told))[: 2 * CLASSIFIED]
    real, other = np.array_split(order, 2)
    drawn = random.normal(size=(len(other), scores.shape[1]))
    pair = [np.hstack([told[i], s]).astype(np.float32) for i, s in ((other, drawn), (real, scores[real]))]
    found = classifier_two_sample_test(*pair, cross_validation_splits=1, validation_split=0.5, seed=seed, **CLASSIFIER)
    return float(found), float(0.5 / np.sqrt(len(order) / 2))


def check(model, density, units, curve, seed):
    """All that is known of how good a density is.

    Parameters
    ----------
    units : Units
        Held out, of one member: (1, K, N, ...).
    curve : Curve
    seed : int

    Returns
    -------
    dict
        ``problems``, a sentence for each thing that is wrong; what `disagreement` and `Curve.report` say;
        ``deviations``, {"column, state": largest deviation of the u from uniform}, and their ``band``;
        ``classifier``, its accuracy, and ``classifier_se``.
    """
    report = disagreement(model, density, units) | curve.report()
    tested = min(TESTED * model.design.units[1], HELD_OUT)
    u, told, finite = _transformed(model, density, jax.tree.map(lambda a: a[:, :, :tested], units), seed)
    found = calibration(u, finite)
    names = [f"{column}, {state}" for state in model.states for column in model.columns]
    scores = stats.norm.ppf(np.clip(u, 1e-6, 1 - 1e-6))
    accuracy, error = classifier(told[finite], scores[finite], seed)
    report |= {"deviations": dict(zip(names, found.deviations.ravel().tolist())), "band": found.band}
    report |= {"classifier": accuracy, "classifier_se": error}
    return report | {"problems": _problems(report, LOST / model.design.units[1])}


def disagreement(model, density, units):
    """What members of a density say of units (1, K, N, ...) that none of them has seen.

    Independent errors e_m of the log densities of M members have var(e_1 - e_2) = 2 var(e), and those of their mean
    var(e) / M; a density whose logarithm errs by e diverges by about var(e) / 2 from the true one.

    Returns
    -------
    dict
        ``left_out``, the share of units whose simulation was not finite, and of the others: ``cross_entropy``,
        -E log q in nats per unit; ``divergence``, an estimate of KL(p || q) in nats per unit from what the members
        disagree about; ``divergence_of_states``, the same for each state.
    """
    log_q = np.asarray(jax.jit(lambda u: density.log_prob(model, u.y, u.theta, u.x))(units), float)
    finite = np.asarray(units.finite[0])
    of_states = np.average(np.var(log_q, axis=0, ddof=1), axis=1, weights=finite) / (2 * density.members)
    return {
        "cross_entropy": float(-np.average(np.asarray(mean_log_q(log_q)), weights=finite)),
        "left_out": float(1 - finite.mean()),
        "divergence": float(of_states.mean()),
        "divergence_of_states": of_states.tolist(),
    }


def _transformed(model, density, units, seed):
    """u (K, N, D) of units, what they depend on (K, N, C), and which are finite (K, N)."""
    noise = jax.random.uniform(jax.random.key(seed), units.y.shape[1:])
    u = jax.jit(lambda v, noise: density.transforms(model, v.y, v.theta, v.x, noise))(units, noise)
    told = jax.jit(lambda v: _told(model, density, v))(units)
    return np.asarray(u, float), np.asarray(told), np.asarray(units.finite[0]) > 0


def _told(model, density, units):
    """What units depend on: (K, N, C)."""
    states = jnp.eye(len(model.states))[:, None]
    parts = [density.coordinates(model, units.theta[0]), *([] if units.x is None else [units.x[0]]), states]
    shape = units.y.shape[1:3]
    return jnp.concatenate([jnp.broadcast_to(a, (*shape, a.shape[-1])) for a in parts], axis=-1)


def _problems(report, limit):
    """A sentence for each part of the check that fails."""
    found = []
    if report["gain"] - 2 * report["gain_se"] > limit:
        found.append(
            f"its cross-entropy still falls, by {report['gain']:.2g} ± {report['gain_se']:.1g} nats per unit in the "
            f"second half of its training (at most {limit:.2g})"
        )
    if report["divergence"] > limit:
        found.append(f"its members disagree by {report['divergence']:.2g} nats per unit (at most {limit:.2g})")
    if outside := {k: v for k, v in report["deviations"].items() if v > report["band"]}:
        worst = max(outside, key=outside.get)
        found.append(
            f"the distribution of {worst} is off by {outside[worst]:.3f} (band {report['band']:.3f})"
            + (f", and {len(outside) - 1} more" if len(outside) > 1 else "")
        )
    if report["classifier"] - 0.5 > stats.norm.isf(FALSE_ALARM / 4) * report["classifier_se"]:
        found.append(
            f"a classifier tells its units from simulated ones in {report['classifier']:.1%} of cases "
            f"(± {report['classifier_se']:.1%} by chance)"
        )
    return found
