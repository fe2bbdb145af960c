"""Local calibration: are the networks right for *these* data? (posterior SBC, Saeilynoja et al. 2025)

    theta' ~ q(theta | y),   y' ~ p(y' | theta'),   theta'' ~ p(theta | y, y') ∝ q(theta | y) q(theta | y') / p(theta)

The posterior of the observed data is the prior of simulations that look like them. The rank of theta' among theta'' is
uniform if q is exact at these simulations, whatever it is at y. No density of the data is needed: where there are no
importance weights it is what a fit can be held against. The theta'' are chosen by importance weights among draws from
both factors and from a normal distribution whose precision is the sum of theirs.

All of it is inside the region where q(theta | y) is not among its lowest values: in their tails two flows together can
fall more slowly than the prior, by which they are divided.
"""

from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.scipy.special import logsumexp
from jax.scipy.stats import multivariate_normal

from amortmix.diagnostics.simulated import calibration
from amortmix.inference import predictive

#: The normal distribution is wider than its precision says, by so much.
WIDER = 1.25
#: Draws from each of the three proposals; fewer from q(theta | y) if there are not so many.
DRAWS = 250
#: Share of the draws from q(theta | y), those of the lowest density, that are left out.
LOWEST = 0.02
#: Fewest effective draws of a typical simulated data set by which networks can be judged, and draws of each rank.
ENOUGH, RANKED = 40, 20
#: A simulated data set whose draws are worth less has no rank; so many at least must have one.
FEWEST_DRAWS, RANKED_SHARE = 5, 0.9
#: Probability that networks which are right are found outside.
FALSE_ALARM = 0.01
#: Central intervals whose coverage is shown.
COVERAGES = (0.5, 0.9)


class LocalCalibration(NamedTuple):
    """Ranks of parameters that made data sets like the observed one.

    Attributes
    ----------
    table : DataFrame
        For each parameter: ``log_gamma``, below zero outside simultaneous bands; ``calibration_error``; and the share
        of truths in the central 50 and 90 % intervals.
    inside : bool
        Whether all parameters are inside, with a false-alarm rate of 1 %, and could be judged.
    effective : float
        Draws that those of a typical data set are worth.
    sentence : str
    """

    table: pd.DataFrame
    inside: bool
    effective: float
    sentence: str


def local_calibration(amortized, data, theta, log_q, simulations, seed):
    """`LocalCalibration` of networks at one data set.

    Parameters
    ----------
    amortized : Amortized
    data : Data
        In the frame of training, see `Engine.frame`.
    theta, log_q : (S, D), (S,)
        Draws from q(theta | y) and their density.
    simulations, seed : int
    """
    model, random = amortized.model, np.random.default_rng(seed)
    finite = np.isfinite(theta).all(1) & np.isfinite(log_q)
    lowest = np.quantile(log_q[finite], LOWEST)
    theta = random.permutation(theta[finite & (log_q >= lowest)])
    truths, ours = theta[:simulations], theta[-DRAWS:]
    y, _ = predictive.replicate(model, truths, data, seed, simulations)
    keys = jax.random.split(jax.random.key(seed), len(truths))
    drawn, log_weights = (np.asarray(a, float) for a in _products(amortized)(keys, data, y, ours, lowest))
    weights = np.exp(log_weights - np.maximum(log_weights.max(axis=1, keepdims=True), np.finfo(float).min))
    worth = weights.sum(1) ** 2 / np.maximum(np.sum(weights**2, axis=1), np.finfo(float).tiny)
    known, effective = worth >= FEWEST_DRAWS, float(np.median(worth))
    if known.mean() < RANKED_SHARE or effective < ENOUGH:
        table = pd.DataFrame(index=pd.Index(model.parameter_names, name="parameter"))
        sentence = f"around these data the networks cannot be judged: {effective:.0f} effective draws of a simulation"
        return LocalCalibration(table, False, effective, sentence)
    weights = weights[known] / weights[known].sum(1, keepdims=True)
    table = _table(list(model.parameter_names), truths[known], drawn[known], weights, seed)
    outside = list(table.index[~(table["log_gamma"] > 0)])
    words = "inside their simultaneous 99 % bands" if not outside else f"outside their bands for {', '.join(outside)}"
    sentence = f"around these data the ranks of {known.sum()} simulations are {words}"
    return LocalCalibration(table, not outside, effective, sentence)


