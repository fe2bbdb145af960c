"""How good point estimates and intervals are on n simulated fields.

    RMSPE = sqrt(mean (m - theta)^2),   S(l, u) = u - l + 2/a max(l - theta, 0) + 2/a max(theta - u, 0)

S is the interval score (Gneiting & Raftery 2007) of a central interval with probability 1 - a: its expectation is
smallest where l and u are the quantiles at a/2 and 1 - a/2.
"""

import numpy as np

from amortmix_paper.spatial.tables import TAIL


def rmspe(mean, theta):
    """Root mean squared error of prediction."""
    return float(np.sqrt(np.mean((mean - theta) ** 2)))


def interval_scores(lower, upper, theta, tail=TAIL):
    """The interval score of each interval, in units of theta: less is better."""
    return upper - lower + (np.maximum(lower - theta, 0) + np.maximum(theta - upper, 0)) / tail


def coverage(lower, upper, theta):
    """Share of intervals that hold the truth."""
    return float(np.mean((lower <= theta) & (theta <= upper)))


def scores(answers, theta):
    """All three, by name; ``theta`` is (n,)."""
    return {
        "RMSPE": rmspe(answers.mean, theta),
        "interval score": float(interval_scores(answers.lower, answers.upper, theta).mean()),
        "coverage": coverage(answers.lower, answers.upper, theta),
    }
