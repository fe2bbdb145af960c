"""Tables and figures of the page `factorization`, from the saved results of `make factorization`.

Each source of joint draws of theta and z has a name, `SOURCES`; ``passes`` are those of a Gibbs sampler after it.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from amortmix.diagnostics.simulated import INTERVAL, calibration
from amortmix.plots.quality import ranked
from amortmix.plots.style import COLORS, legend_above
from amortmix_paper.factorization import QUANTITIES
from amortmix_paper.plots import rank_curves

#: Column of the saved parts -> what diverges, in the order of the two factorizations.
PARAMETERS_FIRST = {
    "parameters_11": "p(θ | y), training of eq. 11",
    "indicators_15": "p(z | y, θ), training of eq. 15",
}
INDICATORS_FIRST = {
    "independence": "p(z | y), independence in eq. 22",
    "indicators_22": "p(z_i | y), training of eq. 22",
    "parameters_23": "p(θ | z, y), training of eq. 23",
}
PARTS = PARAMETERS_FIRST | INDICATORS_FIRST
TRUE, FIRST = "exact", "eq. 14, networks"
OURS, TRAINED = "eqs. 22 and 23, exact", "eqs. 22 and 23, networks"
SOURCES = {TRUE: COLORS["truth"], FIRST: COLORS["ABI"], OURS: COLORS["MCMC"], TRAINED: "#E69F00"}
LABELS = {name: rf"$\{name[:2]}_{name[-1]}$" for name in QUANTITIES[:6]} | {
    name: f"${name}$" for name in QUANTITIES[6:9]
}
LABELS["log_joint"] = r"$\log p(\theta, z, y)$"
#: Shown on a logarithmic axis: a smaller number, or a negative one, which is noise of its estimate.
SMALLEST = 1e-3


def divergences(rows):
    """The divergence from the exact joint posterior by its parts, and their sums for both factorizations, in nats."""
    found = {}
    for words, parts in (("eq. 14 in all", PARAMETERS_FIRST), ("eqs. 21 to 23 in all", INDICATORS_FIRST)):
        found |= {name: rows[column] for column, name in parts.items()}
        found[words] = rows[list(parts)].sum(axis=1)
    table = {}
    for name, values in found.items():
        low, median, high = values.quantile([0.1, 0.5, 0.9])
        error = values.std(ddof=1) / np.sqrt(len(values))
        table[name] = {"mean": values.mean(), "error": error, "10 %": low, "median": median, "90 %": high}
    return pd.DataFrame.from_dict(table, orient="index")


def calibrations(rows, draws, seed=1):
    """Of each source and number of passes: which quantities are outside their bands, and how often 95 % intervals hold.

    Parameters
    ----------
    rows : DataFrame
        ``draws``, ``passes`` and the ranks of `QUANTITIES`, a row for each data set.
    draws : int
        Among how many the truth is ranked.

    Returns
    -------
    DataFrame
        Number of data sets, ``inside`` the simultaneous bands, quantities that are outside, and mean coverage of the
        parameters, of the numbers of units and of log p(theta, z, y).
    """
    found = {}
    for source, part in rows.groupby(["draws", "passes"]):
        ranks = part[list(QUANTITIES)].to_numpy()
        measured = calibration(*ranked(ranks, draws), seed)
        low, high = INTERVAL[0], INTERVAL[-1]
        held = ((ranks >= low * draws) & (ranks <= high * draws)).mean(0)
        outside = [name for name, value in zip(QUANTITIES, measured["log_gamma"]) if value <= 0]
        found[source] = {
            "data sets": len(part),
            "inside": measured["inside"],
            "outside": ", ".join(outside),
            "coverage of theta": held[:6].mean(),
            "coverage of counts": held[6:9].mean(),
            "coverage of the joint density": held[9],
        }
    table = pd.DataFrame.from_dict(found, orient="index").rename_axis(["draws", "passes"])
    return table.reindex(list(SOURCES), level="draws")


def distances(rows):
    """Medians of how far the draws of each source are from exact ones, over data sets on which remedies were tried."""
    columns = ["sd_theta", "sd_counts", "theta_nats"]
    return remedied(rows).groupby(["draws", "passes"])[columns].median().reindex(list(SOURCES), level="draws")


def remedied(rows):
    """Rows of the data sets on which remedies were tried."""
    return rows[rows["data_set"].isin(rows.loc[rows["passes"] > 0, "data_set"])]


def plot_parts(rows):
    """Every part of the divergence of every data set, with its median."""
    figure, axis = plt.subplots(figsize=(8, 3.4))
    rng = np.random.default_rng(1)
    for place, column in enumerate(PARTS):
        values = np.maximum(rows[column], SMALLEST)
        color = SOURCES[FIRST] if column in PARAMETERS_FIRST else SOURCES[OURS if place == 2 else TRAINED]
        axis.plot(values, place + rng.uniform(-0.3, 0.3, len(values)), ".", color=color, markersize=3, alpha=0.5)
        axis.plot([np.median(values)] * 2, [place - 0.38, place + 0.38], color=COLORS["truth"], linewidth=2)
    axis.set_xscale("log")
    axis.set_yticks(range(len(PARTS)), PARTS.values())
    axis.invert_yaxis()
    axis.set_xlabel("divergence from the exact joint posterior, nats per data set")
    figure.tight_layout()
    return figure


def plot_counts(rows):
    """Variance of the numbers of units, independent indicators over p(z | y), and what the independence costs."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    left.hist(rows["variance"], bins=np.linspace(0, 1.05, 22), color=SOURCES[OURS])
    left.axvline(1, color=COLORS["truth"], linewidth=1, linestyle="--")
    left.set(xlabel="variance of the counts, independent / joint", ylabel="data sets")
    right.plot(rows["variance"], np.maximum(rows["independence"], SMALLEST), ".", color=SOURCES[OURS], alpha=0.6)
    right.set(xlabel="variance of the counts, independent / joint", ylabel="total correlation (nats)", yscale="log")
    figure.tight_layout()
    return figure


