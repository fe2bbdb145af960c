"""One data set after the other fitted by the networks.

    theta^(s) ~ q(theta | y),   p(z_t | y, theta^(s)) from the heads,   w_s ∝ p(theta^(s), y) / q(theta^(s) | y),

the weights only where the likelihood is known. Networks are loaded and compiled once.
"""

import time
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from amortmix import fits
from amortmix.diagnostics import psis
from amortmix.posterior import Draws


class Fit(NamedTuple):
    """A fit by the networks.

    Attributes
    ----------
    draws : Draws
    probabilities : dict
        Head -> (S, N, K).
    seconds : float
        Time for draws and probabilities, without compilation.
    log_joint : (S,) or None
        log p(theta, y) of each draw, and all below only where the likelihood is known.
    smoothed : Psis or None
    corrected : (S, D) or None
        Draws chosen by importance weight among many; None also if too few have a weight.
    proposals_ess : float or None
        Effective number of those many.
    warnings : list of str
        What a user must know, in sentences.
    """

    draws: Draws
    probabilities: dict
    seconds: float
    log_joint: np.ndarray | None
    smoothed: psis.Psis | None
    corrected: np.ndarray | None
    proposals_ess: float | None
    warnings: list


class Fitter:
    """Fits data sets of one case study under one prior.

    Parameters
    ----------
    amortized : Amortized
    prior : mapping
        Hyperparameters of the prior.
    draws, proposals : int
        Draws of each fit, and draws of the flow among which the corrected ones are chosen.
    """

    def __init__(self, amortized, prior, draws, proposals):
        self.amortized, self.draws, self.proposals = amortized, draws, proposals
        case = amortized.case
        self.log_joint = jax.jit(partial(psis.log_joint, case, prior)) if case.exact is not None else None
        self._compiled = set()

    def fit(self, data, seed):
        """`Fit` of one data set."""
        drawn, probabilities, seconds = self._timed(data, seed)
        warnings = self.amortized.warnings(data)
        if self.log_joint is None:
            return Fit(drawn, probabilities, seconds, None, None, None, None, warnings)
        log_joint = np.asarray(self.log_joint(drawn.theta, self.amortized.frame(data)))
        smoothed = psis.smooth(log_joint, drawn.log_q)
        corrected, ess = psis.correct(self.amortized, self.log_joint, data, self.draws, self.proposals, seed)
        if corrected is None:
            warnings.append("too few draws have an importance weight: there are no corrected draws")
        return Fit(drawn, probabilities, seconds, log_joint, smoothed, corrected, ess, warnings)

    def _timed(self, data, seed):
        """Draws, probabilities and seconds; what a new shape costs to compile is not part of the time."""
        shape = self.amortized.frame(data).y.shape
        for _ in range(1 if shape in self._compiled else 2):
            began = time.perf_counter()
            drawn = self.amortized.sample(data, self.draws, seed)
            probabilities = self.amortized.probabilities(data, drawn.u)
        self._compiled.add(shape)
        return drawn, probabilities, time.perf_counter() - began

    def save(self, path, fit, data, attrs):
        """Write a fit as NetCDF, see `amortmix.fits`; ``attrs`` are added to its own."""
        amortized, smoothed = self.amortized, fit.smoothed
        stats, weights = {"log_q": fit.draws.log_q}, None
        attrs = {
            "engine": "abi",
            "seconds": fit.seconds,
            "smoothing_rule": amortized.smoothing_rule,
            "warnings": "; ".join(fit.warnings),
            "meaningful": int(amortized.card["meaningful"]),
            "summary": amortized.summarize(data).tolist(),
            **attrs,
        }
        if smoothed is not None:
            weights = smoothed.weights
            stats |= {"log_joint": fit.log_joint, "log_weight": smoothed.log_weights}
            attrs |= {"pareto_k": smoothed.pareto_k, "ess": smoothed.ess}
            attrs |= {"proposals": self.proposals, "proposals_ess": fit.proposals_ess}
        latent = fits.summarize_probabilities(fit.probabilities, weights)
        stats = {k: v[None] for k, v in stats.items()}
        corrected = None if fit.corrected is None else fit.corrected[None]
        fits.save(path, amortized.case, fit.draws.theta[None], stats, latent, data, attrs, corrected)
