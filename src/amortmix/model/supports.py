"""Maps between the constrained parameters and the real space on which the flow lives.

The density of theta = f(u) follows from that of u through

    log q(theta) = log q(u) - log |det df/du|.

Every bijection maps the last axis; ``log_det`` is summed over it. The formulas are eqs. 25-29 of
the paper, with eqs. 25, 26 and 28 in their corrected form (see notebooks/errata.ipynb).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Bijection(NamedTuple):
    """An invertible map from the real space to a constrained space.

    Attributes
    ----------
    forward : callable
        u (..., d) -> theta (..., D), from unconstrained to constrained.
    inverse : callable
        theta (..., D) -> u (..., d).
    log_det : callable
        u (..., d) -> (...), log |det d theta / d u| with respect to the d free coordinates of theta.
    """

    forward: Callable
    inverse: Callable
    log_det: Callable


def _inside(u):
    """Keep logits where this precision still tells their sigmoid from one (15.9 in float32, 36 in float64).

    Simulated decision times can be so short that tau / min rt rounds to one.
    """
    limit = -np.log(jnp.finfo(u.dtype).eps)
    return jnp.clip(u, -limit, limit)


def _logit(p):
    # a compiled tau / min rt may round to just above one
    p = jnp.where(p < 1 + 4 * jnp.finfo(p.dtype).eps, jnp.minimum(p, 1.0), p)
    return _inside(jnp.log(p) - jnp.log1p(-p))


def _log_sigmoid_derivative(u):
    return jax.nn.log_sigmoid(u) + jax.nn.log_sigmoid(-u)


identity = Bijection(lambda u: u, lambda theta: theta, lambda u: jnp.zeros(u.shape[:-1], u.dtype))

positive = Bijection(jnp.exp, jnp.log, lambda u: u.sum(-1))

unit_interval = Bijection(
    lambda u: jax.nn.sigmoid(_inside(u)),
    _logit,
    lambda u: _log_sigmoid_derivative(_inside(u)).sum(-1),
)


def scaled_logit(upper):
    """Map the real line to (0, upper); ``upper`` broadcasts against the last axis.

    Case study 3 uses upper = min(rt): the Jacobian then depends on the data.
    """
    return Bijection(
        lambda u: upper * unit_interval.forward(u),
        lambda theta: _logit(theta / upper),
        lambda u: unit_interval.log_det(u) + jnp.sum(jnp.log(upper) + jnp.zeros_like(u), -1),
    )


def _stick_offsets(n, dtype):
    """log(1 / (K - k)) for k = 1..K-1: with it, u = 0 is the uniform simplex."""
    return -jnp.log(jnp.arange(n, 0, -1).astype(dtype))


def _sticks(u):
    """Break proportions b (..., K-1) and the log of what is left before each break."""
    shifted = u + _stick_offsets(u.shape[-1], u.dtype)
    log_left_after = jnp.cumsum(jax.nn.log_sigmoid(-shifted), axis=-1)
    log_left = jnp.concatenate([jnp.zeros_like(u[..., :1]), log_left_after[..., :-1]], axis=-1)
    return shifted, log_left, log_left_after


def _simplex_forward(u):
    shifted, log_left, log_left_after = _sticks(u)
    log_pi = jnp.concatenate([log_left + jax.nn.log_sigmoid(shifted), log_left_after[..., -1:]], axis=-1)
    return jnp.exp(log_pi)


def _simplex_inverse(pi):
    # What remains after break k is the sum of the later shares: no 1 - sum, no cancellation.
    later = jnp.flip(jnp.cumsum(jnp.flip(pi, -1), -1), -1)[..., 1:]
    u = jnp.log(pi[..., :-1]) - jnp.log(later)
    return u - _stick_offsets(u.shape[-1], u.dtype)


def _simplex_log_det(u):
    shifted, log_left, _ = _sticks(u)
    return jnp.sum(log_left + _log_sigmoid_derivative(shifted), axis=-1)


simplex = Bijection(_simplex_forward, _simplex_inverse, _simplex_log_det)


def _ordered_forward(u):
    increments = jnp.concatenate([u[..., :1], jnp.exp(u[..., 1:])], axis=-1)
    return jnp.cumsum(increments, axis=-1)


def _ordered_inverse(mu):
    return jnp.concatenate([mu[..., :1], jnp.log(jnp.diff(mu, axis=-1))], axis=-1)


ordered = Bijection(_ordered_forward, _ordered_inverse, lambda u: u[..., 1:].sum(-1))


def _increasing_forward(u):
    return jnp.cumsum(jnp.exp(u), axis=-1)


def _increasing_inverse(theta):
    return jnp.log(jnp.concatenate([theta[..., :1], jnp.diff(theta, axis=-1)], axis=-1))


positive_ordered = Bijection(_increasing_forward, _increasing_inverse, lambda u: u.sum(-1))


def compose(outer, inner):
    """theta = outer(inner(u)): log-determinants add up."""
    return Bijection(
        lambda u: outer.forward(inner.forward(u)),
        lambda theta: inner.inverse(outer.inverse(theta)),
        lambda u: inner.log_det(u) + outer.log_det(inner.forward(u)),
    )


def shifted(bijection, offset):
    """The same map followed by the addition of ``offset``."""
    return Bijection(
        lambda u: offset + bijection.forward(u), lambda theta: bijection.inverse(theta - offset), bijection.log_det
    )


def rows(bijection, free, full):
    """The same map for each of several vectors that stand in one flat axis, such as the rows of a matrix."""

    def split(x, size):
        return x.reshape(*x.shape[:-1], -1, size)

    def flat(x):
        return x.reshape(*x.shape[:-2], -1)

    return Bijection(
        lambda u: flat(bijection.forward(split(u, free))),
        lambda theta: flat(bijection.inverse(split(theta, full))),
        lambda u: bijection.log_det(split(u, free)).sum(-1),
    )


def stack(parts):
    """Concatenate bijections along the last axis.

    Parameters
    ----------
    parts : sequence of (Bijection, int, int)
        Each with its number of unconstrained and of constrained coordinates.
    """

    def split(x, sizes):
        ends = np.cumsum(sizes)[:-1].tolist()
        return jnp.split(x, ends, axis=-1)

    free, full = [p[1] for p in parts], [p[2] for p in parts]
    return Bijection(
        lambda u: jnp.concatenate([p[0].forward(x) for p, x in zip(parts, split(u, free))], -1),
        lambda t: jnp.concatenate([p[0].inverse(x) for p, x in zip(parts, split(t, full))], -1),
        lambda u: sum(p[0].log_det(x) for p, x in zip(parts, split(u, free))),
    )


#: Every bijection with the constrained dimension at which the tests exercise it.
REGISTRY = {
    "identity": (identity, 3),
    "positive": (positive, 3),
    "unit_interval": (unit_interval, 2),
    "scaled_logit": (scaled_logit(0.3), 1),
    "simplex_2": (simplex, 2),
    "simplex_4": (simplex, 4),
    "ordered": (ordered, 3),
    "positive_ordered": (positive_ordered, 2),
}
