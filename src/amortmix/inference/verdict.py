"""What to trust: the words that stand on every fit (the amortized Bayesian workflow, section 3.5).

ABI          the networks' draws as they are
PSIS         draws corrected by importance weights, of the networks or of proposals adapted to the data
MCMC         neither: run MCMC, which needs the density and no network
UNRELIABLE   neither, and there is no density, or a learned one that is wrong: do not use this fit
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from amortmix.inference.psis import Psis

MMD_ALPHA = 0.1  # section 3.5, Table 1
#: How a sentence on weights ends.
CORRECTED = "the draws of this fit are corrected by their weights"


class Verdict(NamedTuple):
    """One of the four words, and why in a sentence."""

    word: str
    reason: str


class Facts(NamedTuple):
    """What a verdict rests on.

    Attributes
    ----------
    has_density : bool
    smoothed : Psis, optional
        Of the networks' draws, where the density is known.
    mmd_p : float, optional
        None where no simulations are at hand.
    concerns : sequence of str
        Sentences about the data: N, P or values outside the range of the simulations.
    finite : bool
        Whether all draws are numbers.
    meaningful : bool
        False for networks that are hardly trained.
    local : LocalCalibration, optional
        Where no density is known (`amortmix.diagnostics.local`).
    flaw : str, optional
        What is wrong with a learned density (`amortmix.inference.members.flaw`).
    adapted : Psis, optional
        Of proposals adapted to the data, where the draws were chosen among such.
    states : str, optional
        What is wrong with the networks' state probabilities, which no weights correct.
    """

    has_density: bool
    smoothed: Psis | None = None
    mmd_p: float | None = None
    concerns: Sequence[str] = ()
    finite: bool = True
    meaningful: bool = True
    local: Any = None
    flaw: str | None = None
    adapted: Psis | None = None
    states: str | None = None


def judge(facts):
    """The `Verdict` on one fit.

    Parameters
    ----------
    facts : Facts
    """
    if facts.flaw:
        return Verdict("UNRELIABLE", facts.flaw)
    if not facts.has_density:
        return _without_density(facts)
    found = [*facts.concerns, *unusual(facts.mmd_p)]
    if facts.adapted is not None:
        return _with_adapted(facts, found)
    k, limit = facts.smoothed.pareto_k, facts.smoothed.threshold
    if not facts.finite or math.isnan(k) or not facts.smoothed.is_reliable:
        return Verdict("MCMC", "; ".join([*facts.concerns, _why_mcmc(facts.finite, k, limit)]))
    fine = f"k-hat {k:.2f} is at most {limit:.2f}"
    if found:
        return Verdict("PSIS", f"{'; '.join(found)}, and {fine}: {CORRECTED}")
    if facts.mmd_p is None:
        return Verdict("PSIS", f"{fine}; no simulations are at hand to compare the data with")
    return Verdict("ABI", f"the data look like the simulations (MMD p = {facts.mmd_p:.3f}) and {fine}")


def _with_adapted(facts, found):
    if facts.states:
        advice = f"{facts.states}: the parameters can be used, run MCMC for the states"
        return Verdict("MCMC", "; ".join([*facts.concerns, advice]))
    return Verdict("PSIS", f"{'; '.join([*found, _why_adapted(facts.smoothed, facts.adapted)])}: {CORRECTED}")


def _why_adapted(smoothed, adapted):
    k, limit = adapted.pareto_k, adapted.threshold
    worth = f"k-hat {smoothed.pareto_k:.2f}, worth {smoothed.ess:.0f} of {len(smoothed.log_weights)} draws"
    own = f"the networks by themselves are too far off here ({worth})"
    return f"{own}, and proposals adapted to the data have k-hat {k:.2f}, at most {limit:.2f}"


def _why_mcmc(finite, k, limit):
    if not finite:
        return "some draws of the networks are not finite: run MCMC"
    if math.isnan(k):
        return "Pareto k-hat is not a number, for too few draws have a weight: run MCMC"
    return f"Pareto k-hat {k:.2f} is above {limit:.2f}: importance weights cannot correct the flow here"


def unusual(mmd_p):
    """A sentence if the summary of the data is unlike those of the simulations, in a list."""
    if mmd_p is not None and mmd_p < MMD_ALPHA:
        return [f"the data are unusual among the simulations (MMD p = {mmd_p:.3f})"]
    return []


def _without_density(facts):
    none = "there is no density, so no weights can correct or check the draws"
    problems = [*([] if facts.finite else ["some draws are not finite"]), *facts.concerns, *unusual(facts.mmd_p)]
    if not facts.meaningful:
        problems.append("the networks are hardly trained")
    local = facts.local
    if local is not None and not local.inside:
        problems.append(local.sentence)
    if problems:
        return Verdict("UNRELIABLE", f"{'; '.join(problems)}; {none}")
    if facts.mmd_p is None:
        return Verdict("UNRELIABLE", f"no simulations are at hand to compare the data with; {none}")
    known = "whether they are right around these data was not checked" if local is None else local.sentence
    return Verdict("ABI", f"the data look like the simulations (MMD p = {facts.mmd_p:.3f}); {none}; {known}")
