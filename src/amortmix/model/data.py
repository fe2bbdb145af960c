"""A data set in one fixed, padded form, so that nothing recompiles when its size varies.

y (N, P, D), mask (N, P), x (N, C):   N units, P observations of each, D components, C covariates of a unit.

A unit may exist without an observation, as a trial that was missed: a chain of states goes on through it. An
observation may lack some of its components. Units of several sequences, such as sessions of one person, stand one
after the other, and each sequence begins its chain anew.
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
    components : (N, P, D) or None
        1.0 where a component was observed, at least one where ``mask`` is one; None: all of them there.

    Examples
    --------
    >>> data = am.Data(y=np.zeros((3, 1, 1)), mask=np.array([[1.0], [0.0], [1.0]]))
    >>> data.observed
    array([1., 0., 1.])
    """

    y: Any
    mask: Any
    x: Any = None
    sequence: Any = None
    prior: Any = None
    components: Any = None

    @property
    def seen(self):
        """(N, P, D): 1.0 where a component was observed."""
        if self.components is not None:
            return self.components
        arrays = self.mask.__array_namespace__()
        return arrays.broadcast_to(self.mask[..., None], self.y.shape)

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
    components = None if data.components is None else data.components * mask[..., None]
    return filled(data._replace(mask=mask, components=components))


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
    components = None
    if data.components is not None:
        components = np.zeros(y.shape, dtype=data.components.dtype)
        components[:n, :p] = data.components
    x = data.x
    if x is not None:
        x = np.concatenate([x, np.broadcast_to(x[:1], (units - n, x.shape[1]))])
    sequence = data.sequence
    if sequence is not None:
        sequence = np.concatenate([sequence, np.zeros(units - n, sequence.dtype)])
    return Data(y, mask, x, sequence, data.prior, components)


def filled(data):
    """A valid value in every place where nothing was observed: the first one of the column that was."""
    arrays, d = data.y.__array_namespace__(), data.y.shape[-1]
    seen = data.seen > 0
    values, known = arrays.reshape(data.y, (-1, d)), arrays.reshape(seen, (-1, d))
    first = arrays.take_along_axis(values, arrays.argmax(known, axis=0)[None], axis=0)
    return data._replace(y=arrays.where(seen, data.y, first[0]))


def complete(data, lags):
    """(N,): 1.0 for units whose last ``lags`` units were observed, in the same sequence; the others condition."""
    arrays = data.mask.__array_namespace__()
    whole = data.observed if data.components is None else data.components.min((-2, -1))
    sequence = data.exists if data.sequence is None else data.sequence
    found = arrays.ones_like(whole)
    for lag in range(1, lags + 1):
        same = whole[:-lag] * (sequence[:-lag] == sequence[lag:])
        found = found * arrays.concat([arrays.zeros_like(whole[:lag]), same])
    return found
