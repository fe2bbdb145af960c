"""One function per kind of figure. The same colours mean the same thing everywhere."""

from amortmix.plots.forest import forest
from amortmix.plots.methods import cost
from amortmix.plots.posterior import (
    classification,
    joint_posterior,
    predictive,
    states_over_time,
)
from amortmix.plots.quality import (
    calibration,
    gap_by_region,
    learning_curve,
    recovery,
    reliability,
    z_score_contraction,
)
from amortmix.plots.sensitivity import sensitivity
from amortmix.plots.style import save, warn

__all__ = [
    "calibration",
    "classification",
    "cost",
    "forest",
    "gap_by_region",
    "joint_posterior",
    "learning_curve",
    "predictive",
    "recovery",
    "reliability",
    "save",
    "sensitivity",
    "states_over_time",
    "warn",
    "z_score_contraction",
]
