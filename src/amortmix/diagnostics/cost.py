"""What networks cost beside a method that begins anew with each data set.

Networks cost T seconds to train and a seconds for each data set, the other method b seconds for each. n data sets cost
the same by both where

    T + n a = n b,    n* = T / (b - a)    if a < b, and never otherwise.
"""

import math

from amortmix.storage.files import BadInput


def break_even(training, fit, other):
    """The number of data sets at which both have cost the same; not rounded, infinite where they never do.

    Parameters
    ----------
    training, fit : float
        Seconds of the training of networks, and of one data set by them.
    other : float
        Seconds of one data set by the other method.

    Raises
    ------
    BadInput
        If a number of seconds is negative or not finite.
    """
    for name, seconds in {"training": training, "fit": fit, "other": other}.items():
        if not (math.isfinite(seconds) and seconds >= 0):
            raise BadInput(f"{name} is {seconds} seconds; expected a finite number, at least 0")
    return training / (other - fit) if fit < other else math.inf
