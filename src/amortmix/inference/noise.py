"""Random numbers of which draws are made: the same for every engine, and easy to make in another language.

normal = Phi^-1(u),   gumbel = -log(-log(u)),   u uniform from the counter-based generator Philox
"""

import numpy as np
from scipy.special import ndtri


def uniform(seed, shape):
    """Uniform numbers inside (0, 1), in double precision."""
    # numbers k 2^-53, from zero on, moved to the middle between two of them: none is zero or one
    return np.random.Generator(np.random.Philox(key=seed)).random(shape) + 2.0**-54


def normal(seed, shape):
    """Standard normal numbers, in single precision."""
    return ndtri(uniform(seed, shape)).astype(np.float32)


def gumbel(seed, shape):
    """Standard Gumbel numbers, in single precision: the largest of log p_k + g_k is a draw of k from p."""
    return -np.log(-np.log(uniform(seed, shape))).astype(np.float32)
