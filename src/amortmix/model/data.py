"""A data set in one fixed, padded form, so that nothing recompiles when its size varies.

y (N, P, D), mask (N, P), x (N, C):   N units, P observations of each, D components, C covariates of a unit.
"""

from typing import Any, NamedTuple

import numpy as np


class Data(NamedTuple):
    """One padded data set.

    Attributes
    ----------
    y : (N, P, D)
        Observations; a harmless valid value where ``mask`` is zero.
    mask : (N, P)
        1.0 where an observation exists. A unit exists where any of its observations does.
    x : (N, C) or None
        Covariates of the units, columns as ``model.covariates``; None for a model without.
    """

    y: Any
    mask: Any
    x: Any = None

    @property
    def unit_mask(self):
        """(N,): 1.0 for units that exist."""
        return self.mask.max(-1)


def as_numpy(data, dtype=np.float32):
    """The same data set as NumPy arrays."""
    return Data(*(None if a is None else np.asarray(a, dtype=dtype) for a in data))


def existing(data):
    """The first units of a data set that is padded at its end, as NumPy arrays without the padding."""
    n = int(np.asarray(data.mask).max(-1).sum())
    return Data(*(None if a is None else np.asarray(a)[:n] for a in data))


def pad(data, units, observations):
    """The same data set in a larger frame; new places hold a copy of its first observation.

    Raises
    ------
    ValueError
        If the frame is smaller than the data set.
    """
    n, p, _ = data.y.shape
    if n > units or p > observations:
        raise ValueError(f"cannot pad {n} units x {p} observations into {units} x {observations}")
    y = np.broadcast_to(data.y[:1, :1], (units, observations, data.y.shape[2])).copy()
    mask = np.zeros((units, observations), dtype=data.mask.dtype)
    y[:n, :p], mask[:n, :p] = data.y, data.mask
    x = data.x
    if x is not None:
        x = np.concatenate([x, np.broadcast_to(x[:1], (units - n, x.shape[1]))])
    return Data(y, mask, x)


def filled(data):
    """Padding as a copy of the first observation: a valid value in every place."""
    where = data.y.__array_namespace__().where
    return data._replace(y=where(data.mask[..., None] > 0, data.y, data.y[:1, :1]))
