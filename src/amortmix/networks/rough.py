"""A rough fit of a Gaussian mixture to the units of a series, from which networks start instead of from nothing.

    r_ik ∝ w_k prod_f Normal(x_if; m_kf, s_kf)        (E)
    w, m, s = shares, means and standard deviations of x weighted by r        (M)

A few steps of EM from the range and the order of the first feature. For many hidden Markov models the statistics
weighted by r are close to sufficient ones; the networks learn what is left. Nothing here is trained.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

ITERATIONS = 8
#: Smallest standard deviation of a class, as a share of that of the data set; units that every class has for nothing.
NARROWEST, PSEUDO = 0.05, 0.5


class RoughFit(NamedTuple):
    """Of a batch of data sets.

    Attributes
    ----------
    standardized : (B, N, F)
        Features less their mean in the data set, over their standard deviation there.
    responsibilities : (B, N, K)
        Zero for units that do not exist; classes in the order of the means of the first feature.
    statistics : (B, any)
        Mean and log standard deviation of the data set and of every class, shares, and how often classes
        follow each other.
    """

    standardized: jax.Array
    responsibilities: jax.Array
    statistics: jax.Array


def rough_fit(x, present, classes, starts=None):
    """`RoughFit` of features x (B, N, F) where present (B, N) is 1; no gradient flows through it.

    A unit at ``starts`` (B, N) does not follow the one before it.
    """
    return jax.vmap(lambda x, m, s: _fit(jax.lax.stop_gradient(x), m, classes, s))(x, present, starts)


def _fit(x, present, k, starts):
    """One data set: x (N, F), present (N,), starts (N,) or None."""
    n, seen = jnp.maximum(present.sum(), 1.0), present[:, None]
    mean = (x * seen).sum(0) / n
    spread = jnp.sqrt(((x - mean) ** 2 * seen).sum(0) / n) + 1e-3
    z = (x - mean) / spread * seen
    r = jax.nn.softmax(-2 * (z[:, :1] - _start(z[:, 0], present, n, k)) ** 2, axis=-1) * seen

    def update(_, r):
        share, centre, variance = _moments(z, r, n)
        distance = (z[:, None] - centre) ** 2 / variance + jnp.log(variance)
        return jax.nn.softmax(jnp.log(share) - 0.5 * distance.sum(-1), axis=-1) * seen

    r = jax.lax.fori_loop(0, ITERATIONS, update, r)
    r = r[:, jnp.argsort(_moments(z, r, n)[1][:, 0])]
    share, centre, variance = _moments(z, r, n)
    followed = r[:-1] * (seen if starts is None else seen * (1 - starts[:, None]))[1:]
    follows = (followed.T @ r[1:] + PSEUDO / k) / (followed.sum(0) + PSEUDO)[:, None]
    parts = (mean, jnp.log(spread), mean + spread * centre, jnp.log(spread) + 0.5 * jnp.log(variance), share, follows)
    return RoughFit(z, r, jnp.concatenate([jnp.ravel(p) for p in parts]))


def _start(z, present, n, k):
    """Where classes start: half-way between even places in the order of z (N,) and even steps over its range."""
    ordered = jnp.sort(jnp.where(present > 0, z, jnp.inf))

    def quantile(q):
        return ordered[(q * n).astype(int)]

    places = (jnp.arange(k) + 0.5) / k
    low, high = quantile(jnp.asarray(0.02)), quantile(jnp.asarray(0.98))
    return (quantile(places) + low + (high - low) * places) / 2


def _moments(z, r, n):
    """Shares (K,), means and variances (K, F) of standardized features weighted by r (N, K)."""
    total = r.sum(0)[:, None] + 1e-6
    centre = r.T @ z / total
    variance = (r[..., None] * (z[:, None] - centre) ** 2).sum(0) / total + NARROWEST**2
    return (r.sum(0) + PSEUDO) / (n + PSEUDO * r.shape[1]), centre, variance
