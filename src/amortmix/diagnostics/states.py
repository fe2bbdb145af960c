"""Validation of the hidden states on held-out simulations: calibration, excess cross-entropy, smoothing rules.

For each head the excess cross-entropy is E[ KL(exact || network) ] per unit, given theta*; where no density is known,
the cross-entropy and the calibration against the true states remain.
"""

import jax
import jax.numpy as jnp
import numpy as np
from bayesflow.diagnostics import metrics as bayesflow_metrics
from jaxtyping import Float, Int, Real

from amortmix.diagnostics.simulated import calibration, mean_and_error
from amortmix.model import hmm, runs, shown
from amortmix.model.arrays import Array
from amortmix.model.data import Data
from amortmix.networks.classifiers import RULES, smoothing

ECE_BINS = 10


def sample_paths(amortized, data: Data, draws: int, seed: int) -> Int[Array, "M {draws} N"]:
    """Posterior draws of the indicators of all units: theta from the flow, z from the classifier.

    Independent units are drawn one by one; a path of a hidden Markov model by backward sampling from the
    network's filtering probabilities.

    Parameters
    ----------
    data : Data
        Batched, in the frame of training.

    Returns
    -------
    (M, draws, N)
        Labels of states.
    """
    model = amortized.model

    def one(d, key):
        key_theta, key_z = jax.random.split(key)
        theta, u, _ = amortized.flow(d, jax.random.normal(key_theta, (draws, model.free)))
        heads, exists = amortized.heads(d, u), d.exists
        if not model.dependent:
            return jax.random.categorical(key_z, heads["classification"]).astype(jnp.int8)
        path = jax.vmap(lambda k, t, f: hmm.sample_states(k, model.chain(t, d.x)[1], f, exists, d.starts))
        z = path(jax.random.gumbel(key_z, heads["filtering"].shape), theta, heads["filtering"])
        return z.astype(jnp.int8)

    keys = jax.random.split(jax.random.key(seed), data.y.shape[0])
    found = np.asarray(jax.jit(lambda d, k: jax.lax.map(lambda x: one(*x), (d, k)))(data, keys))
    return shown.path(model.states, found)


def path_calibration(amortized, data: Data, states: Int[Array, "M N"], draws: int, seed: int) -> dict:
    """SBC of what theta and z say together, each a `calibration` of one quantity.

    Returns
    -------
    dict
        ``share_sbc``, of the share of units in the first state; and where units depend on each other ``switches_sbc``,
        of the number of switches, and ``longest_sbc``, of the longest run of the first state.
    """
    sampled, states = sample_paths(amortized, data, draws, seed), shown.path(amortized.model.states, np.asarray(states))
    found = {"share_sbc": lambda z, exists, starts: runs.share(z, exists, 0) * (np.asarray(exists) > 0).sum()}
    if amortized.model.dependent:
        found["switches_sbc"] = runs.switches
        found["longest_sbc"] = lambda z, exists, starts: runs.longest(z, exists, 0, starts)
    return {name: _whole_calibration(count, sampled, states, data, seed) for name, count in found.items()}


def _whole_calibration(count, sampled, states, data, seed):
    """`calibration` of a whole number that a path has; noise of width one breaks ties at random."""
    rng = np.random.default_rng(seed)
    starts = [None] * len(states) if data.starts is None else data.starts
    truth, drawn = (
        np.stack([count(np.asarray(z), exists, s) for z, exists, s in zip(paths, data.exists, starts)]).astype(float)
        for paths in (states, sampled)
    )
    truth, drawn = (x + rng.uniform(-0.5, 0.5, size=x.shape) for x in (truth, drawn))
    return calibration(truth[:, None], drawn[..., None], seed)


def state_log_probs(
    amortized, theta: Float[Array, "M D"], data: Data
) -> tuple[dict[str, Float[Array, "M N K"]], dict[str, Float[Array, "M N K"]]]:
    """Log probabilities of the indicators at the true theta, exact and from the networks.

    Returns
    -------
    exact, network : dict
        Head -> (M, N, K), without smoothing for the networks: that follows from the heads by a rule.
    """

    model = amortized.model

    def one(t, d):
        u = model.bijection(d).inverse(t)
        exact = model.state_log_probs(t, d) if model.has_density else {}
        return exact, {k: v[0] for k, v in amortized.heads(d, u[None]).items()}

    run = jax.jit(lambda t, d: jax.lax.map(lambda x: one(*x), (t, d), batch_size=32))
    exact, network = run(theta, data)
    return {k: np.asarray(v) for k, v in exact.items()}, {k: np.asarray(v) for k, v in network.items()}


def excess_cross_entropy(
    log_p: Float[Array, "M N K"], log_q: Float[Array, "M N K"], mask: Real[Array, "M N"], states: Int[Array, "M N"]
) -> dict:
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
        state, and what `reliability` gives.
    """
    log_p = log_p.astype(float)
    kl = np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)
    per_dataset = (kl * mask).sum(1) / mask.sum(1)
    p, q = np.exp(log_p[mask > 0]), np.exp(log_q[mask > 0])
    error = {"mean_absolute_error": np.abs(p - q)[:, 0].mean()}
    return {**mean_and_error(per_dataset), **error, **reliability(log_q, mask, states)}


def reliability(log_q: Float[Array, "M N K"], mask: Real[Array, "M N"], states: Int[Array, "M N"]) -> dict:
    """Calibration of state probabilities (M, N, K) against the true states (M, N).

    Returns
    -------
    dict
        ``cross_entropy`` per unit in nats; ``ece``, the largest expected calibration error of a state; and the curve
        of each state: ``predicted`` probabilities, averaged in bins, and the ``observed`` frequencies.
    """
    seen = mask > 0
    chosen = np.take_along_axis(log_q[seen], states[seen][:, None], axis=-1)
    q, one_hot = np.exp(log_q[seen]), np.eye(log_q.shape[-1])[states[seen]]
    curve = bayesflow_metrics.expected_calibration_error(q, one_hot, num_bins=ECE_BINS, return_probs=True)
    return {
        "cross_entropy": -float(chosen.mean()),
        "ece": float(np.max(curve["values"])),
        "predicted": curve["probs_pred"],
        "observed": curve["probs_true"],
    }


def smoothing_errors(
    exact: dict[str, Float[Array, "M N K"]], network: dict[str, Float[Array, "M N K"]], mask: Real[Array, "M N"]
) -> dict:
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


def exact_filter_errors(model, datasets: int, seed: int) -> dict:
    """`smoothing_errors` on new simulations, exact filters in the place of networks: the error of the rule alone."""

    def one(key):
        theta, data, _ = model.simulate_dataset(key)
        return model.state_log_probs(theta, data), data.exists

    exact, mask = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), datasets))
    exact = {k: np.asarray(v) for k, v in exact.items()}
    return smoothing_errors(exact, exact, np.asarray(mask))
