"""What all figures share: colours, fonts, panels for parameters, and how a figure is written.

Colours are from Okabe and Ito's palette, which readers with any colour vision can tell apart.
"""

from pathlib import Path

import matplotlib.pyplot as plt

COLORS = {"ABI": "#0072B2", "MCMC": "#D55E00", "PSIS": "#009E73", "prior": "#999999", "truth": "#000000"}
#: MCMC by its engine, where both are shown.
COLORS |= {"Stan": COLORS["MCMC"], "NUTS": "#CC79A7"}
STATE_COLORS = ("#56B4E9", "#E69F00", "#CC79A7", "#009E73", "#F0E442", "#0072B2")
#: Inches of a legend above all panels.
LEGEND = 0.4
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


def labels(model):
    """LaTeX labels of the parameters, with units."""
    return [p.label + (f" ({p.unit})" if p.unit else "") for p in model.parameters]


def columns(model):
    return min(len(model.parameters), 3 if len(model.parameters) in (5, 6, 9) else 4)


def grid(model, **options):
    """A figure with a panel for each parameter."""
    width = columns(model)
    rows = -(-len(model.parameters) // width)
    return plt.subplots(rows, width, figsize=grid_size(model), squeeze=False, **options)


def finish_grid(figure, axes, model, ylabel):
    """Label the left edge and hide what no parameter fills."""
    for axis in axes[:, 0]:
        axis.set_ylabel(ylabel)
    for axis in axes.flat[len(model.parameters) :]:
        axis.set_visible(False)
    figure.tight_layout()
    return figure


def legend_above(figure, axis, columns):
    """The legend of one panel above all of them, inside the figure however it is written."""
    figure.subplots_adjust(top=1 - LEGEND / figure.get_figheight())
    figure.legend(*axis.get_legend_handles_labels(), ncols=columns, loc="upper center")


def grid_size(model):
    width = columns(model)
    return (3.1 * width, 2.9 * -(-len(model.parameters) // width))


def warn(figure, words):
    """Words, if there are any, above a figure that must not be read without them; the figure."""
    if words:
        figure.suptitle(words, color="#a33f00", y=1.08)
    return figure
