"""Distributions that JAX does not have: Wald, racing diffusion, truncated and ordered normals.

A Wiener process with drift nu and unit noise first reaches the boundary alpha at a Wald-distributed time,

    f(t) = alpha (2 pi t^3)^(-1/2) exp(-(alpha - nu t)^2 / (2 t)),

and the racing diffusion model (Tillman et al. 2020) is the first of two such processes to arrive.
Times in seconds.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr, ndtr
from jax.scipy.stats import norm

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


def wald_log_pdf(t, alpha, nu):
    """log f(t) of the first passage at ``alpha`` with drift ``nu``; t > 0."""
    return jnp.log(alpha) - LOG_SQRT_2PI - 1.5 * jnp.log(t) - (alpha - nu * t) ** 2 / (2 * t)


def _mills_far(x):
    """Mills ratio (1 - Phi(x)) / phi(x) for x > 8 by its continued fraction (exact to float64)."""
    ratio = x
    for k in range(16, 0, -1):
        ratio = x + k / ratio
    return 1 / ratio


def _mills(x):
    """Mills ratio for x >= 0, without overflow and with finite gradients."""
    near = jnp.minimum(x, 8.0)
    far = jnp.maximum(x, 8.0)
    return jnp.where(x < 8.0, ndtr(-near) * jnp.exp(near**2 / 2 + LOG_SQRT_2PI), _mills_far(far))


def wald_log_survival(t, alpha, nu):
    """log P(T > t), accurate where the textbook formula overflows or cancels.

    With x = (nu t - alpha) / sqrt(t) and w = (nu t + alpha) / sqrt(t), exp(2 alpha nu) phi(w) = phi(x), so
    S(t) = Phi(-x) - phi(x) M(w) = phi(x) (M(x) - M(w)), M being the Mills ratio: no exponential of
    2 alpha nu is ever formed.
    """
    root = jnp.sqrt(t)
    x, w = (nu * t - alpha) / root, (nu * t + alpha) / root
    late = jnp.maximum(x, 0.0)
    # M(x) - M(w) can fall to rounding noise only where alpha / sqrt(t) does: keep its log finite
    gap = jnp.maximum(_mills(late) - _mills(jnp.maximum(w, 0.0)), jnp.finfo(t.dtype).tiny)
    log_late = -(late**2) / 2 - LOG_SQRT_2PI + jnp.log(gap)
    early = jnp.minimum(x, 0.0)
    ratio = jnp.exp(-(early**2) / 2 - LOG_SQRT_2PI - log_ndtr(-early)) * _mills(jnp.maximum(w, 0.0))
    log_early = log_ndtr(-early) + jnp.log1p(-jnp.minimum(ratio, 1 - jnp.finfo(t.dtype).eps))
    return jnp.where(x > 0, log_late, log_early)


def wald_sample(key, alpha, nu, shape=()):
    """First passage times, shape ``shape`` (Michael, Schucany & Haas 1976).

    The smaller root is written mean / (1 + r + sqrt(2 r + r^2)), which does not cancel.
    """
    key_normal, key_uniform = jax.random.split(key)
    mean = alpha / nu
    r = mean * jax.random.normal(key_normal, shape) ** 2 / (2 * alpha**2)
    smaller = mean / (1 + r + jnp.sqrt(2 * r + r**2))
    take_smaller = jax.random.uniform(key_uniform, shape) * (mean + smaller) <= mean
    return jnp.where(take_smaller, smaller, mean * (mean / smaller))


def race_log_pdf(t, correct, alpha, nu_correct, nu_error):
    """log density of decision time ``t`` and winner (``correct`` is 1 or 0) of a two-accumulator race."""
    nu_win = jnp.where(correct > 0.5, nu_correct, nu_error)
    nu_lose = jnp.where(correct > 0.5, nu_error, nu_correct)
    return wald_log_pdf(t, alpha, nu_win) + wald_log_survival(t, alpha, nu_lose)


def race_sample(key, alpha, nu_correct, nu_error, shape=()):
    """Decision times and winners (1.0 = correct), each of shape ``shape``."""
    key_correct, key_error = jax.random.split(key)
    t_correct = wald_sample(key_correct, alpha, nu_correct, shape)
    t_error = wald_sample(key_error, alpha, nu_error, shape)
    return jnp.minimum(t_correct, t_error), (t_correct <= t_error).astype(t_correct.dtype)


def positive_normal_sample(key, loc, scale, shape=()):
    """Normal(loc, scale) truncated to (0, inf), by inversion: exact, no rejection."""
    return loc + scale * jax.random.truncated_normal(key, -loc / scale, jnp.inf, shape)


def positive_normal_log_pdf(x, loc, scale):
    """Log density of Normal(loc, scale) truncated to (0, inf), normalized."""
    return norm.logpdf(x, loc, scale) - log_ndtr(loc / scale)


def ordered_normal_sample(key, loc, scale):
    """Independent normals conditioned on being increasing, by rejection as in section 3.2. (K,)"""
    loc = jnp.asarray(loc, dtype=float)

    def draw(state):
        key, _ = state
        key, key_draw = jax.random.split(key)
        return key, loc + scale * jax.random.normal(key_draw, loc.shape)

    def unordered(state):
        return jnp.any(jnp.diff(state[1]) <= 0)

    return jax.lax.while_loop(unordered, draw, (key, -loc))[1]


def ordered_normal_log_pdf(x, loc, scale):
    """Log density of increasing independent normals, normalized; K is 2 or 3."""
    return norm.logpdf(x, jnp.asarray(loc), scale).sum(-1) - _log_order_probability(tuple(loc), float(scale))


def _log_order_probability(loc, scale):
    """log P(x_1 < ... < x_K) by Gauss-Hermite quadrature over the middle one."""
    from scipy.stats import norm as scipy_norm

    if len(loc) == 2:
        return float(scipy_norm.logcdf((loc[1] - loc[0]) / (scale * math.sqrt(2))))
    if len(loc) != 3:
        raise ValueError(f"ordered normals are normalized for 2 or 3 components, not {len(loc)}")
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    middle = loc[1] + scale * nodes
    inside = scipy_norm.cdf((middle - loc[0]) / scale) * scipy_norm.sf((middle - loc[2]) / scale)
    return float(np.log(np.sum(weights * inside) / math.sqrt(2 * math.pi)))
