"""Validation on held-out simulations: calibration, recovery, amortization gap, excess cross-entropy.

Amortization gap, in nats per data set,

    E[ log p(theta* | y) - log q(theta* | y) ],   log p(y) by importance sampling from q itself,

its expectation over theta* given y, the divergence KL(p || q), by the same weights and so with less noise,
also for data sets that no theta makes (`amortmix.misfit`), and for each classification head the excess
cross-entropy E[ KL(exact || network) ] per unit, given theta*.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from bayesflow.diagnostics import metrics as bayesflow_metrics

from amortmix import hmm
from amortmix.cases import Data
from amortmix.diagnostics import psis
from amortmix.misfit import spoil
from amortmix.networks.classifiers import RULES, smoothing

FALSE_ALARM = 0.05
NULL_DRAWS = 2000
ECE_BINS = 10


def calibration(theta, draws, seed):
    """SBC ranks and whether all parameters together stay inside simultaneous bands.

    Parameters
    ----------
    theta : (M, D)
        Truths.
    draws : (M, S, D)
        Posterior draws.

    Returns
    -------
    dict
        ``log_gamma`` per parameter: negative means outside bands whose joint false-alarm rate over all
        parameters is 5 % (Bonferroni), and ``inside``.
    """
    np.random.seed(seed)  # BayesFlow draws its null distribution from NumPy's global generator
    log_gamma = bayesflow_metrics.calibration_log_gamma(
        draws, theta, num_null_draws=NULL_DRAWS, quantile=FALSE_ALARM / theta.shape[1]
    )["values"]
    error = bayesflow_metrics.calibration_error(draws, theta)["values"]
    return {
        "log_gamma": log_gamma,
        "inside": bool(np.all(log_gamma > 0)),
        "calibration_error": error,
        "false_alarm_rate": FALSE_ALARM,
    }


def recovery(theta, draws):
    """Correlation of truth and posterior median, root mean squared error, contraction, mean z-score; per parameter."""
    median = np.median(draws, axis=1)
    correlation = [np.corrcoef(theta[:, j], median[:, j])[0, 1] for j in range(theta.shape[1])]
    z = bayesflow_metrics.posterior_z_score(draws, theta, aggregation=np.mean)["values"]
    contraction = bayesflow_metrics.posterior_contraction(draws, theta)["values"]
    return {
        "correlation": correlation,
        "rmse": np.sqrt(np.mean((median - theta) ** 2, axis=0)),
        "contraction": contraction,
        "z_score": z,
    }


def own_density(case, amortized, theta, data):
    """log q(theta | y), a density of the constrained parameters, at one theta (D,) of one data set."""
    return amortized._log_prob_one(data, case.bijection(data).inverse(theta)[None])[0]


def amortization_gap(case, prior, amortized, theta, data, draws, seed):
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
    found = importance(case, prior, amortized, data, draws, seed)
    truth = np.asarray(_log_joint(case, prior)(theta[:, None], data), dtype=float)[:, 0]
    log_q = np.asarray(jax.jit(jax.vmap(partial(own_density, case, amortized)))(theta, data), dtype=float)
    gaps = truth - found.evidence - log_q
    return {
        **_mean_and_error(gaps),
        "divergence": _mean_and_error(found.divergence),
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


def _log_joint(case, prior):
    """Jitted (theta (M, S, D), Data of M) -> log p(theta, y) (M, S)."""
    return jax.jit(lambda t, d: jax.lax.map(lambda x: psis.log_joint(case, prior, *x), (t, d), batch_size=4))


def importance(case, prior, amortized, data, draws, seed):
    """`Importance` of batched data by draws from the flow."""
    sampled = amortized.sample_many(data, draws, seed)
    log_target = np.asarray(_log_joint(case, prior)(sampled.theta, data), dtype=float)
    log_ratio = psis.log_ratio(log_target, sampled.log_q)
    evidence = np.logaddexp.reduce(log_ratio, axis=1) - np.log(draws)
    smoothed = [psis.smooth(t, q) for t, q in zip(log_target, sampled.log_q)]
    return Importance(smoothed, evidence, np.array([divergence(*x) for x in zip(smoothed, log_ratio, evidence)]))


def misfit_divergence(case, prior, amortized, datasets, draws, seed):
    """KL(p || q) on data sets that no theta makes: how far the networks can be relied on where the model is wrong.

    Returns
    -------
    dict
        ``quartiles`` in nats, since single data sets may be far off, and ``unreliable`` as in `amortization_gap`.
    """

    def one(key):
        key_data, key_spoil = jax.random.split(key)
        return spoil(case, prior, key_spoil, *case.simulate_dataset(key_data, prior))

    data = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), datasets))
    found = importance(case, prior, amortized, Data(*map(np.asarray, data)), draws, seed)
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


def _mean_and_error(values):
    return {"mean": values.mean(), "se": values.std(ddof=1) / np.sqrt(len(values))}


def sample_shares(case, amortized, data, draws, seed):
    """Posterior draws of the share of units in the first state: theta from the flow, z from the classifier.

    Independent units are drawn one by one; a path of a hidden Markov model by backward sampling from the
    network's filtering probabilities.

    Parameters
    ----------
    data : Data
        Batched, in the frame of training.

    Returns
    -------
    (M, draws)
    """

    def one(d, key):
        key_theta, key_z = jax.random.split(key)
        theta, u, _ = amortized._sample_one(d, key_theta, draws)
        heads, exists = amortized._heads(d, u), d.unit_mask
        if case.dependent:
            path = jax.vmap(lambda k, t, f: hmm.sample_states(k, case.chain(t)[1], f, exists))
            z = path(jax.random.split(key_z, draws), theta, heads["filtering"])
        else:
            z = jax.random.categorical(key_z, heads["classification"])
        return jnp.sum((z == 0) * exists, axis=-1) / exists.sum()

    keys = jax.random.split(jax.random.key(seed), data.y.shape[0])
    return np.asarray(jax.jit(lambda d, k: jax.lax.map(lambda x: one(*x), (d, k)))(data, keys))


def share_calibration(case, amortized, data, states, draws, seed):
    """SBC of the share of units in the first state, `calibration` of one quantity: theta and z together."""
    mask = data.mask.max(-1)
    units = mask.sum(1)
    truth = ((states == 0) * mask).sum(1) / units
    sampled = sample_shares(case, amortized, data, draws, seed)
    # shares are multiples of 1 / N: noise of that width breaks ties at random
    rng = np.random.default_rng(seed)
    truth = truth + rng.uniform(-0.5, 0.5, size=truth.shape) / units
    sampled = sampled + rng.uniform(-0.5, 0.5, size=sampled.shape) / units[:, None]
    return calibration(truth[:, None], sampled[..., None], seed)


def state_log_probs(case, amortized, theta, data):
    """Log probabilities of the indicators at the true theta, exact and from the networks.

    Returns
    -------
    exact, network : dict
        Head -> (M, N, K), without smoothing for the networks: that follows from the heads by a rule.
    """

    def one(t, d):
        u = case.bijection(d).inverse(t)
        return case.exact.state_log_probs(t, d), {k: v[0] for k, v in amortized._heads(d, u[None]).items()}

    run = jax.jit(lambda t, d: jax.lax.map(lambda x: one(*x), (t, d), batch_size=32))
    exact, network = run(theta, data)
    return {k: np.asarray(v) for k, v in exact.items()}, {k: np.asarray(v) for k, v in network.items()}


def excess_cross_entropy(log_p, log_q, mask, states):
    """Mean KL divergence per unit from exact to network probabilities, and calibration of the latter.

    Parameters
    ----------
    log_p, log_q : (M, N, K)
        Exact and network log probabilities.
    mask : (M, N)
    states : (M, N)
        True indicators.

    Returns
    -------
    dict
        ``mean`` and ``se`` over data sets in nats, ``mean_absolute_error`` of the probability of the first
        state, ``ece``, the largest expected calibration error of a state, and the reliability curve of each
        state: ``predicted`` probabilities, averaged in bins, and the ``observed`` frequencies.
    """
    log_p = log_p.astype(float)
    kl = np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)
    per_dataset = (kl * mask).sum(1) / mask.sum(1)
    seen = mask > 0
    p, q = np.exp(log_p[seen]), np.exp(log_q[seen])
    one_hot = np.eye(p.shape[-1])[states[seen]]
    curve = bayesflow_metrics.expected_calibration_error(q, one_hot, num_bins=ECE_BINS, return_probs=True)
    return {
        **_mean_and_error(per_dataset),
        "mean_absolute_error": np.abs(p - q)[:, 0].mean(),
        "ece": float(np.max(curve["values"])),
        "predicted": curve["probs_pred"],
        "observed": curve["probs_true"],
    }


def smoothing_errors(exact, network, mask):
    """Every smoothing rule, and filtering alone, against the exact smoother.

    Parameters
    ----------
    exact, network : dict
        From `state_log_probs`.

    Returns
    -------
    dict
        Rule -> ``exact_filters`` and ``networks``, each with the mean absolute error of the probability of the
        first state, its standard error over data sets, and ``flips``, the share of units whose most probable
        state changes.
    """

    def error(log_q):
        difference = np.abs(np.exp(log_q) - np.exp(exact["smoothing"]))[..., 0]
        flips = np.argmax(log_q, -1) != np.argmax(exact["smoothing"], -1)
        per_dataset = (difference * mask).sum(1) / mask.sum(1)
        return {
            "mean_absolute_error": per_dataset.mean(),
            "se": per_dataset.std(ddof=1) / np.sqrt(len(per_dataset)),
            "flips": (flips * mask).sum() / mask.sum(),
        }

    sources = {"exact_filters": exact, "networks": network}
    found = {r: {s: error(np.asarray(smoothing(h, r))) for s, h in sources.items()} for r in RULES}
    return found | {"filtering alone": {s: error(h["filtering"]) for s, h in sources.items()}}


def exact_filter_errors(case, prior, datasets, seed):
    """`smoothing_errors` on new simulations, exact filters in the place of networks: the error of the rule alone."""

    def one(key):
        theta, data, _ = case.simulate_dataset(key, prior)
        return case.exact.state_log_probs(theta, data), data.unit_mask

    exact, mask = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), datasets))
    exact = {k: np.asarray(v) for k, v in exact.items()}
    return smoothing_errors(exact, exact, np.asarray(mask))
