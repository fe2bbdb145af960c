"""What is known about one data set: parameters, and the class or state of every unit."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from amortmix.model.columns import Choice, NonNegativeInteger
from amortmix.plots.style import COLORS, HEAD_TITLES, STATE_COLORS

#: Parameters that one figure of pairs shows; the first ones.
MOST_PARAMETERS = 10


def joint_posterior(model, samples, truth=None, limit=1200):
    """Pairs of parameters with marginals on the diagonal (figures 6, 10, 14 to 16).

    Parameters
    ----------
    samples : dict
        ``ABI``, ``MCMC``, ``PSIS``, ``prior`` -> draws (S, D), drawn in the order given.
    truth : (D,), optional
    """
    # networks may send draws anywhere for data unlike all others
    samples = {k: v[np.isfinite(v).all(1)] for k, v in samples.items()}
    samples = {k: v for k, v in samples.items() if len(v) > 1}
    if not set(samples) - {"prior"}:
        return _words("no draw is finite")
    d = min(len(model.parameters), MOST_PARAMETERS)
    figure, axes = plt.subplots(d, d, figsize=(max(1.75 * d, 3.5), max(1.75 * d, 3.5)), squeeze=False)
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
            axis.set_ylabel(model.parameters[i].label if j == 0 and i > 0 else "")
            axis.set_xlabel(model.parameters[j].label if i == d - 1 else "")
            axis.tick_params(labelleft=j == 0 and i > 0, labelbottom=i == d - 1, labelsize=7)
            axis.locator_params(nbins=3, prune="both")
            if i == j:
                axis.set_yticks([])
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper right", bbox_to_anchor=(0.9, 0.9), fontsize=12)
    figure.align_ylabels()
    return figure


def _words(text):
    """A figure that says why there is nothing to be drawn."""
    figure, axis = plt.subplots(figsize=(3.5, 1.5))
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def classification(model, fits, unit_means, truth=None):
    """Class probabilities along the unit means with 95 % bands (figure 7). ``fits``: name -> tree."""
    figure, axes = plt.subplots(len(fits) + 1, 1, figsize=(7, 2.2 * (len(fits) + 1)), sharex=True)
    order = np.argsort(unit_means)
    bins = np.linspace(unit_means.min(), unit_means.max(), 31)
    axes[0].hist(unit_means, bins=bins, color="#cccccc")
    axes[0].set_ylabel("units")
    if truth is not None:
        for k, color in enumerate(STATE_COLORS[: len(model.state_labels)]):
            chosen = unit_means[truth == k]
            axes[0].plot(chosen, np.full(chosen.shape, -0.6 - 0.6 * k), "|", color=color, markersize=6)
    for axis, (name, tree) in zip(axes[1:], fits.items()):
        p = tree["latent_probabilities"]["classification"]
        for k, state in enumerate(model.state_labels):
            lines = [p.sel(statistic=s).values[order, k] for s in ("q025", "median", "q975")]
            axis.fill_between(unit_means[order], lines[0], lines[2], color=STATE_COLORS[k], alpha=0.35, linewidth=0)
            axis.plot(unit_means[order], lines[1], color=STATE_COLORS[k], label=state)
        axis.set_ylabel(f"{name}: probability")
    axes[1].legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 0.98))
    axes[-1].set_xlabel("mean of the unit's observations")
    figure.tight_layout()
    return figure


def states_over_time(model, fits, data, truth=None, heads=("filtering", "backward_filtering", "smoothing")):
    """Data and the probabilities of the states at each unit, with 99 % bands (figures 11 and 17).

    Units that were not observed are grey, and dashed lines stand where a sequence begins anew.
    """
    figure, axes = plt.subplots(len(heads) + 1, 1, figsize=(10, 1.9 * (len(heads) + 1)), sharex=True)
    time = np.arange(1, data.y.shape[0] + 1)
    series(axes[0], model, data, time, truth)
    for axis, head in zip(axes[1:], heads):
        for name, tree in fits.items():
            _state_bands(axis, model, name, tree["latent_probabilities"][head], time)
        axis.set_ylim(-0.03, 1.03)
        axis.set_ylabel("probability" if len(model.state_labels) > 2 else f"P({model.state_labels[-1]})")
        axis.set_title(HEAD_TITLES[head], loc="left", fontsize=10)
    for axis in axes:
        places(axis, data)
    axes[-1].set_xlabel("unit")
    figure.tight_layout()
    handles = axes[1].get_legend_handles_labels()
    if len(model.state_labels) == 2:
        axes[1].legend(*handles, ncols=2, loc="upper right", bbox_to_anchor=(1, 1.3))
    else:
        figure.legend(*handles, ncols=len(model.state_labels), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def places(axis, data):
    """Grey where units were not observed, a dashed line before each sequence but the first."""
    number = np.arange(1, len(data.y) + 1)
    lost = (np.asarray(data.exists) > 0) & (np.asarray(data.observed) == 0)
    axis.fill_between(
        np.repeat(number, 2) + np.tile([-0.5, 0.5], len(number)),
        *(0, 1),
        where=np.repeat(lost, 2),
        transform=axis.get_xaxis_transform(),
        color="#dddddd",
        linewidth=0,
        zorder=0,
    )
    if data.starts is not None:
        for first in number[(np.asarray(data.starts) > 0) & (number > 1)]:
            axis.axvline(first - 0.5, color="#555555", linewidth=0.8, linestyle="--", zorder=1)


def _state_bands(axis, model, name, p, time):
    """Median and 99 % band: of the last of two states in the colour of the method, else of all in their own."""
    shown = [len(model.state_labels) - 1] if len(model.state_labels) == 2 else range(len(model.state_labels))
    for k in shown:
        color = COLORS[name] if len(shown) == 1 else STATE_COLORS[k % len(STATE_COLORS)]
        low, middle, high = (p[..., k].sel(statistic=s).values for s in ("q005", "median", "q995"))
        if name == "ABI" or len(shown) == 1:  # the bands of two methods and many states would hide each other
            axis.fill_between(time, low, high, color=color, alpha=0.25, linewidth=0)
        label = name if len(shown) == 1 else f"{model.state_labels[k]}, {name}"
        axis.plot(time, middle, "-" if name != "MCMC" else "--", color=color, linewidth=1, label=label)


def series(axis, model, data, time, truth):
    """The first component of a series of units, in the colours of the true states where they are known."""
    seen = np.asarray(data.seen)[..., 0] > 0
    unit = np.broadcast_to(time[:, None], data.mask.shape)[seen]
    value = data.y[..., 0][seen]
    if truth is None:
        axis.plot(unit, value, ".", color="#555555", markersize=3)
    else:
        for k, state in enumerate(model.state_labels):
            chosen = np.broadcast_to(truth[:, None] == k, data.mask.shape)[seen]
            axis.plot(unit[chosen], value[chosen], ".", color=STATE_COLORS[k], markersize=4, label=f"true {state}")
        axis.legend(ncols=2, loc="upper right", bbox_to_anchor=(1, 1.25))
    column = next(iter(model.columns))
    axis.set_ylabel("response time (s)" if column == "rt" else column)


def predictive(model, data, replicated, bins=30):
    """Posterior predictive check: the histogram of each column among those of replicated data sets.

    Parameters
    ----------
    data : Data
    replicated : (R, N, P, D)
    """
    columns = list(model.columns)
    figure, axes = plt.subplots(1, len(columns), figsize=(4.5 * len(columns), 3.2), squeeze=False)
    for j, (axis, column) in enumerate(zip(axes[0], columns)):
        seen = np.asarray(data.seen)[..., j] > 0
        observed, samples = np.asarray(data.y)[seen, j], [r[seen, j] for r in replicated]
        both = np.concatenate([observed, samples[0]])  # draws that overflowed replicate nothing that could be shown
        low, high = np.quantile(both[np.isfinite(both)], [0.0, 0.995])
        edges = _edges(model.columns[column], low, high, bins)
        predicted_counts(axis, edges, samples)
        counts = np.histogram(observed, edges)[0]
        axis.plot((edges[1:] + edges[:-1]) / 2, counts, ".", color=COLORS["truth"], markersize=4, label="observed")
        axis.set_xlabel(column)
    axes[0, 0].set_ylabel("observations")
    figure.tight_layout()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _edges(kind, low, high, bins):
    """Bins of a histogram; whole numbers in the middle of theirs where the column has no others."""
    if isinstance(kind, (NonNegativeInteger, Choice)):
        step = max(1, int(np.ceil((high - low + 1) / bins)))
        return np.arange(np.floor(low), high + step + 1, step) - 0.5
    return np.linspace(low, high + 1e-9, bins + 1)


def predicted_counts(axis, edges, samples):
    """Median and 95 % band of the histograms of replicated samples."""
    quantiles = np.quantile([np.histogram(r, edges)[0] for r in samples], [0.025, 0.5, 0.975], axis=0)
    predicted_counts_of(axis, edges, *quantiles)


def predicted_counts_of(axis, edges, low, middle, high):
    """The same, from the quantiles."""
    axis.stairs(high, edges, baseline=low, fill=True, color=COLORS["ABI"], alpha=0.25, label="predicted, 95 %")
    axis.stairs(middle, edges, color=COLORS["ABI"], linewidth=1, label="predicted, median")
    axis.tick_params(labelsize=7)
