"""Sums over the neighbours of a state, for chains of many states of which each leads to few.

    p(z_t+1 = k | ...) = sum_j p(z_t = j | ...) P[j, k],    over those j that lead to k

Shapes: K states, at most M neighbours of each; further axes at the end, such as draws of theta.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

#: Fewer states are summed over as they are.
FEWEST_STATES = 8


class Arcs(NamedTuple):
    """Which transitions are possible.

    Attributes
    ----------
    before, after : (M, K)
        States that lead to each state, and to which it leads; where there are fewer than M, others.
    comes, goes : (M, K)
        Booleans: whether they do.
    """

    before: np.ndarray
    comes: np.ndarray
    after: np.ndarray
    goes: np.ndarray

    @classmethod
    def of(cls, possible):
        """Of booleans (K, K), row j what j leads to; None where a sum over all states costs hardly more."""
        k, most = len(possible), int(max(possible.sum(0).max(), possible.sum(1).max()))
        if k < FEWEST_STATES or 2 * most > k:
            return None
        # what is possible first, in the order of the states
        before, after = (np.argsort(~a, axis=0, kind="stable")[:most].astype(np.int32) for a in (possible, possible.T))
        comes, goes = (np.take_along_axis(a, i, 0) for a, i in ((possible, before), (possible.T, after)))
        return cls(before, comes, after, goes)

    @classmethod
    def from_lists(cls, known):
        """Of what a file keeps: a list of lists of numbers for each attribute."""
        return cls(*(np.asarray(a, kind) for a, kind in zip(known, (np.int32, bool, np.int32, bool))))


def logsumexp(x, axis=0):
    """log sum exp over the states, -inf where all are; fewer operations than ``jax.nn.logsumexp``."""
    top = jax.lax.stop_gradient(jnp.maximum(jnp.max(x, axis, keepdims=True), jnp.finfo(x.dtype).min))
    return jnp.squeeze(top, axis) + jnp.log(jnp.sum(jnp.exp(x - top), axis))


def into(log_trans, arcs, varies):
    """The log transitions that `predicted` takes: (K, K, ...), or of arcs (M, K, ...), maybe with an axis of units."""
    return log_trans if arcs is None else _of_arcs(log_trans, arcs.before, _all(arcs.before), arcs.comes, varies)


def out_of(log_trans, arcs, varies):
    """The same for `message`."""
    return log_trans if arcs is None else _of_arcs(log_trans, _all(arcs.after), arcs.after, arcs.goes, varies)


def _all(neighbours):
    """The states, (K,)."""
    return np.arange(neighbours.shape[1], dtype=np.int32)


def _of_arcs(log_trans, first, second, there, varies):
    found = log_trans[:, first, second] if varies else log_trans[first, second]
    trailing = found.ndim - varies - 2
    return jnp.where(there.reshape(*there.shape, *[1] * trailing), found, -jnp.inf)


def predicted(log_p, moves, arcs):
    """log sum_j p(z = j) P[j, k]: (K, ...)."""
    return logsumexp(log_p[:, None] + moves) if arcs is None else logsumexp(log_p[arcs.before] + moves)


def message(log_v, moves, arcs):
    """log sum_k P[j, k] v(k): (K, ...)."""
    return logsumexp(moves + log_v[None, :], axis=1) if arcs is None else logsumexp(moves + log_v[arcs.after])
