"""What the data of one person say of the parameters: a normal likelihood, and how far it is from the exact one.

    l(x) = exp(-|R' (x - m)|^2 / 2) ≈ c p(y | x)

x is theta on the real line, by a map that is the same for all people (that of the declaration without what the data
bound), less the mean and divided by the standard deviation under the prior of the declaration. Under a population
Normal(mu, Sigma) a normal likelihood leaves x normal. From there three of four draws are taken and one from the
population, whose tails are wider, with weights

    p(y | x) / (L / 4 + 3 l(x) / 4),    L = E[ l(x) ]    over x ~ Normal(mu, Sigma)

Their mean says by what factor L is wrong for this population, their moments make the normal likelihood better for
populations nearby, as in expectation propagation (Vehtari et al. 2020, JMLR 21).
"""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from amortmix.inference import psis
from amortmix.model import sites
from amortmix.model.data import one_sequence, pad

#: Smallest precision that a normal likelihood has in any direction, where the prior has precision one.
LEAST = 1e-3
#: Draws of the prior, by which x is scaled, and those by which a normal likelihood is made better.
PRIOR_DRAWS, REFINED = 4000, 2000
#: Of so many draws one is from the population.
WIDE = 4


class Person(NamedTuple):
    """What is known of one person.

    Attributes
    ----------
    data : Data
    x : (S, d)
        Draws.
    log_g : (S,)
        Log density of the prior under which they were drawn.
    """

    data: Any
    x: np.ndarray
    log_g: np.ndarray


class Normal(NamedTuple):
    """A normal likelihood exp(-|root' (x - m)|^2 / 2): root (d, d) and m (d,)."""

    root: np.ndarray
    m: np.ndarray


class Scale(NamedTuple):
    """The map x (..., d) <-> theta (..., D) of a declaration.

    Attributes
    ----------
    bijection
        w (..., d) <-> theta (..., D), the same for all people, whatever their data bound.
    mean, sd : (d,)
        Of w under the prior of the declaration: x = (w - mean) / sd.
    """

    bijection: Any
    mean: np.ndarray
    sd: np.ndarray

    def theta_of(self, x):
        return self.bijection.forward(self.mean + self.sd * x)


@lru_cache(maxsize=8)
def scale_of(model, seed):
    """`Scale` of a declaration, from draws of its prior."""
    bijection = sites.bijection(model.sites, {})
    theta = jax.jit(jax.vmap(model.sample_prior))(jax.random.split(jax.random.key(seed), PRIOR_DRAWS))
    w = np.asarray(bijection.inverse(theta), float)
    return Scale(bijection, w.mean(0), w.std(0))


def person_of(scale, log_prior, data, theta):
    """`Person` of the draws theta (S, D) of a fit, whose prior has the density ``log_prior``."""
    w = scale.bijection.inverse(jnp.asarray(theta))
    log_g = jax.vmap(log_prior)(jnp.asarray(theta)) + scale.bijection.log_det(w)
    return Person(data, (np.asarray(w, float) - scale.mean) / scale.sd, np.asarray(log_g, float))


def log_normal(x, mean, covariance):
    """log Normal(x; mean, covariance) of every row (S,)."""
    factor = np.linalg.cholesky(covariance)
    white = np.linalg.solve(factor, (x - mean).T)
    return -0.5 * (white**2).sum(0) - np.log(np.diag(factor)).sum() - len(mean) / 2 * np.log(2 * np.pi)


def normal_likelihood(x, weights: psis.Psis, mu, covariance):
    """`Normal` that leaves x the moments of weighted draws (S, d) under a population Normal(mu (d,), covariance)."""
    shares = weights.weights
    mean, prior = shares @ x, np.linalg.inv(covariance)
    away = x - mean
    precision = np.linalg.inv((shares[:, None] * away).T @ away + LEAST**2 * covariance)
    values, axes = np.linalg.eigh(precision - prior)
    values = np.maximum(values, LEAST)
    return Normal(axes * np.sqrt(values), axes @ (axes.T @ (precision @ mean - prior @ mu) / values))


