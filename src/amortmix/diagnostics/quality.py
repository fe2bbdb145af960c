"""Are the networks good enough? The numbers of a validation, and the sentence that they add up to."""

from typing import Any, NamedTuple

import xarray as xr

from amortmix.inference.members import flaw

#: Nats per data set that the flow may give away, and nats per unit that a head may.
GAP, EXCESS = 0.15, 0.001
#: Largest calibration error of the states where no density is known.
CALIBRATION_ERROR = 0.02


class Quality(NamedTuple):
    """A validation.

    Attributes
    ----------
    metrics : dict
        As in ``metrics.json``.
    recovery : xarray.Dataset
        Truth, statistics of the posterior draws and gap of every simulated data set, see
        `amortmix.diagnostics.validation.validate`.
    good : bool
    sentence : str
        Good enough, or train longer, with the numbers that say so.
    """

    metrics: dict[str, Any]
    recovery: xr.Dataset
    good: bool
    sentence: str


#: What is measured of theta and the indicators together, by its name in the metrics.
JOINT = {
    "share_sbc": "share of units in the first state",
    "switches_sbc": "number of switches",
    "longest_sbc": "longest run of the first state",
}


def quality_of(metrics, recovery):
    """`Quality` of what `amortmix.diagnostics.validation.validate` found."""
    numbers, good = [], True
    if "gap_nats" in metrics:
        gap = metrics["gap_nats"]
        good &= gap["mean"] <= GAP
        numbers.append(f"gap {gap['mean']:.3f} ± {gap['se']:.3f} nats per data set (at most {GAP})")
    if "excess_ce" in metrics:
        excess = max(e["mean"] for e in metrics["excess_ce"].values())
        good &= excess <= EXCESS
        numbers.append(f"excess cross-entropy {excess:.5f} nats per unit (at most {EXCESS})")
    if "density" in metrics:
        away = metrics["density"]["divergence"]
        numbers.append(f"both to a learned density, about {away:.1g} nats per unit from the true one")
        if wrong := flaw(metrics["density"]):
            good = False
            numbers.append(wrong)
    if "state_calibration" in metrics:
        error = max(c["ece"] for c in metrics["state_calibration"].values())
        good &= error <= CALIBRATION_ERROR
        numbers.append(f"calibration error of the states {error:.4f} (at most {CALIBRATION_ERROR})")
    joint = [words for key, words in JOINT.items() if key in metrics and not metrics[key]["inside"]]
    if joint:
        good = False
        numbers.append(f"ranks of the {' and the '.join(joint)} outside their bands")
    if overflown := metrics.get("not_finite", 0):
        good = False
        numbers.append(f"draws of {overflown} of {metrics['datasets']} data sets are not finite")
    inside = metrics["sbc"]["inside"]
    numbers.append(f"SBC ranks {'inside' if inside else 'outside'} their simultaneous 95 % bands")
    good = bool(good and inside)
    words = "Good enough" if good else "Train longer, or look at nets.validate()"
    return Quality(metrics, recovery, good, f"{words}: {'; '.join(numbers)}.")
