"""The density of one column of a unit, as a function of what a small network says of it: its outputs (..., O).

    log q(y_j | ...) = log softmax(out)[y_j],                                       a choice
                     = log sum_c w_c Normal(t; m_c, s_c),   t = g(y_j)              a number
                     = log sum_c w_c [F((b - m_c) / s_c) - F((a - m_c) / s_c)]      a count, F logistic, (a, b) its cell

Shapes: J components of a mixture, O = 3 J outputs (log weights, locations, log scales) or one for each choice.
"""

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.model.columns import Choice

#: Components of each mixture, and limits of their log scales.
COMPONENTS, LOG_SCALES = 12, (-7.0, 3.0)
#: Lower end of the cell of a count of zero, standardized.
LOWEST = -1e4


def outputs(kind):
    """How many numbers describe the density of a column."""
    return len(kind.codes) if isinstance(kind, Choice) else 3 * COMPONENTS


def width_of(kind):
    """How many numbers tell a later factor the value of a column."""
    return len(kind.codes) if isinstance(kind, Choice) else 1


def mixture(out):
    """Log weights, locations and log scales (..., J) of the components."""
    logits, location, scale = jnp.split(out, 3, axis=-1)
    return jax.nn.log_softmax(logits, axis=-1), location, jnp.clip(scale, *LOG_SCALES)


def log_prob(kind, out, t, edges=None):
    """log density of a standardized value t (...), or log probability of a choice, under outputs (..., O).

    Parameters
    ----------
    kind : Real
        Of the column.
    t : (...)
        Index of a choice; else standardized g(y).
    edges : (...), optional
        Of a count: t is the lower end of its cell, this is the upper one.
    """
    if isinstance(kind, Choice):
        chosen = t[..., None] == jnp.arange(out.shape[-1])
        return jnp.sum(jnp.where(chosen, jax.nn.log_softmax(out, axis=-1), 0.0), axis=-1)
    weight, location, scale = mixture(out)
    a = (t[..., None] - location) * jnp.exp(-scale)
    if edges is None:
        return jax.nn.logsumexp(weight - 0.5 * a**2 - scale - 0.5 * np.log(2 * np.pi), axis=-1)
    b = (edges[..., None] - location) * jnp.exp(-scale)
    # sigmoid(b) - sigmoid(a), which does not cancel in the tails
    cell = jax.nn.log_sigmoid(b) + jax.nn.log_sigmoid(-a) + jnp.log(-jnp.expm1(a - b))
    return jax.nn.logsumexp(weight + cell, axis=-1)


def sides(kind, out, t, edges=None):
    """P(value <= t) and P(value >= t), parameters as for `log_prob`; choices are in the order of their codes."""
    if isinstance(kind, Choice):
        places = jnp.arange(out.shape[-1])
        probabilities = jax.nn.softmax(out, axis=-1)
        found = (places <= t[..., None], places >= t[..., None])
        return tuple(jnp.sum(jnp.where(chosen, probabilities, 0.0), axis=-1) for chosen in found)
    weight, location, scale = mixture(out)
    a = (t[..., None] - location) * jnp.exp(-scale)
    if edges is None:
        below, above = jax.scipy.special.ndtr(a), jax.scipy.special.ndtr(-a)
    else:
        below, above = jax.nn.sigmoid((edges[..., None] - location) * jnp.exp(-scale)), jax.nn.sigmoid(-a)
    return tuple(jnp.sum(jnp.exp(weight) * p, axis=-1) for p in (below, above))


def tail(kind, out, t, edges=None):
    """Probability of a value that is at least as far out on its side, twice; of a choice its own probability."""
    if isinstance(kind, Choice):
        return jnp.exp(log_prob(kind, out, t))
    return 2 * jnp.minimum(*sides(kind, out, t, edges))
