"""Pareto smoothed importance sampling (Vehtari et al. 2024), through ArviZ.

    log w_s = log p(theta_s, y) - log q(theta_s | y),

both densities on the same space; a heavy tail of w, measured by k-hat, means that q missed a region.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from arviz_stats.base import array_stats

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from amortmix.model.arrays import Array

#: Log weights that differ by less are equal: single precision does not tell them apart.
EQUAL = 1e-5
#: A tail of fewer values has no k-hat.
FEWEST = 5


class Psis(NamedTuple):
    """Smoothed, normalized log weights (S,) and the Pareto shape of their tail."""

    log_weights: Float[Array, " S"]
    pareto_k: float

    @property
    def weights(self) -> Float[Array, " S"]:
        return np.exp(self.log_weights)

    @property
    def threshold(self):
        """Largest k-hat at which S weights can be relied on: min(1 - 1 / log10 S, 0.7)."""
        return min(1 - 1 / math.log10(len(self.log_weights)), 0.7)

    @property
    def is_reliable(self):
        return bool(self.pareto_k <= self.threshold)

    @property
    def ess(self):
        """Effective number of draws, 1 / sum w^2."""
        return float(1 / np.sum(self.weights**2))


def log_ratio(log_target: Float[Array, "*shape"], log_proposal: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Raw log weights; a draw without density under the target has weight zero, whatever the proposal's density."""
    log_target, log_proposal = np.asarray(log_target, dtype=float), np.asarray(log_proposal, dtype=float)
    possible = ~np.isneginf(log_target)
    return np.where(possible, log_target - np.where(possible, log_proposal, 0), -np.inf)


def smooth(log_target: Float[Array, " S"], log_proposal: Float[Array, " S"]) -> Psis:
    """`Psis` of log densities (S,) of the draws under target and proposal.

    Equal weights have no tail, k-hat -inf; a tail of one value, or of fewer than five, has no k-hat, and cannot be
    relied on.
    """
    ratio = log_ratio(log_target, log_proposal)
    if np.isfinite(ratio).all() and np.ptp(ratio) < EQUAL:
        return Psis(np.full(len(ratio), -math.log(len(ratio))), -math.inf)
    if not _has_tail(ratio):
        return Psis(ratio - np.logaddexp.reduce(ratio), math.nan)
    # ArviZ takes the negative of the log weights here: it was written for leave-one-out
    log_weights, pareto_k = array_stats.psislw(-ratio)
    log_weights = log_weights - np.logaddexp.reduce(log_weights)
    return Psis(log_weights, float(pareto_k))


def _has_tail(ratio: Float[Array, " S"]) -> bool:
    """Whether the largest log weights, to which ArviZ fits a Pareto distribution, are enough and not all the same."""
    number = len(ratio)
    size = int(3 * math.sqrt(number)) if number > 225 else number // 5
    tail = np.sort(ratio)[number - size :]
    return size >= FEWEST and not (np.isfinite(tail).all() and np.ptp(tail) < np.finfo(float).tiny)


def evidence(log_ratios: Float[Array, " S"]) -> tuple[float, float]:
    """log p(y) and its standard error from raw log weights (S,) of draws from q.

    The error is that of the mean weight, on the log scale; it means something where k-hat is small. Without any
    weight the evidence is -inf and its error inf.
    """
    total = np.logaddexp.reduce(log_ratios)
    if not np.isfinite(total):
        return -math.inf, math.inf
    value = total - np.log(len(log_ratios))
    second = np.logaddexp.reduce(2 * log_ratios)
    # sum w^2 / (sum w)^2 - 1 / S is the squared relative error of the mean
    return float(value), float(np.sqrt(max(np.exp(second - 2 * total) - 1 / len(log_ratios), 0.0)))


def resample(log_weights: Float[Array, " S"], n: int, seed: int) -> Int[Array, " {n}"] | None:
    """Indices of ``n`` draws, each taken as often as its weight says, in random order.

    Systematic resampling: draw s is taken n w_s times, rounded up or down, so that the mean of any function is unbiased
    and no draw with n w_s <= 1 is taken twice. None if no draw has a weight.
    """
    if not np.isfinite(log_weights).any():
        return None
    random = np.random.default_rng(seed)
    ends = np.cumsum(np.exp(log_weights - np.logaddexp.reduce(log_weights)))
    places = (random.uniform() + np.arange(n)) / n
    return random.permutation(np.minimum(np.searchsorted(ends, places * ends[-1], side="right"), len(ends) - 1))
