"""Draws of many people under a common working prior, from fits that were made under their own.

    w ~ p(w | y_i; g) ∝ p(y_i | w) g(w),    g = Normal(m, C)

w is theta on the real line, by a map that is the same for all people: that of the declaration without what the data
bound. Draws of the fits are chosen by g(w) / p(w), then moved by Metropolis steps with the exact likelihood, so that
many different ones remain where few were chosen.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.model import sites
from amortmix.model.data import one_sequence, pad

#: Metropolis steps, half of them before the scale of the second half is learned.
STEPS = 12
#: Of the best step for a normal posterior in d dimensions, 2.38 / sqrt(d) standard deviations.
STEP = 2.38


class Person(NamedTuple):
    """What is known of one person.

    Attributes
    ----------
    data : Data
    w : (S, d)
        Draws.
    log_g : (S,)
        Log density of the prior under which they were drawn.
    """

    data: Any
    w: np.ndarray
    log_g: np.ndarray


def scale_of(model):
    """The bijection u (..., d) <-> theta (..., D) that is the same for all people, whatever their data bound."""
    return sites.bijection(model.sites, {})


def person_of(model, log_prior, data, theta):
    """`Person` of the draws theta (S, D) of a fit, whose prior has the density ``log_prior``."""
    bijection = scale_of(model)
    w = bijection.inverse(jnp.asarray(theta))
    log_g = _densities(log_prior)(jnp.asarray(theta)) + bijection.log_det(w)
    return Person(data, np.asarray(w, float), np.asarray(log_g, float))


@lru_cache(maxsize=8)
def _densities(log_prior):
    return jax.jit(jax.vmap(log_prior))


def moved(model, person, mean, covariance, seed):
    """The same `Person` under the working prior Normal(mean, covariance)."""
    rng = np.random.default_rng(seed)
    target = log_normal(person.w, mean, covariance)
    weights = np.exp(target - person.log_g - np.max(target - person.log_g))
    chosen = person.w[rng.choice(len(person.w), len(person.w), p=weights / weights.sum())]
    units = 2 ** int(np.ceil(np.log2(len(person.data.y))))  # few sizes are compiled
    framed = jax.tree.map(jnp.asarray, pad(one_sequence(person.data), units, person.data.y.shape[1]))
    both = _metropolis(model)
    spread = np.cov(person.w, rowvar=False).reshape(len(mean), -1)
    for half in range(2):
        factor = np.linalg.cholesky(spread + 1e-8 * np.eye(len(mean)) * np.trace(spread))
        chosen = np.asarray(both(jax.random.key(2 * seed + half), chosen, factor, mean, covariance, framed))
        spread = np.cov(chosen, rowvar=False).reshape(len(mean), -1)
    return person._replace(w=chosen.astype(float), log_g=log_normal(chosen, mean, covariance))


def log_normal(w, mean, covariance):
    """log Normal(w; mean, covariance) of every row (S,)."""
    factor = np.linalg.cholesky(covariance)
    white = np.linalg.solve(factor, (w - mean).T)
    return -0.5 * (white**2).sum(0) - np.log(np.diag(factor)).sum() - len(mean) / 2 * np.log(2 * np.pi)


@lru_cache(maxsize=8)
def _metropolis(model):
    """(key, w (S, d), factor (d, d), mean, covariance, data) -> w after half of `STEPS`, compiled once for a model."""
    bijection = scale_of(model)

    def run(key, w, factor, mean, covariance, data):
        inverse = jnp.linalg.inv(covariance)
        size = STEP / jnp.sqrt(w.shape[1])

        def target(w):
            away = w - mean
            log_lik = model.log_likelihoods(bijection.forward(w), data)
            return jnp.where(jnp.isfinite(log_lik), log_lik, -jnp.inf) - 0.5 * jnp.sum(away @ inverse * away, axis=1)

        def step(i, carry):
            w, value = carry
            key_move, key_accept = jax.random.split(jax.random.fold_in(key, i))
            proposed = w + size * jax.random.normal(key_move, w.shape) @ factor.T
            theirs = target(proposed)
            taken = jnp.log(jax.random.uniform(key_accept, value.shape)) < theirs - value
            return jnp.where(taken[:, None], proposed, w), jnp.where(taken, theirs, value)

        return jax.lax.fori_loop(0, STEPS // 2, step, (w, target(w)))[0]

    return jax.jit(run)
