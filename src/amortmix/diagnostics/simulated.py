"""Validation of the parameters on held-out simulations: calibration, recovery, amortization gap.

Amortization gap, in nats per data set,

    E[ log p(theta* | y) - log q(theta* | y) ],   log p(y) by importance sampling from q itself,

its expectation over theta* given y, the divergence KL(p || q), by the same weights and so with less noise, also for
corrupted data sets (`amortmix.training.corruption`).
"""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import xarray as xr
from bayesflow.diagnostics import metrics as bayesflow_metrics

from amortmix.diagnostics.intervals import rmse
from amortmix.inference import psis
from amortmix.inference.amortized import log_joint
from amortmix.model.data import as_numpy
from amortmix.training.corruption import corrupt

FALSE_ALARM = 0.05
NULL_DRAWS = 2000
#: Null draws below the quantile that is asked for, at least.
LOWEST = 10
#: A draw that is not finite counts as one so many ranges of the truths away from them.
FAR = 10
#: Ends of the central 95 % interval, and the median between them.
INTERVAL = (0.025, 0.5, 0.975)


def calibration(theta, draws, seed, false_alarm=FALSE_ALARM):
    """SBC ranks and whether all parameters together stay inside simultaneous bands.

    Parameters
    ----------
    theta : (M, D)
        Truths.
    draws : (M, S, D)
        Posterior draws.
    false_alarm : float
        Joint rate over all parameters (Bonferroni).

    Returns
    -------
    dict
        ``log_gamma`` per parameter: negative means outside bands of this rate, and ``inside``.
    """
    np.random.seed(seed)  # BayesFlow draws its null distribution from NumPy's global generator
    quantile = false_alarm / theta.shape[1]
    number = max(NULL_DRAWS, int(np.ceil(LOWEST / quantile)))
    with np.errstate(divide="ignore"):  # ranks beyond all of the null distribution: log 0, which is outside
        found = bayesflow_metrics.calibration_log_gamma(draws, theta, num_null_draws=number, quantile=quantile)
    log_gamma = found["values"]
    error = bayesflow_metrics.calibration_error(draws, theta)["values"]
    return {
        "log_gamma": log_gamma,
        "inside": bool(np.all(log_gamma > 0)),
        "calibration_error": error,
        "false_alarm_rate": false_alarm,
    }


def recovery(theta, draws):
    """Correlation of truth and posterior median, root mean squared error, contraction, mean z-score; per parameter."""
    median = np.median(draws, axis=1)
    correlation = [np.corrcoef(theta[:, j], median[:, j])[0, 1] for j in range(theta.shape[1])]
    z = bayesflow_metrics.posterior_z_score(draws, theta, aggregation=np.mean)["values"]
    contraction = bayesflow_metrics.posterior_contraction(draws, theta)["values"]
    return {
        "correlation": correlation,
        "rmse": rmse(median, theta),
        "contraction": contraction,
        "z_score": z,
    }


def statistics(parameters, theta, draws):
    """What is kept of the draws of every data set: all that figures show of them.

    Parameters
    ----------
    parameters : sequence of str
        D names.
    theta : (M, D)
        Truths.
    draws : (M, S, D)

    Returns
    -------
    xarray.Dataset
        (M, D): ``theta``; ``rank``, how many draws are below it; ``median``; ``lower`` and ``upper``, the ends of the
        central 95 % interval; ``mean``; ``sd``. (M,): ``not_finite``, how many draws are not finite; they are cut off
        at `FAR`. S is the attribute ``draws``.
    """
    finite = np.isfinite(draws)
    low, high = theta.min(0), theta.max(0)
    far = FAR * (high - low)
    # in double precision, for the squares of large draws
    known = np.nan_to_num(draws.astype(float), nan=np.inf, posinf=np.inf, neginf=-np.inf)
    known = np.where(finite, known, np.clip(known, low - far, high + far))
    lower, median, upper = np.quantile(known, INTERVAL, axis=1)
    of_each = {
        "theta": theta,
        "lower": lower,
        "median": median,
        "upper": upper,
        "mean": known.mean(1),
        "sd": known.std(1, ddof=1),
    }
    dims = ("dataset", "parameter")
    counts = {
        "rank": (dims, (draws < theta[:, None]).sum(1).astype(np.int32)),
        "not_finite": ("dataset", (~finite.all(-1)).sum(1).astype(np.int32)),
    }
    found = {name: (dims, values.astype(np.float32)) for name, values in of_each.items()}
    return xr.Dataset(found | counts, {"parameter": list(parameters)}, {"draws": draws.shape[1]})


