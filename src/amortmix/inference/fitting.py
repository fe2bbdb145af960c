"""A data set fitted by the networks, which are loaded and compiled once for all.

    theta^(s) ~ q(theta | y),   p(z_t | y, theta^(s)) from the heads,   w_s ∝ p(theta^(s), y) / q(theta^(s) | y),

the weights only where the likelihood is known. More proposals are drawn only where the effective number of those that
there are asks for it, and states are averaged over as many draws as their error needs.
"""

import json
import time
from typing import NamedTuple

import numpy as np

from amortmix.inference import members
from amortmix.inference.engine import Draws, Engine
from amortmix.inference.fit import Fit
from amortmix.inference.influence import decisive
from amortmix.inference.reference import MmdTest, far_outside
from amortmix.inference.states_check import Checked, checked
from amortmix.inference.verdict import Facts, judge, unusual
from amortmix.inference.weighted import weigh
from amortmix.model import tables
from amortmix.storage import tree as trees
from amortmix.storage.files import BadInput

#: Fewer draws have no tail to which a Pareto distribution could be fitted.
FEWEST_DRAWS = 25
#: Draws for which the likelihood of each unit is kept.
LIKELIHOOD_DRAWS = 1000
#: Simulations by which networks are judged around a data set where no density is known.
LOCAL = 100
#: Largest standard error of a mean state probability for which no more draws are classified.
STATES_ERROR = 0.02


class Fitted(NamedTuple):
    """Numbers of a fit; `fit` arranges them, which costs more than they do.

    Attributes
    ----------
    amortized : Engine
    table : Table
    best, flow : Draws
        The best draws there are, and the flow's own.
    stats : dict of (S,)
        Of the flow's draws.
    states : {head: (statistics, N, K)}
    attrs : dict
    """

    amortized: Engine
    table: tables.Table
    best: Draws
    flow: Draws
    stats: dict
    states: dict
    attrs: dict

    def fit(self):
        """The `Fit`, with the likelihood of each unit where it is known."""
        model, theta = self.amortized.model, self.best.theta
        known = None
        if model.has_density:
            known = self.amortized.log_units(self.table.data, theta[:LIKELIHOOD_DRAWS])[None]
        tree = trees.build(
            model,
            self.table,
            theta[None],
            {k: v[None] for k, v in self.stats.items()},
            self.states,
            self.attrs,
            flow=self.flow.theta[None],
            log_likelihood=known,
        )
        return Fit(tree, model, self.amortized)


