"""Random numbers of which draws are made: the same for every engine, and easy to make in another language.

    normal = Phi^-1(u),   gumbel = -log(-log(u)),   u uniform from the counter-based generator Philox

with the key 2 seed for normal numbers and 2 seed + 1 for Gumbel ones, so that draws of theta and of states from one
seed are independent.
"""

import operator

import numpy as np
from scipy.special import ndtri

from amortmix.storage.files import BadInput

LARGEST = 2**127 - 1


def uniform(key, shape):
    """Uniform numbers inside (0, 1), in double precision."""
    # numbers k 2^-53, from zero on, moved by half of that: none is zero, and none may be rounded to one
    moved = np.random.Generator(np.random.Philox(key=key)).random(shape) + 2.0**-54
    return np.minimum(moved, 1 - 2.0**-53)


def normal(seed, shape):
    """Standard normal numbers, in single precision."""
    return ndtri(uniform(2 * _whole(seed), shape)).astype(np.float32)


def gumbel(seed, shape):
    """Standard Gumbel numbers, in single precision: the largest of log p_k + g_k is a draw of k from p."""
    return -np.log(-np.log(uniform(2 * _whole(seed) + 1, shape))).astype(np.float32)


def _whole(seed):
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number <= LARGEST:
        raise BadInput(f"seed {seed!r}; expected a whole number from 0 to 2^127 - 1")
    return number
