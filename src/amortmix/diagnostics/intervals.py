"""How good point estimates and central intervals are on simulated data sets.

    RMSE = sqrt(mean (m - theta)^2),   S(l, u) = u - l + 2/a max(l - theta, 0) + 2/a max(theta - u, 0)

S is the interval score (Gneiting & Raftery 2007) of a central interval with probability 1 - a: its expectation is
smallest where l and u are the quantiles at a/2 and 1 - a/2. All means are over the first axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from amortmix.model.arrays import Array, Broadcast, Numbers

#: a/2 of a 90 % interval.
TAIL = 0.05


def rmse(mean: Float[Array, " N *rest"], theta: Float[Array, " N *rest"]) -> Float[Array, "*rest"]:
    """Root mean squared error."""
    return np.sqrt(np.mean((mean - theta) ** 2, axis=0))


def interval_scores(lower: Numbers, upper: Numbers, theta: Numbers, tail: float = TAIL) -> Broadcast:
    """The interval score of each interval, in units of theta: less is better."""
    return upper - lower + (np.maximum(lower - theta, 0) + np.maximum(theta - upper, 0)) / tail


def coverage(
    lower: Float[Array, " N *rest"], upper: Float[Array, " N *rest"], theta: Float[Array, " N *rest"]
) -> Float[Array, "*rest"]:
    """Share of intervals that hold the truth."""
    return np.mean((lower <= theta) & (theta <= upper), axis=0)


def scores(
    mean: Float[Array, " N *rest"],
    lower: Float[Array, " N *rest"],
    upper: Float[Array, " N *rest"],
    theta: Float[Array, " N *rest"],
) -> dict[str, Float[Array, "*rest"]]:
    """All three, by name."""
    return {
        "RMSE": rmse(mean, theta),
        "interval score": interval_scores(lower, upper, theta).mean(axis=0),
        "coverage": coverage(lower, upper, theta),
    }