class Fitter:
    """Fits data sets of one model under its prior.

    Parameters
    ----------
    amortized : Engine
    draws : int
        Posterior draws of each fit.
    proposals : int or (int, int)
        Draws of the flow among which the corrected ones are chosen, rounded up to a multiple of ``draws``; or the
        fewest and the most, between which k-hat and the effective number decide.
    reference : Reference, optional
        What simulated data sets look like; without it there is no MMD test.
    states : int or (int, int), optional
        Draws over which state probabilities are averaged, by default all; or the fewest and the most, between which
        as many are taken as bring the largest standard error of a mean to `STATES_ERROR`.
    local : int, optional
        Where no density is known, simulations for the local calibration of every fit, which takes seconds; 0: none.

    Raises
    ------
    BadInput
        If a number cannot be.
    """

    def __init__(self, amortized, draws, proposals, reference=None, states=None, local=LOCAL):
        if draws < FEWEST_DRAWS:
            raise BadInput(f"draws is {draws}; expected at least {FEWEST_DRAWS}, which k-hat needs")
        self.amortized, self.draws, self.reference = amortized, draws, reference
        self.proposals = _ends(proposals)
        self.states = [min(n, draws) for n in _ends(draws if states is None else states)]
        self.mmd_test = MmdTest(reference.summaries) if reference is not None else None
        self.local = 0 if amortized.model.has_density or not amortized.card["meaningful"] else local
        self._identity = json.dumps(amortized.identity)
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
        return self.numbers(source, seed, attrs).fit()

    def numbers(self, source, seed, attrs=None):
        """`Fitted` of one data set; parameters as for `fit`."""
        model = self.amortized.model
        table = tables.read(model, source)
        self.amortized.check(table.data)
        answer, seconds = self._timed(lambda: self.amortized.answer(table.data, self.draws, seed), table, "draws")
        drawn, log_joint, summary = answer
        found = {"summary": summary.tolist(), **self._mmd(summary)}
        noise = self.amortized.noise(self.draws, seed)
        weighted, weighing = _timed(lambda: weigh(self.amortized, table.data, answer, noise, self.proposals, seed))
        best, extra = weighted.best, weighted.attrs
        concerns = self.amortized.warnings(table.data)
        if self.reference is not None:
            concerns += far_outside(model, self.reference, table)
        overflown = ~(np.isfinite(drawn.theta).all(1) & np.isfinite(drawn.log_q))
        finite = not overflown.any()
        if not finite and extra["posterior"] == "psis":
            finite = weighted.adapted is not None or bool(np.isneginf(log_joint[overflown]).all())
        if finite and overflown.any():
            concerns.append(
                f"{overflown.sum()} of {self.draws} draws of the networks are not finite and have no weight"
            )
        shift = None
        if finite:
            doubts, shift = self._doubts(table, Draws(*(x[~overflown] for x in drawn)), weighted, overflown, seed)
            concerns += doubts
        local = self._locally(table, drawn, seed) if finite and self.local else None
        flaw = members.flaw(self.amortized.card.get("density"))
        meaningful = self.amortized.card["meaningful"]
        (states, error, number), more = self._timed(lambda: self._states(table.data, best.u), table, "states")
        shown = Checked(states)
        if weighted.adapted is not None and self.amortized.smoothing_rule == "exact":
            shown = checked(self.amortized, table, best.theta, states, seed)
        concerns += [shown.sentence] if shown.sentence and not shown.wrong else []
        wrong = shown.sentence if shown.wrong else None
        known = model.has_density, weighted.flow, found.get("mmd_p"), concerns, finite, meaningful, local, flaw
        verdict = judge(Facts(*known, adapted=weighted.adapted, states=wrong))
        found |= extra | {
            "engine": "abi",
            "program": self.amortized.name,
            "networks": self.amortized.networks,
            "seconds": seconds + weighing + more,
            "states_draws": number,
            "states_error": error,
            **({} if shift is None else {"density_shift": max(shift.members, shift.far_out)}),
            **({} if local is None else {"local_inside": int(local.inside), "local_draws": local.effective}),
            "verdict": verdict.word,
            "reason": verdict.reason,
            "warnings": self._warnings([*concerns, *unusual(found.get("mmd_p"))], verdict),
            "smoothing_rule": self.amortized.smoothing_rule,
            "meaningful": int(meaningful),
            "not_observed": _not_observed(table.data),
            "notes": list(table.notes),
            "priors": model.prior_name,
            "identity": self._identity,
            **(attrs or {}),
        }
        return Fitted(self.amortized, table, best, drawn, weighted.stats, shown.states, found)

    def _doubts(self, table, drawn, weighted, overflown, seed):
        """Sentences about the data that finite draws give reason for, and the `members.Shift` of a learned density."""
        found, shift, model = [], None, self.amortized.model
        flow = weighted.flow
        reliable = flow is None or flow.is_reliable
        if not model.has_density:
            from amortmix.inference import predictive  # simulates, so JAX

            # in the frame of training: other sizes would be compiled one by one
            found += predictive.surprises(model, weighted.best.theta, self.amortized.frame(table.data), seed)
        if self.amortized.learned:
            # weights that cannot be relied on leave few draws, which would vary too little
            theta = drawn.theta if weighted.adapted is None else weighted.best.theta
            known = reliable and weighted.adapted is None
            weights = flow.log_weights[~overflown] if known else np.zeros(len(theta))
            shift = members.shift(self.amortized, table.data, theta, weights)
            found += shift.concerns(table, next(iter(model.columns)))
        return found + decisive(self.amortized, table, drawn, reliable, seed), shift

    def _locally(self, table, drawn, seed):
        """`LocalCalibration` at a data set."""
        from amortmix.diagnostics.local import local_calibration

        data = self.amortized.frame(table.data)
        return local_calibration(self.amortized.in_jax, data, drawn.theta, drawn.log_q, self.local, seed)

    def _mmd(self, summary):
        if self.mmd_test is None:
            return {}
        statistic, p = self.mmd_test(summary)
        return {"mmd": statistic, "mmd_p": p}

    def _warnings(self, concerns, verdict):
        """Every sentence that a user must know; a verdict that does not trust the draws is one."""
        found = list(concerns)
        if not self.amortized.card["meaningful"]:
            weighted = self.amortized.model.has_density and verdict.word in ("ABI", "PSIS")
            what = "the draws rest on their weights alone" if weighted else "results are not meaningful"
            found.append(f"the networks are hardly trained: {what}")
        if verdict.word in ("MCMC", "UNRELIABLE"):
            found.append(f"{verdict.word}: {verdict.reason}")
        return found

    def _states(self, data, u):
        """State probabilities, the largest standard error of their means, and the number of draws that they are from.

        Draws are classified in pieces of equal size, so that one compiled function serves all.
        """
        size, most = self.states
        pieces, error = [], np.inf
        done = 0
        while not error <= STATES_ERROR and done < most:
            pieces.append(self.amortized.probabilities(data, u[done : min(done + size, most)]))
            done = min(done + size, most)
            heads = {k: np.concatenate([piece[k] for piece in pieces]) for k in pieces[0]}
            error = _largest_error(heads)
        return trees.summarize_probabilities(heads), error, done

    def _timed(self, work, table, what):
        """Result and seconds; what a new shape costs to compile is not part of the time."""
        shape = (what, self.amortized.frame(table.data).y.shape)
        if self.amortized.compiles and shape not in self._compiled:
            work()
        self._compiled.add(shape)
        return _timed(work)


def _timed(work):
    """Result and seconds by the clock."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _not_observed(data):
    """How many units exist without an observation."""
    return int((np.asarray(data.exists) > 0).sum() - (np.asarray(data.observed) > 0).sum())


def _ends(number):
    """(fewest, most) of a number or of both; BadInput if they are the wrong way round."""
    fewest, most = (number, number) if np.ndim(number) == 0 else number
    if not 0 < fewest <= most:
        raise BadInput(f"[{fewest}, {most}] draws: expected a number above 0, or [fewest, most]")
    return fewest, most


def _largest_error(heads):
    """Of the means of the head that knows all data, among units and states."""
    p = heads.get("smoothing", heads.get("classification"))
    return float(p.std(0).max() / np.sqrt(len(p)))
