"""Figures of the page on published data of other fields: labels over time, tracks, pay-offs."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from amortmix.plots.posterior import predicted_counts_of
from amortmix.plots.style import COLORS


def recessions(units):
    """Growth, and the probability of a recession by networks and by NUTS, above the recessions as NBER dates them."""
    figure, axes = plt.subplots(2, 1, figsize=(10, 4.2), sharex=True)
    quarter = pd.PeriodIndex(units["quarter"], freq="Q").to_timestamp()
    axes[0].plot(quarter, units["growth"], color="#333333", linewidth=0.8)
    axes[0].set_ylabel("growth (% a quarter)")
    axes[1].plot(quarter, units["P(recession)"], color=COLORS["ABI"], label="networks")
    axes[1].plot(quarter, units["P(recession), NUTS"], "--", color=COLORS["MCMC"], linewidth=1, label="NUTS")
    axes[1].set_ylabel("P(recession)")
    for axis in axes:
        _shade(axis, quarter, (units["known"] == "recession").to_numpy())
    axes[1].legend(ncols=2, loc="upper left", bbox_to_anchor=(0, 1.18), frameon=False)
    figure.tight_layout()
    return figure


def _shade(axis, time, where):
    """Grey where a condition holds, each run of units to the beginning of the next unit."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(int), [0]])))
    for first, last in edges.reshape(-1, 2):
        axis.axvspan(time[first], time[min(last, len(time) - 1)], color="#bbbbbb", alpha=0.5, linewidth=0)


def tracks(units):
    """Tracks of the elk, from steps and turns, coloured by the probability that a day was spent exploring."""
    animals = list(units["elk"].unique())
    figure, axes = plt.subplots(1, len(animals), figsize=(3.1 * len(animals), 3.6), layout="constrained")
    for axis, animal in zip(axes, animals):
        own = units[units["elk"] == animal]
        heading = np.cumsum(own["turn"].fillna(0.0))
        x, y = (np.concatenate([[0.0], np.cumsum(own["step"] * f(heading))]) for f in (np.cos, np.sin))
        axis.plot(x, y, color="#cccccc", linewidth=0.5)
        points = axis.scatter(x[1:], y[1:], c=own["P(exploring)"], cmap="viridis", vmin=0, vmax=1, s=7)
        axis.set_aspect("equal", adjustable="datalim")
        axis.set_title(animal, fontsize=10)
        axis.set_xlabel("km")
    figure.colorbar(points, ax=axes, label="P(exploring)", shrink=0.8)
    return figure


def switches(people):
    """Pay-offs at which each participant switches over to controlled responding, and back."""
    figure, axis = plt.subplots(figsize=(8, 3.4))
    place = np.arange(len(people))
    for name, step, color in (("up", -0.12, COLORS["ABI"]), ("down", 0.12, COLORS["MCMC"])):
        middle = people[f"{name} median"]
        ends = np.abs(people[[f"{name} low", f"{name} high"]].to_numpy() - middle.to_numpy()[:, None]).T
        words = {"up": "from guessing to controlled", "down": "back to guessing"}[name]
        axis.errorbar(place + step, middle, yerr=ends, fmt="o", color=color, label=words, markersize=5)
    axis.set_xticks(place, people["person"])
    axis.set(xlabel="participant", ylabel="pay-off of accuracy")
    axis.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    figure.tight_layout()
    return figure


def predicted(table):
    """Observed histograms among those of replicated data sets, one for each column of a table of `make fields`."""
    columns = list(table["column"].unique())
    figure, axes = plt.subplots(1, len(columns), figsize=(3.6 * len(columns), 2.8), squeeze=False)
    for axis, column in zip(axes[0], columns):
        own = table[table["column"] == column]
        edges = np.append(own["low"], own["high"].iloc[-1])
        predicted_counts_of(axis, edges, *(own[q].to_numpy() for q in ("q025", "median", "q975")))
        axis.plot(
            (own["low"] + own["high"]) / 2, own["observed"], ".", color=COLORS["truth"], markersize=4, label="observed"
        )
        axis.set_xlabel(column)
    axes[0, 0].set_ylabel("observations")
    figure.tight_layout()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure
