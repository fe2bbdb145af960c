"""Proposals fitted to one data set, in the space of the flow's noise, where the flow itself is too far off.

A draw of the flow is theta = f(eps; y) with eps ~ N(0, I). In that space the posterior has the density

    pi(eps) ∝ p(theta, y) / q(theta | y) N(eps; 0, I),    theta = f(eps; y),

which is N(0, I) where the flow is right, and near it where the flow is nearly right. Elsewhere proposals

    p_r(eps) = a N(eps; 0, I) + (1 - a) t(eps; m_r, C_r)

are fitted round by round: m_r and C_r are moments of all noise so far under weights pi / mean of p_0, ..., p_r-1
(adaptive multiple importance sampling, Cornuet et al. 2012), tempered while few would carry them. What was learned
from is not used: the draws of a fit all come from the last proposal, so weights and evidence are those of an ordinary
importance sampler, judged by k-hat as the flow's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_t

from amortmix.inference import noise, psis
from amortmix.inference.engine import Draws

if TYPE_CHECKING:
    from jaxtyping import Float

    from amortmix.model.arrays import Array

#: Most rounds of fitting, each as many draws as the fit has.
ROUNDS = 8
#: Share a of the flow's own noise, and degrees of freedom, an even number: tails heavier than those of a posterior.
OWN, FREEDOM = 0.1, 8
#: Effective number of draws, for each dimension, that moments are taken from.
FOR_MOMENTS = 10


class Piece(NamedTuple):
    """Draws of one proposal.

    Attributes
    ----------
    draws : Draws
        Their ``log_q`` is the density of the proposal that made them.
    log_joint : (S,)
        log p(theta, y).
    noise : (S, d), optional
        Known, as the next, where a proposal may be fitted to the piece.
    log_target : (S,), optional
        log pi(noise), but for a constant; -inf where the networks or the density are not finite.
    """

    draws: Draws
    log_joint: Float[Array, " S"]
    noise: Float[Array, "S d"] | None = None
    log_target: Float[Array, " S"] | None = None


class Flow:
    """Noise as the flow has it, N(0, I): the first proposal, of which all others are changes."""

    def log_density(self, eps: Float[Array, "S d"]) -> Float[Array, " S"]:
        """log p(eps) of rows (S, d): (S,)."""
        eps = np.asarray(eps, float)
        return -0.5 * (eps**2).sum(-1) - 0.5 * eps.shape[-1] * np.log(2 * np.pi)


class Adapted(NamedTuple):
    """A share of the flow's noise and a t distribution with ``location`` (d,) and ``shape`` (d, d)."""

    location: Float[Array, " d"]
    shape: Float[Array, "d d"]

    def log_density(self, eps: Float[Array, "S d"]) -> Float[Array, " S"]:
        """log p_r(eps) of rows (S, d): (S,)."""
        moved = multivariate_t.logpdf(eps, self.location, self.shape, FREEDOM)
        return np.logaddexp(np.log(OWN) + Flow().log_density(eps), np.log1p(-OWN) + moved)

    def sample(self, size: int, seed: int) -> Float[Array, "{size} d"]:
        """``size`` rows of noise (S, d), in single precision as the flow takes it."""
        own = noise.normal(seed, (size, len(self.location)))
        u = noise.uniform(2 * seed + 1, (size, FREEDOM // 2 + 1))
        chi_squared = -2 * np.log(u[:, 1:]).sum(axis=1, keepdims=True)  # of an even number of degrees of freedom
        moved = self.location + own @ np.linalg.cholesky(self.shape).T * np.sqrt(FREEDOM / chi_squared)
        return np.where(u[:, :1] < OWN, own, moved).astype(np.float32)


def piece(eps: Float[Array, "S d"], answer, proposal) -> Piece:
    """`Piece` of noise (S, d) from ``proposal`` and of the engine's `Answer` to it.

    Parameters
    ----------
    eps : ndarray
    answer : Answer
        Of the networks, its ``log_q`` the density of the flow.
    proposal : Flow or Adapted
    """
    own = answer.draws.log_q - Flow().log_density(eps)  # log |d eps / d theta|
    log_target = np.asarray(answer.log_joint - own, float)
    known = np.isfinite(log_target) & np.isfinite(answer.draws.theta).all(-1)
    log_joint = np.where(known, answer.log_joint, -np.inf)
    draws = answer.draws._replace(log_q=own + proposal.log_density(eps))
    return Piece(draws, log_joint, eps, np.where(known, log_target, -np.inf))


def adapt(ask, first, seed: int, enough) -> tuple[Adapted, Piece] | None:
    """A proposal that suits the data, and its draws.

    Parameters
    ----------
    ask : callable
        ``ask(proposal, seed)`` -> `Piece`.
    first : Piece
        Of the flow.
    seed : int
    enough : callable
        ``enough(psis)``: whether draws of these weights need no better proposal.

    Returns
    -------
    (Adapted, Piece) or None
        The best of all rounds whose weights can be relied on; None if there is none.
    """
    pieces, proposals, best = [first], [Flow()], (0.0, None)
    for number in range(ROUNDS):
        proposal = fitted(pieces, proposals)
        if proposal is None:
            break
        own = int(np.random.SeedSequence([seed, number, ROUNDS]).generate_state(1)[0])
        drawn = ask(proposal, own)
        smoothed = psis.smooth(drawn.log_joint, drawn.draws.log_q)
        if smoothed.is_reliable and smoothed.ess > best[0]:
            best = smoothed.ess, (proposal, drawn)
        if enough(smoothed):
            break
        pieces.append(drawn)
        proposals.append(proposal)
    return best[1]


def fitted(pieces, proposals) -> Adapted | None:
    """`Adapted` to the weighted noise of all rounds; None where too few draws have any weight.

    Parameters
    ----------
    pieces : list of Piece
    proposals : list of Flow or Adapted
        The one that made each piece; pieces are of one size.
    """
    eps = np.concatenate([p.noise for p in pieces]).astype(float)
    log_target = np.concatenate([p.log_target for p in pieces])
    mixture = logsumexp([p.log_density(eps) for p in proposals], axis=0)
    dimensions = eps.shape[1]
    weights = tempered(log_target - mixture, FOR_MOMENTS * dimensions)
    if weights is None:
        return None
    location = weights @ eps
    centred = eps - location
    shape = (weights[:, None] * centred).T @ centred
    # correlations of few draws are shrunk, which keeps the matrix positive definite
    shrunk = min(1.0, dimensions * float(np.sum(weights**2)))
    shape = (1 - shrunk) * shape + shrunk * np.diag(np.diag(shape)) + 1e-8 * np.eye(dimensions)
    return Adapted(location, shape)


def tempered(log_weights: Float[Array, " S"] | Sequence[float], fewest: float) -> Float[Array, " S"] | None:
    """Normalized weights w^b with the largest power b <= 1 whose effective number is at least ``fewest``.

    None if fewer than that have any weight.

    Examples
    --------
    >>> from amortmix.inference.adapted import tempered
    >>> tempered([0.0, 0.0, 0.0, 5.0], 1.0).round(3)
    array([0.007, 0.007, 0.007, 0.98 ])
    >>> w = tempered([0.0, 0.0, 0.0, 5.0], 2.0)
    >>> round(float(1 / (w**2).sum()), 3)
    2.0
    """
    log_weights = np.asarray(log_weights, float)
    possible = np.isfinite(log_weights)
    if possible.sum() <= fewest:
        return None
    highest = log_weights[possible].max()

    def powered(b):
        w = np.where(possible, np.exp(b * np.where(possible, log_weights - highest, 0.0)), 0.0)
        return w / w.sum()

    low, high = 0.0, 1.0
    if 1 / np.sum(powered(1.0) ** 2) >= fewest:
        return powered(1.0)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 / np.sum(powered(middle) ** 2) >= fewest else (low, middle)
    return powered(low)