def own_density(amortized, theta, data):
    """log q(theta | y), a density of the constrained parameters, at one theta (D,) of one data set."""
    return amortized._log_prob_one(data, amortized.model.bijection(data).inverse(theta)[None])[0]


def amortization_gap(amortized, theta, data, draws, seed):
    """Gap of every data set and its importance sampling diagnostics.

    Parameters
    ----------
    theta : (M, D)
    data : Data
        Batched, in the frame of training.
    draws : int
        Flow draws for each evidence.

    Returns
    -------
    dict
        ``mean`` and ``se`` of the gap in nats; ``divergence``, its expectation given y, with its own ``mean`` and
        ``se``; median ``ess``, and ``unreliable``, the number of data sets whose k-hat exceeds the threshold:
        their evidence tends to be too low, the gap too large and the divergence too small.
    """
    found = importance(amortized, data, draws, seed)
    truth = np.asarray(_log_joint(amortized.model)(theta[:, None], data), dtype=float)[:, 0]
    log_q = np.asarray(jax.jit(jax.vmap(partial(own_density, amortized)))(theta, data), dtype=float)
    gaps = truth - found.evidence - log_q
    return {
        **mean_and_error(gaps),
        "divergence": mean_and_error(found.divergence),
        "ess": float(np.median([s.ess for s in found.smoothed])),
        "draws": draws,
        "datasets": len(gaps),
        "unreliable": found.unreliable,
        "gaps": gaps,
    }


class Importance(NamedTuple):
    """Of M data sets: `Psis` of each, log p(y) (M,) and KL(p || q) (M,) in nats."""

    smoothed: list
    evidence: np.ndarray
    divergence: np.ndarray

    @property
    def unreliable(self):
        """How many data sets have a k-hat above the threshold."""
        return sum(not s.is_reliable for s in self.smoothed)


def _log_joint(model):
    """Jitted (theta (M, S, D), Data of M) -> log p(theta, y) (M, S)."""
    return jax.jit(lambda t, d: jax.lax.map(lambda x: log_joint(model, *x), (t, d), batch_size=4))


def importance(amortized, data, draws, seed):
    """`Importance` of batched data by draws from the flow."""
    sampled = amortized.sample_many(data, draws, seed)
    log_target = np.asarray(_log_joint(amortized.model)(sampled.theta, data), dtype=float)
    log_ratio = psis.log_ratio(log_target, sampled.log_q)
    evidence = np.logaddexp.reduce(log_ratio, axis=1) - np.log(draws)
    smoothed = [psis.smooth(t, q) for t, q in zip(log_target, sampled.log_q)]
    return Importance(smoothed, evidence, np.array([divergence(*x) for x in zip(smoothed, log_ratio, evidence)]))


def misfit_divergence(amortized, datasets, draws, seed):
    """KL(p || q) on data sets that no theta makes: how far the networks can be relied on where the model is wrong.

    Returns
    -------
    dict
        ``quartiles`` in nats, since single data sets may be far off, and ``unreliable`` as in `amortization_gap`.
    """

    model = amortized.model

    def one(key):
        key_data, key_corrupt = jax.random.split(key)
        return corrupt(model, key_corrupt, *model.simulate_dataset(key_data))

    data = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), datasets))
    found = importance(amortized, as_numpy(data), draws, seed)
    return {
        "quartiles": np.quantile(found.divergence, [0.25, 0.5, 0.75]),
        "draws": draws,
        "datasets": datasets,
        "unreliable": found.unreliable,
    }


def divergence(smoothed, log_ratio, evidence):
    """KL(p || q) of one data set: the mean of log p(theta | y) - log q(theta | y) by importance weight, in nats.

    Parameters
    ----------
    smoothed : Psis
        Of the same draws.
    log_ratio : (S,)
        log p(theta_s, y) - log q(theta_s | y).
    evidence : float
        log p(y).
    """
    known = np.isfinite(log_ratio)
    return np.sum(smoothed.weights[known] * log_ratio[known]) - evidence


def mean_and_error(values):
    return {"mean": values.mean(), "se": values.std(ddof=1) / np.sqrt(len(values))}
