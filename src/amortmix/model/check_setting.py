"""What the checks of a declaration share: simulated data sets, compilation, and when two numbers are equal."""

from functools import cached_property

import jax
import numpy as np

from amortmix.model.data import Data

SIMULATIONS = 300
#: Largest difference of two numbers that should be equal, relative to the larger of their size and one.
TOLERANCE = 1e-6


class NotTried(Exception):
    """A check needs what an earlier one could not make."""


class Setting:
    """A model, keys, and the data sets that checks share.

    Attributes
    ----------
    model : Model
    seed : int
    shared : dict
        What one check compiled and another can use.
    """

    def __init__(self, model, seed):
        self.model, self.seed = model, seed
        self.failed, self.shared = False, {}

    def keys(self, name, number):
        """Keys (number,) of one check."""
        key = jax.random.fold_in(jax.random.key(self.seed), sum(name.encode()))
        return jax.random.split(key, number)

    @cached_property
    def simulated(self):
        """theta (S, D), Data and z (S, N) of S simulated data sets in the frame of the largest, as NumPy arrays."""
        if self.failed:
            raise NotTried("simulated data sets")
        self.failed = True
        found = batched(self.model.simulate_dataset)(self.keys("simulation", SIMULATIONS))
        self.failed = False
        return jax.tree.map(np.asarray, found)

    def dataset(self, i):
        """theta (D,), Data and z (N,) of data set i without its padding."""
        theta, data, z = jax.tree.map(lambda a: a[i], self.simulated)
        n, p = int(data.exists.sum()), int(data.mask.sum(1).max())
        return theta, Data(data.y[:n, :p], data.mask[:n, :p], None if data.x is None else data.x[:n]), z[:n]


def compiled(function):
    """A compiled function that is made in a hurry: a check runs it once or twice."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


def batched(function):
    """A compiled function of many data sets."""
    return compiled(jax.vmap(function))


def double(tree):
    return jax.tree.map(lambda a: np.asarray(a, np.float64), tree)


def difference(a, b):
    """Largest difference relative to the size, at least one; equal infinities differ by zero, NaN by infinity."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    with np.errstate(invalid="ignore"):
        found = np.where(a == b, 0.0, np.abs(a - b) / np.maximum(1, np.abs(b)))
    return float(np.nan_to_num(found, nan=np.inf).max(initial=0.0))
