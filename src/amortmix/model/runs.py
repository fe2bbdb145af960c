"""What a sequence of states does: how often it switches, and how long it stays.

    switches = #{t: z_t != z_t-1, both of one sequence},    a run = units in a row of one state and one sequence

They are functions of the whole path z_1:N: probabilities of single units do not say what they are, joint draws do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Real

    from amortmix.model.arrays import Array


def switches(
    z: Int[Array, "*paths N"], exists: Real[Array, " N"], starts: Real[Array, " N"] | None = None
) -> Int[Array, "*paths"]:
    """How many units have another state than the one before in their sequence (...,).

    Parameters
    ----------
    z : (..., N)
        Paths of states 0, 1, ...
    exists : (N,)
        Nonzero for the units of the series, which come first.
    starts : (N,), optional
        Nonzero where a sequence begins after another.
    """
    return np.sum(_changes(z, starts) & (np.asarray(exists)[1:] > 0), axis=-1)


def share(z: Int[Array, "*paths N"], exists: Real[Array, " N"], state: int) -> Float[Array, "*paths"]:
    """Share of the units that are in a state (...,)."""
    exists = np.asarray(exists) > 0
    return np.sum((z == state) & exists, axis=-1) / exists.sum()


def number(
    z: Int[Array, "*paths N"], exists: Real[Array, " N"], state: int, starts: Real[Array, " N"] | None = None
) -> Int[Array, "*paths"]:
    """How many runs of a state there are (...,)."""
    begins = np.concatenate([np.ones((*np.shape(z)[:-1], 1), bool), _begins(z, starts)], axis=-1)
    return np.sum(begins & (z == state) & (np.asarray(exists) > 0), axis=-1)


def longest(
    z: Int[Array, "*paths N"], exists: Real[Array, " N"], state: int, starts: Real[Array, " N"] | None = None
) -> Int[Array, "*paths"]:
    """Units in the longest run of a state (...,); 0 where there is none."""
    n = np.shape(z)[-1]
    begins = np.concatenate([np.ones((*np.shape(z)[:-1], 1), bool), _begins(z, starts)], axis=-1)
    first = np.maximum.accumulate(np.where(begins, np.arange(n), 0), axis=-1)
    length = np.where((z == state) & (np.asarray(exists) > 0), np.arange(n) - first + 1, 0)
    return length.max(axis=-1)


def _changes(z, starts):
    """Whether unit t + 1 has another state than t, of the same sequence (..., N - 1)."""
    changed = z[..., 1:] != z[..., :-1]
    return changed if starts is None else changed & ~(np.asarray(starts)[1:] > 0)


def _begins(z, starts):
    """Whether a run begins at unit t + 1 (..., N - 1)."""
    changed = z[..., 1:] != z[..., :-1]
    return changed if starts is None else changed | (np.asarray(starts)[1:] > 0)


def summaries(
    z: Int[Array, "*paths N"], exists: Real[Array, " N"], states: Sequence[str], starts: Real[Array, " N"] | None = None
) -> dict[str, Real[Array, "*paths"]]:
    """All of them by name, each (...,): switches, and of each state its share, the mean and the longest run.

    The mean run of a state without any is not a number.

    Parameters
    ----------
    states : sequence of str
        Names of the states.

    Examples
    --------
    >>> summaries(np.array([0, 0, 1, 0]), np.ones(4), ("low", "high"))["switches"]
    2
    """
    found = {"switches": switches(z, exists, starts)}
    n = np.sum(np.asarray(exists) > 0)
    for k, state in enumerate(states):
        runs = number(z, exists, k, starts)
        found[f"share of {state}"] = share(z, exists, k)
        mean = found[f"share of {state}"] * n / np.maximum(runs, 1)
        found[f"mean run of {state}"] = np.where(runs > 0, mean, np.nan)
        found[f"longest run of {state}"] = longest(z, exists, k, starts)
    return found
