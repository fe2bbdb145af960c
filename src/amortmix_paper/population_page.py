"""Figures of the page on populations: two ways to one group, calibration of groups, and people given all people."""

import matplotlib.pyplot as plt
import numpy as np

from amortmix.plots.quality import rank_ecdf
from amortmix.plots.style import COLORS

#: What each part of a population is called.
WORDS = {"mean": "mean over people", "spread": "standard deviation over people"}
METHODS = {"separate fits": COLORS["ABI"], "one NUTS": COLORS["MCMC"]}
PEOPLE = {"alone": "#999999", "given all": COLORS["ABI"]}


def two_ways(rows):
    """Means and spreads by separate fits and by one model of all people, with what the people were drawn from."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
    for axis, (quantity, part) in zip(axes, rows.groupby("quantity", sort=False)):
        names = list(part["parameter"].unique())
        for (method, color), step in zip(METHODS.items(), (-0.12, 0.12)):
            own = part[part["method"] == method]
            ends = np.abs(own[["low", "high"]].to_numpy() - own[["mean"]].to_numpy()).T
            axis.errorbar(np.arange(len(names)) + step, own["mean"], yerr=ends, fmt="o", color=color, label=method)
        axis.plot(np.arange(len(names)), own["truth"], "x", color=COLORS["truth"], markersize=8, label="truth")
        axis.set_xticks(np.arange(len(names)), names)
        axis.set_title(WORDS[quantity], fontsize=11)
    axes[0].set_ylabel("on the real line")
    figure.tight_layout()
    _legend(figure, axes[0])
    return figure


def calibration(rows, draws):
    """ECDF differences of the ranks of what groups were drawn from, among so many draws of their posteriors."""
    ranks = rows.pivot(index="group", columns=["quantity", "parameter"], values="rank")
    names = [f"{quantity} of {parameter}" for quantity, parameter in ranks]
    return rank_ecdf(ranks.to_numpy(), draws, names, num_col=4, figsize=(14, 3.2 * -(-len(names) // 4)))


def people(rows):
    """Median and 95 % interval of every parameter of each person, alone and given all people."""
    names = list(rows["parameter"].unique())
    figure, axes = plt.subplots(-(-len(names) // 4), 4, figsize=(12, 2.6 * -(-len(names) // 4)), squeeze=False)
    for axis, name in zip(axes.flat, names):
        part = rows[rows["parameter"] == name]
        for (method, color), step in zip(PEOPLE.items(), (-0.15, 0.15)):
            own = part[part["method"] == method]
            ends = np.abs(own[["low", "high"]].to_numpy() - own[["median"]].to_numpy()).T
            place = np.arange(len(own)) + step
            axis.errorbar(place, own["median"], yerr=ends, fmt=".", color=color, label=method)
        axis.set_xticks(np.arange(len(own)), own["person"].str[-1])
        axis.set_title(name, fontsize=10)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    figure.tight_layout()
    _legend(figure, axes.flat[0])
    return figure


def _legend(figure, axis):
    """The legend of one panel, above the titles of all."""
    figure.legend(*axis.get_legend_handles_labels(), ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
