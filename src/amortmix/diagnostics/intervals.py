"""How good point estimates and central intervals are on simulated data sets.

    RMSE = sqrt(mean (m - theta)^2),   S(l, u) = u - l + 2/a max(l - theta, 0) + 2/a max(theta - u, 0)

S is the interval score (Gneiting & Raftery 2007) of a central interval with probability 1 - a: its expectation is
smallest where l and u are the quantiles at a/2 and 1 - a/2. All means are over the first axis.
"""

import numpy as np

#: a/2 of a 90 % interval.
TAIL = 0.05


def rmse(mean, theta):
    """Root mean squared error."""
    return np.sqrt(np.mean((mean - theta) ** 2, axis=0))


def interval_scores(lower, upper, theta, tail=TAIL):
    """The interval score of each interval, in units of theta: less is better."""
    return upper - lower + (np.maximum(lower - theta, 0) + np.maximum(theta - upper, 0)) / tail


def coverage(lower, upper, theta):
    """Share of intervals that hold the truth."""
    return np.mean((lower <= theta) & (theta <= upper), axis=0)


def scores(mean, lower, upper, theta):
    """All three, by name."""
    return {
        "RMSE": rmse(mean, theta),
        "interval score": interval_scores(lower, upper, theta).mean(axis=0),
        "coverage": coverage(lower, upper, theta),
    }