def likelihood_of_draws(person, mu, covariance):
    """`Normal` of a `Person`, from draws under their own prior."""
    weights = psis.smooth(log_normal(person.x, mu, covariance), person.log_g)
    return normal_likelihood(person.x, weights, mu, covariance)


def refined(model, scale, data, normal, mu, covariance, seed):
    """A better `Normal` for populations near Normal(mu (d,), covariance), by the exact likelihood."""
    same = np.broadcast_to(mu, (REFINED // WIDE, len(mu)))
    factor = np.broadcast_to(np.linalg.cholesky(covariance), (REFINED // WIDE, *covariance.shape))
    x, log_weights = weigh(model, scale, data, normal, same, factor, seed)
    weights = psis.smooth(log_weights.ravel(), np.zeros(REFINED))
    return normal_likelihood(x.reshape(REFINED, -1), weights, mu, covariance)


def weigh(model, scale, data, normal, mu, factor, seed):
    """Draws x (WIDE, C, d) under populations, and their log weights (WIDE, C), from L to the exact likelihood.

    Parameters
    ----------
    model : MixtureModel
        With a density.
    scale : Scale
    data : Data
    normal : Normal
        Of this person.
    mu, factor : (C, d), (C, d, d)
        Of the populations, whose covariances are factor factor'.
    seed : int
    """
    units = 2 ** int(np.ceil(np.log2(len(data.y))))  # few sizes are compiled
    framed = jax.tree.map(jnp.asarray, pad(one_sequence(data), units, data.y.shape[1]))
    keys, wide = jax.random.split(jax.random.key(seed), WIDE), jnp.arange(WIDE) == 0
    known = jax.tree.map(jnp.asarray, (normal, mu, factor, (scale.mean, scale.sd)))
    x, log_weights = _weigh(model)((keys, wide), *known, framed)
    return np.asarray(x, float), np.asarray(log_weights, float)


@lru_cache(maxsize=8)
def _weigh(model):
    """((keys, wide), normal, mu, factor, (mean, sd), data) -> x (keys, C, d) and log weights (keys, C)."""
    bijection = sites.bijection(model.sites, {})

    def draw(key, wide, normal, mu, factor):
        """x, from the population if ``wide``, and log L: with H = I + F' R R' F and r = R' (m - mu),

        mean of x mu + F H^-1 F' R r, covariance F H^-1 F', -2 log L = log|H| + r' r - r' R' F H^-1 F' R r.
        """
        scaled, r = normal.root.T @ factor, normal.root.T @ (normal.m - mu)
        lower = jnp.linalg.cholesky(jnp.eye(len(mu)) + scaled.T @ scaled)
        white = solve_triangular(lower, scaled.T @ r, lower=True)
        log_l = -jnp.log(jnp.diagonal(lower)).sum() - 0.5 * (r @ r - white @ white)
        noise = jax.random.normal(key, mu.shape)
        near = solve_triangular(lower, white + noise, trans=1, lower=True)
        return mu + factor @ jnp.where(wide, noise, near), log_l

    def weighed(which, normal, mu, factor, scale, data):
        key, wide = which
        keys = jax.random.split(key, len(mu))
        x, log_mean = jax.vmap(draw, (0, None, None, 0, 0))(keys, wide, normal, mu, factor)
        log_lik = model.log_likelihoods(bijection.forward(scale[0] + scale[1] * x), data)
        log_l = -0.5 * jnp.sum(((x - normal.m) @ normal.root) ** 2, axis=1)
        proposal = jnp.logaddexp(log_mean - jnp.log(WIDE), log_l + jnp.log(1 - 1 / WIDE))
        return x, jnp.where(jnp.isfinite(log_lik), log_lik - proposal, -jnp.inf)

    return jax.jit(lambda which, *known: jax.lax.map(lambda one: weighed(one, *known), which))
