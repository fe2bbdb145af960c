"""One function per kind of figure. The same colours mean the same thing everywhere."""

from amortmix_paper.rule_graph import rule_graph
from amortmix.plots.methods import ablation, benchmark, c2st, cost, mmd_null
from amortmix.plots.posterior import (
    classification,
    joint_posterior,
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
    "recovery",
    "reliability",
    "response_times",
    "rule_graph",
    "save",
    "smoothing_participants",
    "smoothing_rules",
    "states_over_time",
    "z_score_contraction",
]
