"""States as a user sees them: several states of a chain may have one label.

    p(label_t = l | y) = sum of p(z_t = k | y) over the states k that have the label l

Where all states have names of their own labels and states are the same.
"""

import numpy as np


def labels(states):
    """The labels of states (K,), each once, in their order: (L,)."""
    return tuple(dict.fromkeys(states))


def label_of(states):
    """Place (K,) of the label of each state."""
    known = labels(states)
    return np.array([known.index(name) for name in states])


def probabilities(states, p):
    """Probabilities of labels (..., L), of NumPy or JAX, from those of states (..., K)."""
    of, arrays = label_of(states), p.__array_namespace__()
    if len(labels(states)) == len(of):
        return p
    # of many states that share a label the sum may be rounded up
    return arrays.minimum(p @ np.eye(len(labels(states)), dtype=p.dtype)[of], 1.0)


def log_probabilities(states, log_p):
    """Log probabilities of labels (..., L), of NumPy or JAX, from those of states (..., K)."""
    arrays = log_p.__array_namespace__()
    if len(labels(states)) == len(states):
        return log_p
    return arrays.log(arrays.maximum(probabilities(states, arrays.exp(log_p)), np.finfo(log_p.dtype).tiny))


def path(states, z):
    """Labels (...,) of a path of states (...,), whole numbers of NumPy or JAX."""
    of = label_of(states)
    if len(labels(states)) == len(of):
        return z
    # by comparison: an export knows no look-up
    arrays = z.__array_namespace__()
    return arrays.sum(arrays.where(z[..., None] == np.arange(len(of)), of.astype(z.dtype), 0), axis=-1, dtype=z.dtype)
