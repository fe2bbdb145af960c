"""From a table of log densities at the knots to posteriors, their means and their intervals.

    p(theta | Z) = exp(l(theta)) / int_0^0.6 exp(l(theta)) dtheta,   l = log p(Z | theta) + constant(Z)

The prior is uniform, so l may be a log likelihood, an estimate of one, or the logarithm of a ratio of likelihood and
evidence. Between knots l is a cubic in sqrt(theta).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from amortmix.diagnostics.intervals import TAIL
from amortmix_paper.spatial.field import COLUMNS, UPPER

FINER = 8  # points at which a density is written, for each knot


class Answers(NamedTuple):
    """What a method says about n fields.

    Attributes
    ----------
    mean, lower, upper : (n,)
        Mean of the posterior, ends of its central 90 % interval.
    """

    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def between(table, root):
    """Values (n, s) of a table (n, 128) at sqrt(theta / 0.6) (n, s), by the cubic through the four nearest knots."""
    place = COLUMNS * root - 0.5
    first = jnp.clip(jnp.floor(place), 1, COLUMNS - 3) - 1
    t = place - first
    weights = (
        -(t - 1) * (t - 2) * (t - 3) / 6,
        t * (t - 2) * (t - 3) / 2,
        -t * (t - 1) * (t - 3) / 2,
        t * (t - 1) * (t - 2) / 6,
    )
    index = first.astype(int)
    return sum(w * jnp.take_along_axis(table, index + i, axis=1) for i, w in enumerate(weights))


def points():
    """Values of theta at which densities are written, at equal steps of the square root."""
    return UPPER * ((np.arange(FINER * COLUMNS) + 0.5) / (FINER * COLUMNS)) ** 2


def densities(table):
    """Posterior densities (n, 1024) at `points`, from a table (n, 128)."""
    roots = jnp.broadcast_to(np.sqrt(points() / UPPER), (len(table), len(points())))
    fine = np.asarray(between(jnp.asarray(table), roots), np.float64)
    height = np.exp(fine - fine.max(axis=1, keepdims=True))
    return height / np.sum(height * _steps(), axis=1, keepdims=True)


def of_table(table):
    """`Answers` from a table (n, 128)."""
    mass = densities(table) * _steps()
    below = np.cumsum(mass, axis=1)
    ends = [np.array([np.interp(p, row, points()) for row in below]) for p in (TAIL, 1 - TAIL)]
    return Answers(mass @ points(), *ends)


def of_draws(draws):
    """`Answers` from draws (n, s)."""
    return Answers(draws.mean(axis=1), *np.quantile(draws, [TAIL, 1 - TAIL], axis=1))


def _steps():
    """Widths in theta around each of `points`."""
    return 2 * np.sqrt(UPPER * points()) / (FINER * COLUMNS)
