"""What to trust: the words that stand on every fit (the amortized Bayesian workflow, section 3.5).

ABI          the networks' draws as they are
PSIS         draws corrected by importance weights, of the networks or of proposals adapted to the data
MCMC         neither: run MCMC, which needs the density and no network
UNRELIABLE   neither, and there is no density, or a learned one that is wrong: do not use this fit
"""

import math
from typing import NamedTuple

MMD_ALPHA = 0.1  # section 3.5, Table 1


class Verdict(NamedTuple):
    """One of the four words, and why in a sentence."""

    word: str
    reason: str


def judge(
    has_density,
    smoothed=None,
    mmd_p=None,
    concerns=(),
    finite=True,
    meaningful=True,
    local=None,
    flaw=None,
    adapted=None,
    states=None,
):
    """The verdict on one fit.

    Parameters
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
    if flaw:
        return Verdict("UNRELIABLE", flaw)
    if not has_density:
        return _without_density(mmd_p, concerns, finite, meaningful, local)
    if adapted is not None and states:
        return Verdict("MCMC", "; ".join([*concerns, f"{states}: the parameters can be used, run MCMC for the states"]))
    if adapted is not None:
        found = [*concerns, *unusual(mmd_p), _why_adapted(smoothed, adapted)]
        return Verdict("PSIS", f"{'; '.join(found)}: the draws of this fit are corrected by their weights")
    k, limit = smoothed.pareto_k, smoothed.threshold
    if not finite or math.isnan(k) or not smoothed.is_reliable:
        return Verdict("MCMC", "; ".join([*concerns, _why_mcmc(finite, k, limit)]))
    fine = f"k-hat {k:.2f} is at most {limit:.2f}"
    found = [*concerns, *unusual(mmd_p)]
    if found:
        return Verdict("PSIS", f"{'; '.join(found)}, and {fine}: the draws of this fit are corrected by their weights")
    if mmd_p is None:
        return Verdict("PSIS", f"{fine}; no simulations are at hand to compare the data with")
    return Verdict("ABI", f"the data look like the simulations (MMD p = {mmd_p:.3f}) and {fine}")


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


def _without_density(mmd_p, concerns, finite, meaningful, local):
    none = "there is no density, so no weights can correct or check the draws"
    problems = [*([] if finite else ["some draws are not finite"]), *concerns, *unusual(mmd_p)]
    if not meaningful:
        problems.append("the networks are hardly trained")
    if local is not None and not local.inside:
        problems.append(local.sentence)
    if problems:
        return Verdict("UNRELIABLE", f"{'; '.join(problems)}; {none}")
    if mmd_p is None:
        return Verdict("UNRELIABLE", f"no simulations are at hand to compare the data with; {none}")
    known = "whether they are right around these data was not checked" if local is None else local.sentence
    return Verdict("ABI", f"the data look like the simulations (MMD p = {mmd_p:.3f}); {none}; {known}")
