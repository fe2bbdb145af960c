"""One data set under many priors: what is known of every parameter, and of the states."""

import numpy as np

from amortmix.plots.style import COLORS, STATE_COLORS, columns, labels, plt

HOW = {"networks": (COLORS["ABI"], "o"), "weights": (COLORS["PSIS"], "s")}
#: Inches of a prior, of a panel without any, and of the width of a panel.
STEP, EDGE, WIDTH = 0.24, 1.0, 2.3


def sensitivity(found):
    """Mean and 95 % interval of each parameter under each prior, and below the state probabilities over units.

    Parameters
    ----------
    found : amortmix.inference.sensitivity.Sensitivity

    Returns
    -------
    Figure
    """
    table, model = found.table, found.model
    names = model.parameter_names
    width = columns(model)
    rows = -(-len(names) // width)
    height = EDGE + STEP * len(table)
    figure = plt.figure(figsize=(WIDTH * width + 1.5, height * rows + 2.2), layout="constrained")
    layout = figure.add_gridspec(rows + 1, width, height_ratios=[*[height] * rows, 2.2])
    place, first = np.arange(len(table)), None
    for j, (name, label) in enumerate(zip(names, labels(model))):
        axis = figure.add_subplot(layout[j // width, j % width], sharey=first)
        first = axis if first is None else first
        _intervals(axis, table, name, place)
        axis.set_xlabel(label)
        axis.set_yticks(place, list(table.index))
        axis.tick_params(labelsize=8, labelleft=j % width == 0)
    first.set_ylim(len(table) - 0.5, -0.5)
    _states(figure.add_subplot(layout[rows, :]), found)
    handles, words = first.get_legend_handles_labels()
    figure.legend(handles, words, ncols=3, loc="outside upper center")
    return figure


def _intervals(axis, table, name, place):
    for how, (color, marker) in HOW.items():
        for fine in (True, False):
            chosen = ((table["how"] == how) & (table["reliable"] == fine)).to_numpy()
            if not chosen.any():
                continue
            shade = color if fine else COLORS["MCMC"]
            low, mean, high = (table[f"{name} {what}"].to_numpy()[chosen] for what in ("2.5%", "mean", "97.5%"))
            axis.hlines(place[chosen], low, high, color=shade, linewidth=1.2)
            label = f"{how}{'' if fine else ', not to be used'}"
            axis.plot(mean, place[chosen], marker if fine else "x", color=shade, markersize=4, label=label)


def _states(axis, found):
    """The range of the probability of each state but the first over all priors that can be used."""
    usable = found.states[found.table["reliable"].to_numpy()]
    if not len(usable):
        axis.set_visible(False)
        return
    unit = np.arange(usable.shape[1]) + 1
    for k, state in enumerate(found.model.state_labels[1:], 1):
        low, high = usable[..., k].min(0), usable[..., k].max(0)
        axis.vlines(unit, low, high, color=STATE_COLORS[k], linewidth=1.5)
        axis.plot(unit, usable[..., k].mean(0), "o", markersize=2, color=STATE_COLORS[k], label=f"P({state})")
    axis.set_xlim(1, max(len(unit), 2))
    axis.set_ylim(-0.02, 1.02)
    axis.set_xlabel("unit; a line reaches from the smallest to the largest probability under any of the priors")
    axis.legend(loc="upper right", bbox_to_anchor=(1.0, 1.25), ncols=4, markerscale=2)