def _table(names, truths, drawn, weights, seed):
    """Ranks of truths (R, D) among draws (R, S, D) with weights (R, S), as `LocalCalibration` has them."""
    random = np.random.default_rng(seed)
    chosen = np.stack([d[random.choice(len(d), RANKED, p=w)] for d, w in zip(drawn, weights)])
    ranked = calibration(truths, chosen, seed, FALSE_ALARM)
    columns = {"log_gamma": ranked["log_gamma"], "calibration_error": ranked["calibration_error"]}
    below = np.einsum("rs,rsd->rd", weights, drawn < truths[:, None])
    for share in COVERAGES:
        columns[f"coverage of {share:.0%}"] = (np.abs(below - 0.5) <= share / 2).mean(0)
    return pd.DataFrame(columns, index=pd.Index(names, name="parameter"))


@lru_cache(maxsize=4)
def _products(amortized):
    """Jitted (keys (R,), Data of y, y' (R, ...), draws of y, lowest log q) -> theta'' (R, S, D), log weights (R, S)."""

    def run(keys, data, y, ours, lowest):
        one = partial(_product, amortized, data, ours, lowest)
        return jax.lax.map(lambda x: one(*x), (keys, y))

    return jax.jit(run)


def _product(amortized, data, ours, lowest, key, y):
    """Draws (S, D) and unnormalized log weights (S,) of q(theta | y) q(theta | y') / p(theta), where it is not low."""
    simulated, shape = data._replace(y=y), (DRAWS, amortized.model.free)
    model = amortized.model.under(data)
    bijection, of_data = model.bijection(simulated), model.bijection(data)
    key_flow, key_normal = jax.random.split(key)
    first, second = bijection.inverse(ours), amortized.flow(simulated, jax.random.normal(key_flow, shape))[1]
    location, root = _combined(first, second)
    u = jnp.concatenate([first, second, location + WIDER * jax.random.normal(key_normal, shape) @ root.T])
    theta = bijection.forward(u)
    log_normal = multivariate_normal.logpdf(u, location, WIDER**2 * root @ root.T) - bijection.log_det(u)
    log_q = amortized._log_prob_one(data, of_data.inverse(theta)), amortized._log_prob_one(simulated, u)
    log_q = [jnp.where(jnp.isfinite(x), x, -jnp.inf) for x in log_q]
    numbers = jnp.array([len(ours), DRAWS, DRAWS])[:, None]
    log_proposal = logsumexp(jnp.stack([*log_q, log_normal]) + jnp.log(numbers), axis=0)
    log_weight = sum(log_q) - jax.vmap(model.log_prior)(theta) - log_proposal
    return theta, jnp.where(jnp.isfinite(log_weight) & (log_q[0] >= lowest), log_weight, -jnp.inf)


def _combined(*samples):
    """Mean (d,) and root (d, d) of the covariance of the normal whose precision is the sum of those of samples."""
    total, weighted = 0.0, 0.0
    for u in samples:
        finite = jnp.all(jnp.isfinite(u), axis=-1)
        share = finite / jnp.maximum(finite.sum(), 1)
        u = jnp.where(finite[:, None], u, 0.0)
        mean = share @ u
        centred = (u - mean) * jnp.sqrt(share)[:, None]
        precision = jnp.linalg.inv(centred.T @ centred + 1e-6 * jnp.eye(u.shape[1]))
        total, weighted = total + precision, weighted + precision @ mean
    covariance = jnp.linalg.inv(total)
    return covariance @ weighted, jnp.linalg.cholesky(0.5 * (covariance + covariance.T))
