"""Figures of the paper and of this project's comparisons: smoothing rules, participants, ablation, K, benchmark."""

import matplotlib.pyplot as plt
import numpy as np

from amortmix.networks.classifiers import smoothing
from amortmix.plots.posterior import predicted_counts, series
from amortmix.plots.style import COLORS, finish_grid, grid, labels, legend_above

RULE_STYLES = {"exact": ("#0072B2", "-"), "printed": ("#E69F00", "-"), "shifted": ("#CC79A7", "-")}


def smoothing_rules(model, data, truth, exact):
    """Smoothing of one series by each rule from exact filters. ``exact``: head -> log probabilities (N, K)."""
    figure, axes = plt.subplots(3, 1, figsize=(10, 6.5), sharex=True)
    time = np.arange(1, data.y.shape[0] + 1)
    series(axes[0], model, data, time, truth)
    smoother = np.exp(exact["smoothing"])[:, -1]
    for rule, (color, style) in RULE_STYLES.items():
        p = np.exp(smoothing(exact, rule))[:, -1]
        axes[1].plot(time, p, style, color=color, linewidth=1.2, label=rule)
        axes[2].plot(time, p - smoother, style, color=color, linewidth=1.2)
    axes[1].plot(time, smoother, ".", color=COLORS["truth"], markersize=3, label="exact smoother")
    axes[1].set_ylabel(f"P({model.states[-1]})")
    axes[1].legend(ncols=4, loc="lower right", bbox_to_anchor=(1, 1.0))
    axes[2].set_ylabel("error")
    axes[2].set_xlabel("unit")
    figure.tight_layout()
    return figure


def smoothing_participants(model, by_rule):
    """Distance of each rule's smoothing from the exact smoother at every trial of each participant.

    ``by_rule``: name -> {rule: (N,)} with ``exact smoother``.
    """
    figure, axes = plt.subplots(len(by_rule), 1, figsize=(10, 1.35 * len(by_rule) + 0.6), sharex=True, squeeze=False)
    for axis, (name, rules) in zip(axes[:, 0], by_rule.items()):
        smoother = rules["exact smoother"]
        # the rule that is right last: it is the one to be seen
        for rule, (color, style) in reversed(RULE_STYLES.items()):
            error = rules[rule] - smoother
            axis.plot(np.arange(1, len(error) + 1), error, style, color=color, linewidth=0.9, label=rule)
        axis.set_ylim(-1.05, 1.05)
        axis.set_ylabel(name.rsplit("_", 1)[-1], rotation=0, ha="right", va="center")
    axes[0, 0].legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1.0))
    axes[-1, 0].set_xlabel("trial")
    figure.supylabel(f"P({model.states[-1]}) minus that of the exact smoother", fontsize=10)
    figure.tight_layout()
    return figure


def response_times(model, observed, replicated, bins=24):
    """Posterior predictive check: response times by state and answer, one row per participant.

    Parameters
    ----------
    observed : dict
        Name -> (y (N, 1, 2), probability (N, K) of each state): a trial counts in every state by its probability.
    replicated : dict
        Name -> (y (S, N, 1, 2), z (S, N)) from `report.replicate`.
    """
    kinds = [(k, correct) for k in range(len(model.states)) for correct in (1, 0)]
    figure, axes = plt.subplots(len(observed), len(kinds), figsize=(12, 1.5 * len(observed) + 0.5), squeeze=False)
    for row, (name, (y, p)) in zip(axes, observed.items()):
        edges = np.linspace(0, np.quantile(y[..., 0], 0.99), bins + 1)
        for axis, (k, correct) in zip(row, kinds):
            counts = np.histogram(y[:, 0, 0], edges, weights=p[:, k] * (y[:, 0, 1] == correct))[0]
            predicted_counts(
                axis, edges, [r[(s == k) & (r[:, 0, 1] == correct), 0, 0] for r, s in zip(*replicated[name])]
            )
            axis.plot((edges[1:] + edges[:-1]) / 2, counts, ".", color=COLORS["truth"], markersize=3, label="observed")
        row[0].set_ylabel(name.rsplit("_", 1)[-1], rotation=0, ha="right", va="center")
    for axis, (k, correct) in zip(axes[0], kinds):
        axis.set_title(f"{model.states[k]}, {'correct' if correct else 'error'}", fontsize=10)
    for axis in axes[-1]:
        axis.set_xlabel("response time (s)")
    figure.supylabel("trials", fontsize=10)
    figure.tight_layout()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


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


