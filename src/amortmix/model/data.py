"""A data set in one fixed, padded form, so that nothing recompiles when its size varies.

y (N, P, D), mask (N, P), x (N, C):   N units, P observations of each, D components, C covariates of a unit.

A unit may exist without an observation, as a trial that was missed: a chain of states goes on through it. Units of
several sequences, such as sessions of one person, stand one after the other, and each sequence begins its chain anew.
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
        1.0 where an observation was made.
    x : (N, C) or None
        Covariates of the units, columns as ``model.covariates``; None for a model without.
    sequence : (N,) or None
        Number of the sequence of each unit: 1, 2, ..., and 0 for units that do not exist. None: the units with an
        observation exist, in one sequence.
    prior : (H,) or None
        Hyperparameters under which networks of many priors are to see it (`amortmix.model.varied`).
    """

    y: Any
    mask: Any
    x: Any = None
    sequence: Any = None
    prior: Any = None

    @property
    def observed(self):
        """(N,): 1.0 for units with an observation."""
        return self.mask.max(-1)

    @property
    def exists(self):
        """(N,): 1.0 for units that exist, observed or not."""
        return self.observed if self.sequence is None else 1.0 * (self.sequence > 0)

    @property
    def starts(self):
        """(N,): 1.0 where a sequence begins after another one; None where there is one sequence."""
        if self.sequence is None:
            return None
        arrays = self.sequence.__array_namespace__()
        before = arrays.concat([self.sequence[..., :1], self.sequence[..., :-1]], axis=-1)
        return 1.0 * ((self.sequence != before) & (self.sequence > 0))


def as_numpy(data, dtype=np.float32):
    """The same data set as NumPy arrays."""
    return Data(*(None if a is None else np.asarray(a, dtype=dtype) for a in data))


def existing(data):
    """The first units of a data set that is padded at its end, as NumPy arrays without the padding."""
    n = int(np.asarray(data.exists).sum())
    cut = Data(*(None if a is None else np.asarray(a)[:n] for a in data._replace(prior=None)))
    return cut._replace(prior=data.prior)


def one_sequence(data):
    """The same data set with its sequences written down: where there is no word of them, one to the last observed unit.

    Units between that were not observed exist: those after it are padding.
    """
    if data.sequence is not None:
        return data
    observed = np.asarray(data.observed) > 0
    last = len(observed) - np.argmax(observed[::-1])
    return data._replace(sequence=np.asarray((np.arange(len(observed)) < last) & observed.any(), dtype=np.float32))


def without(data, units, observations):
    """The same data set, of NumPy arrays, in which some observations, indices (n,) and (n,), were not made."""
    data = one_sequence(data)
    mask = np.array(data.mask)
    mask[units, observations] = 0
    valid = data.y[mask > 0][0]
    return data._replace(mask=mask, y=np.where(mask[..., None] > 0, data.y, valid))


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
    sequence = data.sequence
    if sequence is not None:
        sequence = np.concatenate([sequence, np.zeros(units - n, sequence.dtype)])
    return Data(y, mask, x, sequence, data.prior)


def filled(data):
    """Padding as a copy of the first observation: a valid value in every place."""
    where = data.y.__array_namespace__().where
    return data._replace(y=where(data.mask[..., None] > 0, data.y, data.y[:1, :1]))
