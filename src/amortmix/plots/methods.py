"""What ABI costs beside methods that begin anew with each data set."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedFormatter, FixedLocator

from amortmix.diagnostics.cost import break_even
from amortmix.plots.style import COLORS

#: Dashes tell methods apart in print: on logarithmic axes all but one have the same slope.
STYLES = {"ABI": "-", "Stan": "--", "NUTS": "-.", "MCMC": "--"}

#: Seconds that an axis of costs names.
TIMES = {"10 ms": 0.01, "1 s": 1, "1 min": 60, "1 h": 3600, "1 day": 86_400, "30 days": 30 * 86_400}


def cost(training, abi, others):
    """Time of a fit by each method, and of many fits, training included, with the break-even numbers.

    Parameters
    ----------
    training : float
        Seconds.
    abi : sequence of float
        Seconds of each fit.
    others : {str: sequence of float}
        The same of other methods: ``Stan``, ``NUTS`` or ``MCMC``.
    """
    figure, (single, many) = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(1, 2))
    methods = {"ABI": abi, **others}
    for x, (name, seconds) in enumerate(methods.items()):
        spread = x + np.linspace(-0.15, 0.15, len(seconds)) if len(seconds) > 1 else [x]
        single.plot(spread, seconds, ".", color=COLORS[name])
    single.set_xticks(range(len(methods)), list(methods))
    single.set_xlim(-0.5, len(methods) - 0.5)
    single.set_ylim(0, None)
    single.set_ylabel("one fit (s)")
    means = {name: np.mean(seconds) for name, seconds in others.items()}
    numbers = {name: break_even(training, np.mean(abi), mean) for name, mean in means.items()}
    largest = max((n for n in numbers.values() if np.isfinite(n)), default=10_000)
    cumulative(many, training, np.mean(abi), means, [1, 100 * max(largest, 1)])
    words = [f"{name} after {np.ceil(n):,.0f}" for name, n in numbers.items() if np.isfinite(n)]
    if words:
        many.set_title(f"equal with {', with '.join(words)} data sets", fontsize=10)
    many.set_xlabel("data sets")
    many.set_ylabel("all fits")
    many.legend()
    figure.tight_layout()
    return figure


def cumulative(axis, training, fit, others, ends):
    """Seconds of n data sets by networks, training included, and by other methods, with a point where they meet.

    Parameters
    ----------
    axis : matplotlib axis
        Gets logarithmic scales, with names of times along the second.
    training, fit : float
        Seconds.
    others : {str: float}
        Seconds of one fit.
    ends : (float, float)
        Of the numbers of data sets.
    """
    n = np.geomspace(*ends, 200)
    axis.plot(n, training + n * fit, STYLES["ABI"], color=COLORS["ABI"], label="ABI, training included")
    for name, seconds in others.items():
        axis.plot(n, n * seconds, STYLES[name], color=COLORS[name], label=name)
        number = break_even(training, fit, seconds)
        if ends[0] <= number <= ends[1]:
            axis.plot(number, number * seconds, "o", color=COLORS["truth"], markersize=4, zorder=3)
    axis.set(xscale="log", yscale="log")
    axis.xaxis.set_major_formatter("{x:,g}")
    # a locator, unlike ticks, leaves the limits to the lines
    axis.yaxis.set_major_locator(FixedLocator(list(TIMES.values())))
    axis.yaxis.set_major_formatter(FixedFormatter(list(TIMES)))
    axis.minorticks_off()
