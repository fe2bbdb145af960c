"""One function per kind of figure. The same colours mean the same thing everywhere.

Colours are from Okabe and Ito's palette, which readers with any colour vision can tell apart.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from bayesflow.diagnostics import plots as bayesflow_plots

from amortmix.networks.classifiers import smoothing

COLORS = {"ABI": "#0072B2", "MCMC": "#D55E00", "PSIS": "#009E73", "prior": "#999999", "truth": "#000000"}
STATE_COLORS = ("#56B4E9", "#E69F00", "#CC79A7")
#: BayesFlow's plots are made for larger panels than ours.
FONTS = {"label_fontsize": 10, "title_fontsize": 12, "tick_fontsize": 8}
HEAD_TITLES = {
    "classification": "classification",
    "filtering": r"filtering, $p(z_t \mid y_{1:t})$",
    "backward_filtering": r"backward filtering, $p(z_t \mid y_{t+1:N})$",
    "smoothing": r"smoothing, $p(z_t \mid y_{1:N})$",
}

plt.rcParams.update(
    {
        "figure.dpi": 110,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "pdf.fonttype": 42,
    }
)


def save(figure, folder, name):
    """Write a figure as PDF, for print, and as a PNG that stays small."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("pdf", "png"):
        figure.savefig(folder / f"{name}.{suffix}", bbox_inches="tight", dpi=120)


def labels(case):
    """LaTeX labels of the parameters, with units."""
    return [p.label + (f" ({p.unit})" if p.unit else "") for p in case.parameters]


def _columns(case):
    return 3 if len(case.parameters) == 6 else 4


