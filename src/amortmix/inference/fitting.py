"""One data set after the other fitted by the networks.

    theta^(s) ~ q(theta | y),   p(z_t | y, theta^(s)) from the heads,   w_s ∝ p(theta^(s), y) / q(theta^(s) | y),

the weights only where the likelihood is known. Networks are loaded and compiled once.
"""

import json
import time

import numpy as np

from amortmix.inference import predictive, psis
from amortmix.inference.amortized import Draws
from amortmix.inference.fit import Fit
from amortmix.inference.reference import MmdTest, far_outside
from amortmix.inference.verdict import judge, unusual
from amortmix.model import identity, tables
from amortmix.storage import tree as trees

#: Corrected draws are the best there are if the proposals are worth at least this share of them.
ENOUGH = 0.25
#: Draws for which the likelihood of each unit is kept.
LIKELIHOOD_DRAWS = 1000


class Fitter:
    """Fits data sets of one model under its prior.

    Parameters
    ----------
    amortized : Amortized
    draws, proposals : int
        Draws of each fit, and draws of the flow among which the corrected ones are chosen.
    reference : Reference, optional
        What simulated data sets look like; without it there is no MMD test.
    """

    def __init__(self, amortized, draws, proposals, reference=None):
        self.amortized, self.draws, self.proposals, self.reference = amortized, draws, proposals, reference
        self.mmd_test = MmdTest(reference.summaries) if reference is not None else None
        self._compiled = set()

    def fit(self, source, seed, attrs=None):
        """`Fit` of one data set.

        Parameters
        ----------
        source : Table or what `amortmix.model.tables.read` takes
        seed : int
        attrs : dict, optional
            Added to those of the fit.
        """
        model = self.amortized.model
        table = tables.read(model, source)
        drawn, seconds = self._timed(lambda: self.amortized.sample(table.data, self.draws, seed), table, "draws")
        finite = bool(np.isfinite(drawn.theta).all() and np.isfinite(drawn.log_q).all())
        concerns = self.amortized.warnings(table.data)
        if self.reference is not None:
            concerns += far_outside(model, self.reference, table)
        found = {"summary": self.amortized.summarize(table.data).tolist(), **self._mmd(table)}
        best, stats, smoothed, extra = self._weighted(table, drawn, seed)
        if not model.has_density and finite:
            concerns += predictive.surprises(model, best.theta, table.data, seed)
        verdict = judge(
            model.has_density, smoothed, found.get("mmd_p"), concerns, finite, self.amortized.card["meaningful"]
        )
        probabilities, more = self._timed(lambda: self.amortized.probabilities(table.data, best.u), table, "states")
        found |= extra | {
            "engine": "abi",
            "seconds": seconds + more,
            "verdict": verdict.word,
            "reason": verdict.reason,
            "warnings": self._warnings([*concerns, *unusual(found.get("mmd_p"))], verdict),
            "smoothing_rule": self.amortized.smoothing_rule,
            "meaningful": int(self.amortized.card["meaningful"]),
            "priors": model.prior_name,
            "identity": json.dumps(identity.parts(model)),
            **(attrs or {}),
        }
        built = trees.build(
            model,
            table,
            best.theta[None],
            {k: v[None] for k, v in stats.items()},
            trees.summarize_probabilities(probabilities),
            found,
            flow=drawn.theta[None],
            log_likelihood=self._likelihoods(best.theta, table),
        )
        return Fit(built, model, self.amortized)

    def _mmd(self, table):
        if self.mmd_test is None:
            return {}
        statistic, p = self.mmd_test(self.amortized.summarize(table.data))
        return {"mmd": statistic, "mmd_p": p}

    def _warnings(self, concerns, verdict):
        """Every sentence that a user must know; a verdict that does not trust the draws is one."""
        found = list(concerns)
        if not self.amortized.card["meaningful"]:
            found.append("the networks are hardly trained: results are not meaningful")
        if verdict.word in ("MCMC", "UNRELIABLE"):
            found.append(f"{verdict.word}: {verdict.reason}")
        return found

    def _weighted(self, table, drawn, seed):
        """The best `Draws`, statistics of the flow's draws, `Psis` or None, and what the weights say."""
        stats = {"log_q": drawn.log_q}
        if not self.amortized.model.has_density:
            return drawn, stats, None, {"posterior": "flow"}
        proposals, log_target = self._proposals(table.data, drawn, seed)
        log_joint = log_target[: self.draws]
        smoothed = psis.smooth(log_joint, drawn.log_q)
        stats |= {"log_joint": log_joint, "log_weight": smoothed.log_weights}
        among = psis.smooth(log_target, proposals.log_q)
        value, error = psis.evidence(psis.log_ratio(log_target, proposals.log_q))
        chosen = psis.resample(among.log_weights, self.draws, seed)
        usable = smoothed.is_reliable and chosen is not None and among.ess >= ENOUGH * self.draws
        extra = {
            "posterior": "psis" if usable else "flow",
            "pareto_k": smoothed.pareto_k,
            "ess": smoothed.ess,
            "proposals": len(log_target),
            "proposals_ess": among.ess,
            "log_evidence": value,
            "log_evidence_se": error,
        }
        return Draws(*(x[chosen] for x in proposals)) if usable else drawn, stats, smoothed, extra

    def _proposals(self, data, drawn, seed):
        """The flow's draws and more of them, `Draws` of at least ``proposals``, and their log p(theta, y).

        They come in pieces of equal size, so that one compiled function serves all.
        """
        pieces = [drawn]
        for i in range(1, -(-self.proposals // self.draws)):
            own = int(np.random.SeedSequence([seed, i]).generate_state(1)[0])
            pieces.append(self.amortized.sample(data, self.draws, own))
        log_target = np.concatenate([self.amortized.log_joint(data, piece.theta) for piece in pieces])
        return Draws(*map(np.concatenate, zip(*pieces))), log_target

    def _likelihoods(self, theta, table):
        """log likelihood (1, draws, N) of each unit, or None."""
        if not self.amortized.model.has_density:
            return None
        return self.amortized.log_units(table.data, theta[:LIKELIHOOD_DRAWS])[None]

    def _timed(self, work, table, what):
        """Result and seconds; what a new shape costs to compile is not part of the time."""
        shape = (what, self.amortized.frame(table.data).y.shape)
        for _ in range(1 if shape in self._compiled else 2):
            began = time.perf_counter()
            result = work()
        self._compiled.add(shape)
        return result, time.perf_counter() - began
