"""How good networks are on simulations they have not seen, and how they got there."""

import matplotlib.pyplot as plt
import numpy as np

from amortmix.plots.style import COLORS, FONTS, STATE_COLORS, columns, finish_grid, grid, grid_size, labels, warn


def calibration(model, recovery, seed=1):
    """SBC: ECDF difference of the ranks with simultaneous 95 % bands (figures 4, 8, 12).

    Parameters
    ----------
    model : Model
    recovery : xarray.Dataset
        See `amortmix.diagnostics.simulated.statistics`; for all figures that take it.
    seed : int
        Of the bands.
    """
    names = [p.label for p in model.parameters]
    ranks, draws = recovery["rank"].values, recovery.attrs["draws"]
    return rank_ecdf(ranks, draws, names, seed, num_col=columns(model), figsize=grid_size(model))


def rank_ecdf(ranks, draws, names, seed=1, **layout):
    """ECDF differences of ranks (M, D) among so many draws, with simultaneous 95 % bands; ``layout`` is BayesFlow's."""
    from bayesflow.diagnostics import plots as bayesflow_plots

    np.random.seed(seed)  # the bands are simulated from NumPy's global generator
    theta, draws = ranked(ranks, draws)
    figure = bayesflow_plots.calibration_ecdf(
        draws, theta, variable_names=names, difference=True, rank_ecdf_color=COLORS["ABI"], **layout, **FONTS
    )
    # one legend above the panels: inside the first it covers the curve
    legend = figure.axes[0].get_legend()
    figure.legend(*figure.axes[0].get_legend_handles_labels(), ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    legend.remove()
    return figure


def ranked(ranks, draws):
    """Truths (M, D) and draws (M, S, D) among which they have these ranks (M, D), for BayesFlow sees only ranks."""
    below = np.arange(draws)[:, None] < ranks[:, None]
    return np.zeros(ranks.shape), np.where(below, np.float32(-1), np.float32(1))


def pairs(mean, sd):
    """Draws (M, 2, D) with this mean and standard deviation (M, D; divisor S - 1), for BayesFlow sees no more."""
    return np.stack([mean - sd / np.sqrt(2), mean + sd / np.sqrt(2)], axis=1)


def _of(recovery, *names):
    """Statistics in double precision, for the squares of large ones."""
    return [recovery[name].values.astype(float) for name in names]


def _cut_off(recovery):
    """Words that say whether there are draws that are not finite."""
    overflown = int((recovery["not_finite"] > 0).sum())
    data_sets = recovery.sizes["dataset"]
    return f"draws of {overflown} of {data_sets} data sets are not finite, and cut off here" if overflown else ""


def recovery(model, recovery, keep=None, limit=500):
    """Truth against posterior median with 95 % intervals (figures 5, 9, 13); at most ``limit`` data sets."""
    if keep is not None:
        recovery = recovery.isel(dataset=np.flatnonzero(keep))
    recovery = recovery.isel(dataset=slice(limit))
    figure, axes = grid(model)
    of_each = zip(*(values.T for values in _of(recovery, "theta", "lower", "median", "upper")))
    for axis, label, (truth, low, middle, high) in zip(axes.flat, labels(model), of_each):
        axis.vlines(truth, low, high, color=COLORS["ABI"], alpha=0.15, linewidth=0.8)
        axis.plot(truth, middle, ".", color=COLORS["ABI"], markersize=3)
        ends = [truth.min(), truth.max()]
        axis.plot(ends, ends, color=COLORS["truth"], linewidth=1, linestyle="--")
        # one interval with a far tail must not flatten all others: it is cut at the edge of the panel
        lowest, highest = min(ends[0], middle.min()), max(ends[1], middle.max())
        margin = 0.3 * (highest - lowest)
        axis.set_ylim(max(low.min(), lowest - margin) - 0.1 * margin, min(high.max(), highest + margin) + 0.1 * margin)
        correlation = np.corrcoef(truth, middle)[0, 1]
        axis.set_title(f"{label},  r = {correlation:.3f}")
        axis.set_xlabel("truth")
    return warn(finish_grid(figure, axes, model, "posterior median, 95 %"), _cut_off(recovery))


def reliability(model, excess):
    """Predicted probability of each state against observed frequency, per head; ``excess``: metrics["excess_ce"]."""
    figure, axes = plt.subplots(1, len(excess), figsize=(2.9 * len(excess), 3.1), sharey=True, squeeze=False)
    for axis, (head, entry) in zip(axes[0], excess.items()):
        axis.plot([0, 1], [0, 1], color=COLORS["truth"], linewidth=1, linestyle="--")
        curves = zip(model.state_labels, STATE_COLORS, entry["predicted"], entry["observed"])
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

    theta, mean, sd = _of(recovery, "theta", "mean", "sd")
    figure = bayesflow_plots.z_score_contraction(
        pairs(mean, sd),
        theta,
        variable_names=[p.label for p in model.parameters],
        color=COLORS["ABI"],
        num_col=columns(model),
        figsize=grid_size(model),
        **FONTS,
    )
    return warn(figure, _cut_off(recovery))


def gap_by_region(model, recovery, bins=6):
    """Amortization gap against the true value of each parameter: means in bins of equally many data sets, +- 2 SE."""
    theta, gap = _of(recovery, "theta", "gap")
    known = np.isfinite(gap)
    theta, gap = theta[known], gap[known]
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