def calibration(case, recovery, seed=1):
    """SBC: ECDF difference of the ranks with simultaneous 95 % bands (figures 4, 8, 12)."""
    np.random.seed(seed)  # the bands are simulated from NumPy's global generator
    names = [p.label for p in case.parameters]
    figure = bayesflow_plots.calibration_ecdf(
        recovery["draws"].values,
        recovery["theta"].values,
        variable_names=names,
        difference=True,
        rank_ecdf_color=COLORS["ABI"],
        num_col=_columns(case),
        figsize=_grid_size(case),
        **FONTS,
    )
    # one legend above the panels: inside the first it covers the curve
    legend = figure.axes[0].get_legend()
    figure.legend(*figure.axes[0].get_legend_handles_labels(), ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    legend.remove()
    return figure


def recovery(case, recovery, keep=None, limit=500):
    """Truth against posterior median with 95 % intervals (figures 5, 9, 13); at most ``limit`` data sets."""
    theta, draws = recovery["theta"].values, recovery["draws"].values
    if keep is not None:
        theta, draws = theta[keep], draws[keep]
    theta, draws = theta[:limit], draws[:limit]
    figure, axes = _grid(case)
    for j, (axis, label) in enumerate(zip(axes.flat, labels(case))):
        low, middle, high = np.quantile(draws[..., j], [0.025, 0.5, 0.975], axis=1)
        axis.vlines(theta[:, j], low, high, color=COLORS["ABI"], alpha=0.15, linewidth=0.8)
        axis.plot(theta[:, j], middle, ".", color=COLORS["ABI"], markersize=3)
        ends = [theta[:, j].min(), theta[:, j].max()]
        axis.plot(ends, ends, color=COLORS["truth"], linewidth=1, linestyle="--")
        correlation = np.corrcoef(theta[:, j], middle)[0, 1]
        axis.set_title(f"{label},  r = {correlation:.3f}")
        axis.set_xlabel("truth")
    return _finish_grid(figure, axes, case, "posterior median, 95 %")


def _grid(case, **options):
    """A figure with a panel for each parameter."""
    columns = _columns(case)
    rows = -(-len(case.parameters) // columns)
    return plt.subplots(rows, columns, figsize=_grid_size(case), squeeze=False, **options)


def _finish_grid(figure, axes, case, ylabel):
    """Label the left edge and hide what no parameter fills."""
    for axis in axes[:, 0]:
        axis.set_ylabel(ylabel)
    for axis in axes.flat[len(case.parameters) :]:
        axis.set_visible(False)
    figure.tight_layout()
    return figure


def _grid_size(case):
    columns = _columns(case)
    return (3.1 * columns, 2.9 * -(-len(case.parameters) // columns))


def reliability(case, excess):
    """Predicted probability of each state against observed frequency, per head; ``excess``: metrics["excess_ce"]."""
    figure, axes = plt.subplots(1, len(excess), figsize=(2.9 * len(excess), 3.1), sharey=True, squeeze=False)
    for axis, (head, entry) in zip(axes[0], excess.items()):
        axis.plot([0, 1], [0, 1], color=COLORS["truth"], linewidth=1, linestyle="--")
        curves = zip(case.states, STATE_COLORS, entry["predicted"], entry["observed"])
        for state, color, predicted, observed in curves:
            axis.plot(predicted, observed, ".-", color=color, linewidth=1, label=state)
        axis.set_title(f"{head.replace('_', ' ')}\nECE {entry['ece']:.4f}", fontsize=10)
        axis.set_xlabel("predicted probability")
        axis.set_aspect("equal")
    axes[0, 0].set_ylabel("observed frequency")
    axes[0, 0].legend(loc="upper left", fontsize=8)
    figure.tight_layout()
    return figure


def z_score_contraction(case, recovery):
    """Posterior z-score against contraction."""
    return bayesflow_plots.z_score_contraction(
        recovery["draws"].values,
        recovery["theta"].values,
        variable_names=[p.label for p in case.parameters],
        color=COLORS["ABI"],
        num_col=_columns(case),
        figsize=_grid_size(case),
        **FONTS,
    )


def gap_by_region(case, recovery, bins=6):
    """Amortization gap against the true value of each parameter: means in bins of equally many data sets, +- 2 SE."""
    gap = recovery["gap"].values
    known = np.isfinite(gap)
    theta, gap = recovery["theta"].values[known], gap[known]
    figure, axes = _grid(case, sharey=True)
    for j, (axis, label) in enumerate(zip(axes.flat, labels(case))):
        parts = np.array_split(np.argsort(theta[:, j]), bins)
        middle = [np.median(theta[p, j]) for p in parts]
        mean = [gap[p].mean() for p in parts]
        error = [2 * gap[p].std(ddof=1) / np.sqrt(len(p)) for p in parts]
        axis.axhline(0, color=COLORS["truth"], linewidth=1, linestyle="--")
        axis.errorbar(middle, mean, error, fmt="o-", color=COLORS["ABI"], markersize=4, linewidth=1, capsize=2)
        axis.set_xlabel(label)
        axis.locator_params(axis="x", nbins=5)
    return _finish_grid(figure, axes, case, "amortization gap (nats)")


def joint_posterior(case, samples, truth=None, limit=1200):
    """Pairs of parameters with marginals on the diagonal (figures 6, 10, 14 to 16).

    Parameters
    ----------
    samples : dict
        ``ABI``, ``MCMC``, ``PSIS``, ``prior`` -> draws (S, D), drawn in the order given.
    truth : (D,), optional
    """
    d = len(case.parameters)
    figure, axes = plt.subplots(d, d, figsize=(1.75 * d, 1.75 * d))
    inside = [v for k, v in samples.items() if k != "prior"]
    low = np.min([np.quantile(v, 0.005, axis=0) for v in inside], axis=0)
    high = np.max([np.quantile(v, 0.995, axis=0) for v in inside], axis=0)
    margin = 0.08 * (high - low)
    for i in range(d):
        for j in range(d):
            axis = axes[i, j]
            if j > i:
                axis.set_visible(False)
                continue
            axis.set_xlim(low[j] - margin[j], high[j] + margin[j])
            for name, draws in samples.items():
                if i == j:
                    sns.kdeplot(x=draws[:, j], ax=axis, color=COLORS[name], label=name, clip=axis.get_xlim())
                elif name != "prior":
                    axis.plot(*draws[:limit, [j, i]].T, ".", markersize=1.2, alpha=0.35, color=COLORS[name])
            if truth is not None:
                dashes = {"color": COLORS["truth"], "linewidth": 0.8, "linestyle": "--"}
                axis.axvline(truth[j], label="truth" if i == j else None, **dashes)
                if i != j:
                    axis.axhline(truth[i], **dashes)
            if i != j:
                axis.set_ylim(low[i] - margin[i], high[i] + margin[i])
            axis.set_ylabel(case.parameters[i].label if j == 0 and i > 0 else "")
            axis.set_xlabel(case.parameters[j].label if i == d - 1 else "")
            axis.tick_params(labelleft=j == 0 and i > 0, labelbottom=i == d - 1, labelsize=7)
            axis.locator_params(nbins=3, prune="both")
            if i == j:
                axis.set_yticks([])
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper right", bbox_to_anchor=(0.9, 0.9), fontsize=12)
    figure.align_ylabels()
    return figure


def classification(case, fits, unit_means, truth=None):
    """Class probabilities along the unit means with 95 % bands (figure 7). ``fits``: name -> tree."""
    figure, axes = plt.subplots(len(fits) + 1, 1, figsize=(7, 2.2 * (len(fits) + 1)), sharex=True)
    order = np.argsort(unit_means)
    bins = np.linspace(unit_means.min(), unit_means.max(), 31)
    axes[0].hist(unit_means, bins=bins, color="#cccccc")
    axes[0].set_ylabel("units")
    if truth is not None:
        for k, color in enumerate(STATE_COLORS[: len(case.states)]):
            chosen = unit_means[truth == k]
            axes[0].plot(chosen, np.full(chosen.shape, -0.6 - 0.6 * k), "|", color=color, markersize=6)
    for axis, (name, tree) in zip(axes[1:], fits.items()):
        p = tree["latent_probabilities"]["classification"]
        for k, state in enumerate(case.states):
            lines = [p.sel(statistic=s).values[order, k] for s in ("q025", "median", "q975")]
            axis.fill_between(unit_means[order], lines[0], lines[2], color=STATE_COLORS[k], alpha=0.35, linewidth=0)
            axis.plot(unit_means[order], lines[1], color=STATE_COLORS[k], label=state)
        axis.set_ylabel(f"{name}: probability")
    axes[1].legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 0.98))
    axes[-1].set_xlabel("mean of the unit's observations")
    figure.tight_layout()
    return figure


def states_over_time(case, fits, data, truth=None, heads=("filtering", "backward_filtering", "smoothing")):
    """Data and the probability of the second state at each unit, with 99 % bands (figures 11 and 17)."""
    figure, axes = plt.subplots(len(heads) + 1, 1, figsize=(10, 1.9 * (len(heads) + 1)), sharex=True)
    time = np.arange(1, data.y.shape[0] + 1)
    _series(axes[0], case, data, time, truth)
    for axis, head in zip(axes[1:], heads):
        for name, tree in fits.items():
            p = tree["latent_probabilities"][head][..., -1]
            low, middle, high = (p.sel(statistic=s).values for s in ("q005", "median", "q995"))
            axis.fill_between(time, low, high, color=COLORS[name], alpha=0.25, linewidth=0)
            style = "-" if name == "ABI" else "--"
            axis.plot(time, middle, style, color=COLORS[name], linewidth=1, label=name)
        axis.set_ylim(-0.03, 1.03)
        axis.set_ylabel(f"P({case.states[-1]})")
        axis.set_title(HEAD_TITLES[head], loc="left", fontsize=10)
    axes[1].legend(ncols=2, loc="upper right", bbox_to_anchor=(1, 1.3))
    axes[-1].set_xlabel("unit")
    figure.tight_layout()
    return figure


RULE_STYLES = {"exact": ("#0072B2", "-"), "printed": ("#E69F00", "-"), "shifted": ("#CC79A7", "-")}


def smoothing_rules(case, data, truth, exact):
    """Smoothing of one series by each rule from exact filters. ``exact``: head -> log probabilities (N, K)."""
    figure, axes = plt.subplots(3, 1, figsize=(10, 6.5), sharex=True)
    time = np.arange(1, data.y.shape[0] + 1)
    _series(axes[0], case, data, time, truth)
    smoother = np.exp(exact["smoothing"])[:, -1]
    for rule, (color, style) in RULE_STYLES.items():
        p = np.exp(smoothing(exact, rule))[:, -1]
        axes[1].plot(time, p, style, color=color, linewidth=1.2, label=rule)
        axes[2].plot(time, p - smoother, style, color=color, linewidth=1.2)
    axes[1].plot(time, smoother, ".", color=COLORS["truth"], markersize=3, label="exact smoother")
    axes[1].set_ylabel(f"P({case.states[-1]})")
    axes[1].legend(ncols=4, loc="lower right", bbox_to_anchor=(1, 1.0))
    axes[2].set_ylabel("error")
    axes[2].set_xlabel("unit")
    figure.tight_layout()
    return figure


def smoothing_participants(case, by_rule):
    """Smoothing of each participant by each rule; ``by_rule``: name -> {rule: (N,)} with ``exact smoother``."""
    figure, axes = plt.subplots(len(by_rule), 1, figsize=(10, 1.35 * len(by_rule) + 0.6), sharex=True, squeeze=False)
    for axis, (name, rules) in zip(axes[:, 0], by_rule.items()):
        for rule, (color, style) in RULE_STYLES.items():
            axis.plot(np.arange(1, len(rules[rule]) + 1), rules[rule], style, color=color, linewidth=0.9, label=rule)
        smoother = rules["exact smoother"]
        axis.plot(
            np.arange(1, len(smoother) + 1), smoother, ".", color=COLORS["truth"], markersize=2, label="exact smoother"
        )
        axis.set_ylim(-0.05, 1.05)
        axis.set_ylabel(name.rsplit("_", 1)[-1], rotation=0, ha="right", va="center")
    axes[0, 0].legend(ncols=4, loc="lower right", bbox_to_anchor=(1, 1.0))
    axes[-1, 0].set_xlabel("trial")
    figure.supylabel(f"P({case.states[-1]})", fontsize=10)
    figure.tight_layout()
    return figure


def _series(axis, case, data, time, truth):
    seen = data.mask > 0
    unit = np.broadcast_to(time[:, None], data.mask.shape)[seen]
    value = data.y[..., 0][seen]
    if truth is None:
        axis.plot(unit, value, ".", color="#555555", markersize=3)
    else:
        for k, state in enumerate(case.states):
            chosen = np.broadcast_to(truth[:, None] == k, data.mask.shape)[seen]
            axis.plot(unit[chosen], value[chosen], ".", color=STATE_COLORS[k], markersize=4, label=f"true {state}")
        axis.legend(ncols=2, loc="upper right", bbox_to_anchor=(1, 1.25))
    axis.set_ylabel("response time (s)" if case.parameters[-1].name == "tau" else "y")


def response_times(case, observed, replicated, bins=24):
    """Posterior predictive check: response times by state and answer, one row per participant.

    Parameters
    ----------
    observed : dict
        Name -> (y (N, 1, 2), probability (N, K) of each state): a trial counts in every state by its probability.
    replicated : dict
        Name -> (y (S, N, 1, 2), z (S, N)) from `report.replicate`.
    """
    kinds = [(k, correct) for k in range(len(case.states)) for correct in (1, 0)]
    figure, axes = plt.subplots(len(observed), len(kinds), figsize=(12, 1.5 * len(observed) + 0.5), squeeze=False)
    for row, (name, (y, p)) in zip(axes, observed.items()):
        edges = np.linspace(0, np.quantile(y[..., 0], 0.99), bins + 1)
        for axis, (k, correct) in zip(row, kinds):
            counts = np.histogram(y[:, 0, 0], edges, weights=p[:, k] * (y[:, 0, 1] == correct))[0]
            _predicted_counts(
                axis, edges, [r[(s == k) & (r[:, 0, 1] == correct), 0, 0] for r, s in zip(*replicated[name])]
            )
            axis.plot((edges[1:] + edges[:-1]) / 2, counts, ".", color=COLORS["truth"], markersize=3)
        row[0].set_ylabel(name.rsplit("_", 1)[-1], rotation=0, ha="right", va="center")
    for axis, (k, correct) in zip(axes[0], kinds):
        axis.set_title(f"{case.states[k]}, {'correct' if correct else 'error'}", fontsize=10)
    for axis in axes[-1]:
        axis.set_xlabel("response time (s)")
    figure.tight_layout()
    return figure


def _predicted_counts(axis, edges, samples):
    """Median and 95 % band of the histograms of replicated samples."""
    low, middle, high = np.quantile([np.histogram(r, edges)[0] for r in samples], [0.025, 0.5, 0.975], axis=0)
    axis.stairs(high, edges, baseline=low, fill=True, color=COLORS["ABI"], alpha=0.25)
    axis.stairs(middle, edges, color=COLORS["ABI"], linewidth=1)
    axis.tick_params(labelsize=7)


def mmd_null(null, observed):
    """Null distribution of the MMD with the observed data sets on top. ``observed``: name -> statistic."""
    figure, axis = plt.subplots(figsize=(7, 3))
    axis.hist(null, bins=40, color="#cccccc", density=True)
    height = axis.get_ylim()[1]
    for k, (name, value) in enumerate(sorted(observed.items(), key=lambda item: item[1])):
        axis.axvline(value, color=COLORS["ABI"], linewidth=1)
        axis.text(value, height * (0.97 - 0.09 * (k % 5)), name.rsplit("_", 1)[-1], ha="left", fontsize=9)
    axis.axvline(np.quantile(null, 0.9), color=COLORS["truth"], linestyle="--", linewidth=1)
    axis.set_xlabel("MMD of one data set from the simulations (dashed: 10 % of simulations lie beyond)")
    axis.set_ylabel("density")
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


def _longest_paths(edges, rules):
    """Length of the longest path from any source to each rule."""
    depth = dict.fromkeys(rules, 0)
    for _ in rules:
        for a, b in edges:
            depth[b] = max(depth[b], depth[a] + 1)
    return depth


def _direct(edges, rules):
    """The edges that are not implied by a path of others."""
    reach = {r: {b for a, b in edges if a == r} for r in rules}
    for _ in rules:
        reach = {r: below.union(*(reach[b] for b in below)) for r, below in reach.items()}
    return sorted((a, b) for a, b in edges if not any(b in reach[c] for x, c in edges if x == a and c != b))


def rule_graph(edges):
    """The workflow's rules from left to right; ``edges``: (rule, rule) pairs without a cycle."""
    rules = sorted({rule for edge in edges for rule in edge})
    depth = _longest_paths(edges, rules)
    columns = [[r for r in rules if depth[r] == d] for d in range(max(depth.values()) + 1)]
    tallest = max(map(len, columns))
    figure, axis = plt.subplots(figsize=(1.7 * len(columns), 0.9 * tallest + 0.3))
    boxes = {}
    for x, column in enumerate(columns):
        for i, rule in enumerate(column):
            box = {"boxstyle": "round,pad=0.5", "facecolor": "#eaf3fa", "edgecolor": COLORS["ABI"]}
            y = (len(column) - 1) / 2 - i
            boxes[rule] = axis.text(x, y, rule.replace("_", " "), ha="center", va="center", fontsize=9, bbox=box)
    for a, b in _direct(edges, rules):
        ends = {"patchA": boxes[a].get_bbox_patch(), "patchB": boxes[b].get_bbox_patch()}
        arrow = {"arrowstyle": "-|>", "color": "#888888", "shrinkA": 2, "shrinkB": 2, **ends}
        axis.annotate("", boxes[b].get_position(), boxes[a].get_position(), arrowprops=arrow)
    axis.set_xlim(-0.6, len(columns) - 0.4)
    axis.set_ylim(-tallest / 2, tallest / 2)
    axis.axis("off")
    return figure


def learning_curve(history):
    """Loss on held-out simulations as training runs; ``history`` is a DataFrame of history.csv."""
    parts = [c.removeprefix("validation_") for c in history if c.startswith("validation_")]
    parts = [p for p in parts if p != "loss"]
    figure, axes = plt.subplots(1, len(parts), figsize=(2.7 * len(parts), 2.6))
    for axis, part in zip(axes, parts):
        axis.plot(history["step"], history[part], color="#bbbbbb", label="training")
        axis.plot(history["step"], history[f"validation_{part}"], color=COLORS["ABI"], label="held out")
        axis.set_title(part.replace("_", " "))
        axis.set_xlabel("step")
        low, high = history[f"validation_{part}"].quantile([0.0, 0.9])
        axis.set_ylim(low - 0.1 * (high - low + 1e-6), high + 0.3 * (high - low + 1e-6))
    axes[0].set_ylabel("nats")
    axes[0].legend()
    figure.tight_layout()
    return figure
