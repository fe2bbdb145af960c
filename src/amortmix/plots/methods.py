"""ABI beside MCMC, and data beside the simulations that networks learned from."""

import matplotlib.pyplot as plt
import numpy as np

from amortmix.plots.style import COLORS


def mmd_null(null, observed):
    """Null distribution of the MMD above the observed data sets, a row each. ``observed``: name -> statistic."""
    ranked = sorted(observed.items(), key=lambda item: -item[1])
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7, 2.2 + 0.22 * len(ranked)), sharex=True, height_ratios=(2.0, 0.22 * len(ranked) + 0.2)
    )
    top.hist(null, bins=40, color="#cccccc", density=True)
    top.set_ylabel("density")
    bottom.plot([value for _, value in ranked], range(len(ranked)), "o", color=COLORS["ABI"], markersize=5)
    bottom.set_yticks(range(len(ranked)), [name.rsplit("_", 1)[-1] for name, _ in ranked], fontsize=8)
    bottom.set_ylim(len(ranked) - 0.4, -0.6)
    bottom.set_ylabel("observed")
    for axis in (top, bottom):
        axis.axvline(np.quantile(null, 0.9), color=COLORS["truth"], linestyle="--", linewidth=1)
    bottom.set_xlabel("MMD of one data set from the simulations (dashed: 10 % of simulations lie beyond)")
    figure.tight_layout()
    return figure


def c2st(comparisons, published):
    """C2ST of each data set, before and after PSIS, beside its value under shuffled labels and the published one.

    Parameters
    ----------
    comparisons : dict
        Name -> comparison.json.
    published : dict
        Letter -> published C2ST.
    """
    known = {name.rsplit("_", 1)[-1]: c for name, c in comparisons.items() if c["c2st"] is not None}
    kinds = {
        "shuffled labels": (COLORS["prior"], "o", {k: c["c2st_null"] for k, c in known.items()}),
        "published": (COLORS["truth"], "x", published),
        "ABI": (COLORS["ABI"], "o", {k: c["c2st"] for k, c in known.items()}),
        "PSIS": (COLORS["PSIS"], "s", {k: c["c2st_psis"] for k, c in known.items()}),
    }
    figure, axis = plt.subplots(figsize=(7, 3))
    for name, (color, marker, values) in kinds.items():
        if values:
            axis.plot(list(known), [values.get(k, np.nan) for k in known], marker, color=color, label=name)
    axis.set_ylim(0.48, 1.02)
    axis.set_ylabel("C2ST")
    axis.set_xlabel("data set")
    figure.legend(ncols=len(kinds), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    figure.tight_layout()
    return figure


def cost(training, abi, mcmc):
    """Time of a fit by either method, and of many fits, training included, with the break-even number.

    Parameters
    ----------
    training : float
        Seconds.
    abi, mcmc : sequence of float
        Seconds of each fit.
    """
    figure, (single, many) = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(1, 2))
    for x, (name, seconds) in enumerate({"ABI": abi, "MCMC": mcmc}.items()):
        spread = x + np.linspace(-0.15, 0.15, len(seconds)) if len(seconds) > 1 else [x]
        single.plot(spread, seconds, ".", color=COLORS[name])
    single.set_xticks([0, 1], ["ABI", "MCMC"])
    single.set_xlim(-0.5, 1.5)
    single.set_ylim(0, None)
    single.set_ylabel("one fit (s)")
    saved = np.mean(mcmc) - np.mean(abi)
    number = np.ceil(training / saved) if saved > 0 else 10_000
    n = np.geomspace(1, 100 * number, 200)
    many.plot(n, (training + n * np.mean(abi)) / 3600, color=COLORS["ABI"], label="ABI, training included")
    many.plot(n, n * np.mean(mcmc) / 3600, color=COLORS["MCMC"], linestyle="--", label="MCMC")
    if saved > 0:
        many.axvline(number, color=COLORS["truth"], linewidth=0.8, linestyle=":")
        many.set_title(f"equal after {number:,.0f} data sets", fontsize=10)
    many.set_xscale("log")
    many.set_yscale("log")
    for axis in (many.xaxis, many.yaxis):
        axis.set_major_formatter("{x:,g}")
    many.set_xlabel("data sets")
    many.set_ylabel("all fits (h)")
    many.legend()
    figure.tight_layout()
    return figure


def ablation(rows):
    """What each change costs in nats, with two standard errors; ``rows``: variant, loss, loss_se of one case study."""
    figure, axis = plt.subplots(figsize=(8, 0.6 + 0.34 * len(rows)))
    places = range(len(rows))
    axis.errorbar(rows["loss"], places, xerr=2 * rows["loss_se"], fmt="o", color=COLORS["ABI"], capsize=2)
    axis.set_yticks(places, rows["variant"])
    axis.axvline(0, color=COLORS["truth"], linewidth=0.8)
    axis.invert_yaxis()
    axis.set_xlabel("amortization gap above that of the recipe (nats)")
    figure.tight_layout()
    return figure


def benchmark(rows):
    """Ratios first, then how the cost grows; ``rows``: part, model, method, x, value, unit."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3), width_ratios=(1.4, 1, 1))
    ratios = _ratios(rows)
    axes[0].barh(list(ratios), list(ratios.values()), color=COLORS["ABI"], height=0.6)
    for place, value in enumerate(ratios.values()):
        axes[0].annotate(f" {value:,.3g}", (value, place), va="center", fontsize=9)
    axes[0].set_xscale("log")
    axes[0].axvline(1, color=COLORS["truth"], linewidth=0.8)
    axes[0].set_title("times as fast", fontsize=10)
    axes[0].invert_yaxis()
    growth = {"units": "one fit, 250 draws with states", "data sets": "all fits, 1,000 draws each"}
    for axis, (part, title) in zip(axes[1:], growth.items()):
        known = rows[rows["part"] == part]
        axis.loglog(known["x"], known["value"], "o-", color=COLORS["ABI"])
        axis.set_xlabel(part)
        axis.set_ylabel("seconds")
        axis.set_title(title, fontsize=10)
    figure.tight_layout()
    return figure


def _ratios(rows):
    """What is compared in words -> how many times as fast as the other method."""
    found = {}
    for case, group in rows[rows["part"] == "training"].groupby("case", sort=False):
        ours = group["method"] == "amortmix"
        ratio = group.loc[ours, "value"].iloc[0] / group.loc[~ours, "value"].iloc[0]
        found[f"training, {case.replace('_', ' ')}\n(BayesFlow fit, NumPy simulator)"] = ratio
    fits = rows[rows["part"] == "eleven fits"].set_index("method")["value"]
    if "Stan" in fits:
        found["eleven participants\n(Stan)"] = fits["Stan"] / fits["amortmix"]
    return found
