"""One function per kind of figure. The same colours mean the same thing everywhere."""

from amortmix.plots.methods import ablation, benchmark, c2st, cost, mmd_null
from amortmix.plots.posterior import (
    classification,
    joint_posterior,
    predictive,
    response_times,
    smoothing_participants,
    smoothing_rules,
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
from amortmix.plots.style import save

__all__ = [
    "ablation",
    "benchmark",
    "c2st",
    "calibration",
    "classification",
    "cost",
    "gap_by_region",
    "joint_posterior",
    "learning_curve",
    "mmd_null",
    "predictive",
    "recovery",
    "reliability",
    "response_times",
    "save",
    "smoothing_participants",
    "smoothing_rules",
    "states_over_time",
    "z_score_contraction",
]
