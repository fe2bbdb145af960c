"""How good networks are on simulations they have not seen, and how they got there."""

import matplotlib.pyplot as plt
import numpy as np

from amortmix.plots.style import COLORS, FONTS, STATE_COLORS, columns, finish_grid, grid, grid_size, labels, warn


def calibration(model, recovery, seed=1):
    """SBC: ECDF difference of the ranks with simultaneous 95 % bands (figures 4, 8, 12)."""
    from bayesflow.diagnostics import plots as bayesflow_plots

    np.random.seed(seed)  # the bands are simulated from NumPy's global generator
    names = [p.label for p in model.parameters]
    figure = bayesflow_plots.calibration_ecdf(
        recovery["draws"].values,
        recovery["theta"].values,
        variable_names=names,
        difference=True,
        rank_ecdf_color=COLORS["ABI"],
        num_col=columns(model),
        figsize=grid_size(model),
        **FONTS,
    )
    # one legend above the panels: inside the first it covers the curve
    legend = figure.axes[0].get_legend()
    figure.legend(*figure.axes[0].get_legend_handles_labels(), ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    legend.remove()
    return figure


#: Draws that are not finite are shown so many ranges of the truths away from them.
FAR = 10


def _cut_off(theta, draws):
    """Truths (M, D), draws (M, S, D) without any that is not finite, and words that say whether there were some."""
    overflown = int((~np.isfinite(draws).all((1, 2))).sum())
    words = f"draws of {overflown} of {len(draws)} data sets are not finite, and cut off here" if overflown else ""
    # in double precision, for the squares of large draws
    theta, draws = theta.astype(float), draws.astype(float)
    low, high = theta.min(0), theta.max(0)
    far = FAR * (high - low)
    known = np.nan_to_num(draws, nan=np.inf, posinf=np.inf, neginf=-np.inf)
    return theta, np.where(np.isfinite(draws), draws, np.clip(known, low - far, high + far)), words


def recovery(model, recovery, keep=None, limit=500):
    """Truth against posterior median with 95 % intervals (figures 5, 9, 13); at most ``limit`` data sets."""
    theta, draws = recovery["theta"].values, recovery["draws"].values
    if keep is not None:
        theta, draws = theta[keep], draws[keep]
    theta, draws, words = _cut_off(theta[:limit], draws[:limit])
    figure, axes = grid(model)
    for j, (axis, label) in enumerate(zip(axes.flat, labels(model))):
        low, middle, high = np.quantile(draws[..., j], [0.025, 0.5, 0.975], axis=1)
        axis.vlines(theta[:, j], low, high, color=COLORS["ABI"], alpha=0.15, linewidth=0.8)
        axis.plot(theta[:, j], middle, ".", color=COLORS["ABI"], markersize=3)
        ends = [theta[:, j].min(), theta[:, j].max()]
        axis.plot(ends, ends, color=COLORS["truth"], linewidth=1, linestyle="--")
        # one interval with a far tail must not flatten all others: it is cut at the edge of the panel
        lowest, highest = min(ends[0], middle.min()), max(ends[1], middle.max())
        margin = 0.3 * (highest - lowest)
        axis.set_ylim(max(low.min(), lowest - margin) - 0.1 * margin, min(high.max(), highest + margin) + 0.1 * margin)
        correlation = np.corrcoef(theta[:, j], middle)[0, 1]
        axis.set_title(f"{label},  r = {correlation:.3f}")
        axis.set_xlabel("truth")
    return warn(finish_grid(figure, axes, model, "posterior median, 95 %"), words)


def reliability(model, excess):
    """Predicted probability of each state against observed frequency, per head; ``excess``: metrics["excess_ce"]."""
    figure, axes = plt.subplots(1, len(excess), figsize=(2.9 * len(excess), 3.1), sharey=True, squeeze=False)
    for axis, (head, entry) in zip(axes[0], excess.items()):
        axis.plot([0, 1], [0, 1], color=COLORS["truth"], linewidth=1, linestyle="--")
        curves = zip(model.states, STATE_COLORS, entry["predicted"], entry["observed"])
        for state, color, predicted, observed in curves:
            axis.plot(predicted, observed, ".-", color=color, linewidth=1, label=state)
        axis.set_title(f"{head.replace('_', ' ')}\nECE {entry['ece']:.4f}", fontsize=10)
        axis.set_xlabel("predicted probability")
        axis.set_aspect("equal")
    axes[0, 0].set_ylabel("observed frequency")
    axes[0, 0].legend(loc="upper left", fontsize=8)
    figure.tight_layout()
    return figure


def z_score_contraction(model, recovery):
    """Posterior z-score against contraction."""
    from bayesflow.diagnostics import plots as bayesflow_plots

    theta, draws, words = _cut_off(recovery["theta"].values, recovery["draws"].values)
    figure = bayesflow_plots.z_score_contraction(
        draws,
        theta,
        variable_names=[p.label for p in model.parameters],
        color=COLORS["ABI"],
        num_col=columns(model),
        figsize=grid_size(model),
        **FONTS,
    )
    return warn(figure, words)


def gap_by_region(model, recovery, bins=6):
    """Amortization gap against the true value of each parameter: means in bins of equally many data sets, +- 2 SE."""
    gap = recovery["gap"].values
    known = np.isfinite(gap)
    theta, gap = recovery["theta"].values[known], gap[known]
    figure, axes = grid(model, sharey=True)
    for j, (axis, label) in enumerate(zip(axes.flat, labels(model))):
        parts = np.array_split(np.argsort(theta[:, j]), bins)
        middle = [np.median(theta[p, j]) for p in parts]
        mean = [gap[p].mean() for p in parts]
        error = [2 * gap[p].std(ddof=1) / np.sqrt(len(p)) for p in parts]
        axis.axhline(0, color=COLORS["truth"], linewidth=1, linestyle="--")
        axis.errorbar(middle, mean, error, fmt="o-", color=COLORS["ABI"], markersize=4, linewidth=1, capsize=2)
        axis.set_xlabel(label)
        axis.locator_params(axis="x", nbins=5)
    return finish_grid(figure, axes, model, "amortization gap (nats)")


def learning_curve(history):
    """Loss on held-out simulations as training runs; ``history`` is a DataFrame of history.csv."""
    parts = [c.removeprefix("validation_") for c in history if c.startswith("validation_")]
    parts = [p for p in parts if p != "loss"]
    rows = -(-len(parts) // 3)
    figure, axes = plt.subplots(rows, 3, figsize=(9.5, 2.7 * rows), squeeze=False)
    for axis, part in zip(axes.flat, parts):
        axis.plot(history["step"], history[part], color="#bbbbbb", label="training")
        axis.plot(history["step"], history[f"validation_{part}"], color=COLORS["ABI"], label="held out")
        axis.set_title("MMD of the summaries" if part == "mmd" else part.replace("_", " "))
        axis.set_ylabel("MMD" if part == "mmd" else "loss (nats)")
        axis.set_xlabel("step")
        # what leaves the panel is a mean pulled up by a data set far in the tails
        low, high = np.quantile(history[[part, f"validation_{part}"]], [0.0, 0.85])
        axis.set_ylim(low - 0.1 * (high - low + 1e-6), high + 0.3 * (high - low + 1e-6))
    for axis in axes.flat[len(parts) :]:
        axis.set_visible(False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    figure.tight_layout()
    return figure
