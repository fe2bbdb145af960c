"""What ABI costs beside MCMC."""

import matplotlib.pyplot as plt
import numpy as np

from amortmix.plots.style import COLORS


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