def plot_calibration(rows, draws, names=("pi_2", "mu_2", "n_2", "log_joint")):
    """ECDF of the ranks minus uniform, with simultaneous 95 % bands of one quantity, for every source."""
    figure, axes = plt.subplots(1, len(names), figsize=(11, 3.2), sharey=True)
    rows = rows[rows["passes"] == 0]
    for axis, name in zip(axes, names):
        shares = {source: rows.loc[rows["draws"] == source, name] / draws for source in SOURCES}
        rank_curves(axis, shares, SOURCES)
        axis.set_title(LABELS[name], fontsize=11)
    axes[0].set_ylabel("ECDF difference")
    figure.tight_layout()
    # above the titles of the panels
    figure.legend(*axes[0].get_legend_handles_labels(), ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def plot_remedies(distances, blocks):
    """What Gibbs passes and blocks leave, medians over data sets with the central half of them."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.5))
    titles = {"sd_counts": "sd of the counts / exact", "sd_theta": "sd of the parameters / exact"}
    rows = remedied(distances)
    for axis, (column, title) in zip(axes, titles.items()):
        for source in (OURS, TRAINED):
            part = rows[rows["draws"] == source]
            _band(axis, part.groupby("passes")[column], SOURCES[source], source)
        axis.axhline(1, color=COLORS["truth"], linewidth=1, linestyle="--")
        axis.set_xscale("symlog", linthresh=1)
        axis.set(xlabel="passes of a Gibbs sampler", ylabel=title, xlim=(-0.2, 18), ylim=(0, None))
        axis.minorticks_off()
        axis.set_xticks(ticks := sorted(rows["passes"].unique()), ticks)
    _band(axes[2], blocks.groupby("blocks")["nats"], SOURCES[OURS], None)
    axes[2].set(xlabel="blocks", ylabel="nats left of the independence", xscale="log")
    axes[2].set_xticks(ticks := sorted(blocks["blocks"].unique()), ticks)
    axes[2].minorticks_off()
    figure.tight_layout()
    legend_above(figure, axes[0], 2)
    return figure


def _band(axis, groups, color, label):
    """Median and quartiles of a column of each group."""
    low, median, high = (groups.quantile(q) for q in (0.25, 0.5, 0.75))
    axis.fill_between(median.index, low, high, color=color, alpha=0.2, linewidth=0)
    axis.plot(median.index, median, "o-", color=color, markersize=4, label=label)
