"""Figures of the spatial example: what summaries learn, posteriors of three fields, and estimates against the truth."""

import matplotlib.pyplot as plt
import numpy as np

from amortmix.plots.style import COLORS
from amortmix_paper.spatial import METHODS
from amortmix_paper.spatial.field import UPPER, knots
from amortmix_paper.spatial.tables import densities, points

STYLES = {
    "exact": (COLORS["truth"], "-"),
    "neural_bayes": ("#E69F00", "-"),
    "forward_kl": ("#0072B2", "-"),
    "reverse_kl_exact": ("#009E73", "-"),
    "reverse_kl_synthetic": ("#009E73", ":"),
    "synthetic": ("#CC79A7", "-"),
    "ratio": ("#56B4E9", "-"),
}


def binding(theta, synthetic):
    """The summary of each field of the test, and mean and two standard deviations of what is bound to theta.

    Parameters
    ----------
    theta : (n,)
    synthetic : dict of arrays
        ``summary`` (n,), ``binding_mean`` and ``binding_sd`` (128,).
    """
    figure, axis = plt.subplots(figsize=(6.5, 3.4))
    mean, sd = synthetic["binding_mean"], synthetic["binding_sd"]
    axis.plot(theta, synthetic["summary"], ".", color=COLORS["prior"], markersize=3, label="fields of the test")
    axis.plot(knots(), mean, color=STYLES["synthetic"][0], label="mean, given theta")
    band = {"color": STYLES["synthetic"][0], "alpha": 0.3, "linewidth": 0, "label": "two standard deviations"}
    axis.fill_between(knots(), mean - 2 * sd, mean + 2 * sd, **band)
    # hardly any field has the smallest parameters: what is bound to them is left to chance
    low, high = synthetic["summary"].min(), synthetic["summary"].max()
    axis.set(xlabel=r"$\theta$", ylabel="learned summary", ylim=(1.1 * low - 0.1 * high, 1.1 * high - 0.1 * low))
    axis.legend()
    figure.tight_layout()
    return figure


def posteriors(fields, theta, draws, answers):
    """Three fields, and below each what every method says about its parameter.

    Parameters
    ----------
    fields : (3, 16, 16, 1)
    theta : (3,)
    draws : (3, s)
        By MCMC.
    answers : dict
        Method -> its arrays; with ``shown`` (3, 128), a table, there is a density, else ``shown_mean``, ``shown_lower``
        and ``shown_upper`` (3,).
    """
    figure, axes = plt.subplots(2, len(fields), figsize=(11, 5.6), height_ratios=(1, 1.35))
    curves = {m: densities(a["shown"]) for m, a in answers.items() if "shown" in a}
    for i, (image, axis) in enumerate(zip(axes[0], axes[1])):
        image.imshow(fields[i, ..., 0], cmap="viridis", vmin=-3, vmax=3)
        image.set_axis_off()
        image.set_title(rf"$\theta = {theta[i]:.2f}$", fontsize=10)
        axis.hist(draws[i], bins=60, density=True, color="#dddddd", label="MCMC")
        for method, curve in curves.items():
            color, line = STYLES[method]
            axis.plot(points(), curve[i], line, color=color, linewidth=1.3, label=METHODS[method])
        estimate, color = answers["neural_bayes"], STYLES["neural_bayes"][0]
        height = -0.06 * curves["exact"][i].max()
        ends = estimate["shown_lower"][i], estimate["shown_upper"][i]
        axis.hlines(height, *ends, color=color, linewidth=1.5)
        axis.plot(estimate["shown_mean"][i], height, "o", color=color, markersize=4, label=METHODS["neural_bayes"])
        axis.axvline(theta[i], color=COLORS["truth"], linewidth=0.8, linestyle="--")
        inside = curves["exact"][i] > 0.002 * curves["exact"][i].max()
        axis.set_xlim(0.9 * points()[inside][0], min(UPPER, 1.1 * points()[inside][-1]))
        axis.set_xlabel(r"$\theta$")
        axis.set_yticks([])
    figure.tight_layout()
    figure.legend(*axes[1, 0].get_legend_handles_labels(), ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def estimates(theta, answers):
    """Posterior mean of every field of the test against the truth; ``answers``: method -> arrays with ``mean`` (n,)."""
    figure, axes = plt.subplots(2, 4, figsize=(11, 5.6), sharex=True, sharey=True)
    for axis, (method, found) in zip(axes.flat, answers.items()):
        axis.plot(theta, found["mean"], ".", color=STYLES[method][0], markersize=2.5)
        axis.axline((0, 0), slope=1, color=COLORS["truth"], linewidth=0.8)
        axis.set_title(METHODS[method], fontsize=9)
        axis.set(xlim=(0, UPPER), ylim=(0, UPPER), aspect="equal")
    for axis, above in zip(axes.flat[len(answers) :], axes.flat[len(answers) - 4 :]):
        axis.set_visible(False)
        above.tick_params(labelbottom=True)
    figure.supxlabel(r"true $\theta$", fontsize=10)
    figure.supylabel(r"estimate", fontsize=10)
    figure.tight_layout()
    return figure


def errors(theta, answers, parts=6):
    """Root mean squared error of each method in equal parts of the range of theta."""
    figure, axis = plt.subplots(figsize=(6.5, 3.4))
    edges = np.linspace(0, UPPER, parts + 1)
    place = np.clip(np.digitize(theta, edges) - 1, 0, parts - 1)
    for method, found in answers.items():
        squared = (found["mean"] - theta) ** 2
        color, line = STYLES[method]
        values = [np.sqrt(squared[place == p].mean()) for p in range(parts)]
        axis.plot(
            (edges[1:] + edges[:-1]) / 2, values, line, marker="o", markersize=3, color=color, label=METHODS[method]
        )
    axis.set(xlabel=r"true $\theta$", ylabel="RMSPE", ylim=(0, None))
    axis.legend(fontsize=8)
    figure.tight_layout()
    return figure