def components(rows, bins=5):
    """Mean probability of every model by the one that made the data, and probabilities against frequencies.

    ``rows``: truth, k, probability.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.3))
    mean = rows.pivot_table(index="truth", columns="k", values="probability")
    left.imshow(mean, cmap="Blues", vmin=0, vmax=1)
    for i, truth in enumerate(mean.index):
        for j, k in enumerate(mean.columns):
            value = mean.loc[truth, k]
            left.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.5 else "black")
    left.set_xticks(range(len(mean.columns)), mean.columns)
    left.set_yticks(range(len(mean.index)), mean.index)
    left.set(xlabel="K, or model", ylabel="what made the data")
    left.set_title("mean probability", fontsize=10)
    p, hit = rows["probability"].to_numpy(), (rows["k"] == rows["truth"]).to_numpy()
    place = np.minimum((p * bins).astype(int), bins - 1)
    for b in np.unique(place):
        here = place == b
        expected, error = p[here].mean(), np.sqrt(np.mean(p[here] * (1 - p[here])) / here.sum())
        right.errorbar(expected, hit[here].mean(), yerr=2 * error, fmt="o", color=COLORS["ABI"], capsize=2)
    right.plot([0, 1], [0, 1], color=COLORS["truth"], linewidth=1, linestyle="--")
    right.set(xlabel="probability", ylabel="frequency", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    right.set_title("calibration", fontsize=10)
    figure.tight_layout()
    return figure


def outbreak(days, known):
    """Reports of every day, and what was forecast after the first ``known`` of them by both methods.

    ``days``: day, reports, and "{method} {quantile}" of ABI and MCMC.
    """
    figure, axis = plt.subplots(figsize=(7.4, 3.3))
    for method in ("ABI", "MCMC"):
        lines = {q: days[f"{method} {q}"] + 1 for q in (0.05, 0.5, 0.95)}
        style = "-" if method == "ABI" else "--"
        axis.plot(days["day"], lines[0.5], style, color=COLORS[method], label=f"{method}, median and 90 %")
        axis.fill_between(days["day"], lines[0.05], lines[0.95], color=COLORS[method], alpha=0.25, linewidth=0)
    seen = days["day"] < known
    axis.plot(days["day"][seen], days["reports"][seen] + 1, "o", color="black", markersize=3, label="known")
    axis.plot(
        days["day"][~seen], days["reports"][~seen] + 1, "o", color="black", markersize=3, mfc="white", label="later"
    )
    axis.axvline(known - 0.5, color=COLORS["truth"], linewidth=1, linestyle="--")
    axis.set(xlabel="day", ylabel="reports + 1", yscale="log")
    axis.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure


def benchmark(rows):
    """Ratios with their range over repeats, then how the cost grows, as far as it was measured.

    ``rows``: part, case, method, x, value, repeat.
    """
    growth = {
        "units": "one fit, 250 draws with states",
        "states": "the same, 200 units",
        "data sets": "all fits, 1,000 draws each",
    }
    growth = {part: title for part, title in growth.items() if (rows["part"] == part).any()}
    n = len(growth)
    figure, axes = plt.subplots(1, 1 + n, figsize=(5 + 2.7 * n, 3), width_ratios=(1.5, *[1] * n), squeeze=False)
    axes = axes[0]
    ratios = _ratios(rows)
    means = np.array([np.mean(r) for r in ratios.values()])
    ends = np.abs([[np.min(r), np.max(r)] for r in ratios.values()] - means[:, None]).T
    axes[0].barh(list(ratios), means, xerr=ends, color=COLORS["ABI"], height=0.6)
    for place, value in enumerate(means):
        axes[0].annotate(f" {value:,.3g}", (value, place), xytext=(0, 7), textcoords="offset points", fontsize=9)
    axes[0].set_xscale("log")
    axes[0].axvline(1, color=COLORS["truth"], linewidth=0.8)
    axes[0].set_title("times as fast", fontsize=10)
    axes[0].invert_yaxis()
    for axis, (part, title) in zip(axes[1:], growth.items()):
        known = rows[rows["part"] == part]
        axis.plot(known["x"], known["value"], "o-", color=COLORS["ABI"])
        axis.set(xlabel=part, yscale="log", xscale="linear" if part == "states" else "log")
        axis.set_ylabel("seconds")
        axis.set_title(title, fontsize=10)
    figure.tight_layout()
    return figure


def _ratios(rows):
    """What is compared in words -> how many times as fast as the other method, once for each repeat."""
    found = {}
    for case, group in rows[rows["part"] == "training"].groupby("case", sort=False):
        rates = group.pivot_table(index="repeat", columns="method", values="value")
        other = next(m for m in rates if m != "amortmix")
        found[f"training, {case.replace('_', ' ')}\n({other})"] = rates["amortmix"] / rates[other]
    fits = rows[rows["part"] == "eleven fits"]
    ours = fits.loc[fits["method"] == "amortmix", "value"]
    for method, group in fits[fits["method"] != "amortmix"].groupby("method", sort=False):
        found[f"eleven participants\n({method})"] = group["value"].mean() / ours
    return found


def beside(model, summaries):
    """Mean and 95 % interval of each parameter of each person, from several analyses of their data.

    Parameters
    ----------
    model : Model or Description
    summaries : {str: DataFrame}
        Analysis -> `amortmix.inference.many.Fits.summary`, of the same people.
    """
    figure, axes = grid(model, sharey=True)
    people = list(next(iter(summaries.values())).index)
    place = np.arange(len(people))
    step = 0.5 / len(summaries)
    for number, (words, color) in enumerate(zip(summaries, (COLORS["MCMC"], COLORS["ABI"], COLORS["PSIS"]))):
        frame, at = summaries[words], place + step * (number - (len(summaries) - 1) / 2)
        usable = frame["verdict"].isin(["ABI", "PSIS"]).to_numpy()
        for axis, name in zip(axes.flat, model.parameter_names):
            low, mean, high = (frame[f"{name} {what}"].to_numpy() for what in ("2.5%", "mean", "97.5%"))
            for chosen, shade, face in ((usable, color, color), (~usable, COLORS["prior"], "white")):
                axis.hlines(at[chosen], low[chosen], high[chosen], color=shade, linewidth=1.2)
                axis.plot(mean[chosen], at[chosen], "o", color=shade, markerfacecolor=face, markersize=3.5)
        axes.flat[0].plot([], [], "o-", color=color, markersize=3.5, label=words)
    for axis, label in zip(axes.flat, labels(model)):
        axis.set_xlabel(label)
    axes.flat[0].set_yticks(place, people)
    axes.flat[0].set_ylim(len(people) - 0.5, -0.5)
    finish_grid(figure, axes, model, "participant")
    legend_above(figure, axes.flat[0], columns=3)
    return figure


def rank_curves(axis, shares, colors, seed=1):
    """ECDF minus uniform of fractional ranks, {label: (M,)}, with simultaneous 95 % bands of one curve."""
    from bayesflow.utils.ecdf import simultaneous_ecdf_bands

    np.random.seed(seed)  # the bands are simulated from NumPy's global generator
    _, z, low, high = simultaneous_ecdf_bands(len(next(iter(shares.values()))))
    axis.fill_between(z, low - z, high - z, color="#dddddd")
    at = np.linspace(0, 1, 200)
    for label, share in shares.items():
        ecdf = np.searchsorted(np.sort(share), at, side="right") / len(share)
        axis.plot(at, ecdf - at, color=colors[label], linewidth=1.3, label=label)
    axis.set_xlabel("fractional rank")
