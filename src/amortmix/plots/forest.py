"""Many data sets beside each other: what is known of every parameter, and whether to trust it."""

import numpy as np

from amortmix.plots.style import COLORS, columns, finish_grid, grid, labels, legend_above, warn

#: Verdict -> colour, marker: full ones may be used.
VERDICTS = {
    "ABI": (COLORS["ABI"], "o"),
    "PSIS": (COLORS["PSIS"], "s"),
    "MCMC": (COLORS["MCMC"], "x"),
    "UNRELIABLE": (COLORS["prior"], "x"),
}
#: From so many data sets on, names would hide each other.
MOST_NAMES = 60
#: Inches of a data set, and of a panel without any.
STEP, EDGE = 0.2, 1.1


def forest(model, summary):
    """Mean and 95 % interval of each parameter, a line for each data set, in the order of the table.

    Parameters
    ----------
    model : Model or Description
    summary : DataFrame
        See `amortmix.inference.many.Fits.summary`.

    Returns
    -------
    Figure
    """
    figure, axes = grid(model, sharey=True)
    place, verdicts = np.arange(len(summary)), summary["verdict"].to_numpy()
    rows = -(-len(model.parameters) // columns(model))
    figure.set_figheight(rows * (EDGE + STEP * min(max(len(summary), 5), MOST_NAMES)))
    for axis, name, label in zip(axes.flat, model.parameter_names, labels(model)):
        for verdict, (color, marker) in VERDICTS.items():
            chosen = verdicts == verdict
            low, middle, high = (summary[f"{name} {what}"].to_numpy()[chosen] for what in ("2.5%", "mean", "97.5%"))
            axis.hlines(place[chosen], low, high, color=color, linewidth=1)
            if chosen.any():
                axis.plot(middle, place[chosen], marker, color=color, markersize=4, label=verdict)
        axis.set_xlabel(label)
        axis.tick_params(labelsize=8)
    first = axes.flat[0]
    first.set_ylim(len(summary) - 0.5, -0.5)  # the first on top
    named = len(summary) <= MOST_NAMES
    first.set_yticks(place if named else [], [str(name)[:30] for name in summary.index] if named else [])
    finish_grid(figure, axes, model, "" if named else f"{len(summary)} data sets")
    legend_above(figure, first, columns=4)
    unusable = sum(verdict in ("MCMC", "UNRELIABLE") for verdict in verdicts)
    return warn(figure, f"{unusable} of {len(summary)} are not to be used" if unusable else "")
