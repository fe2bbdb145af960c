"""Whether a few observations decide a fit alone: the posterior is asked again without them.

    | E[theta_j | y] - E[theta_j | y without y_i] |  >  3 sd[theta_j | y without y_i]     for some j

Asked are only the smallest and the largest values of a column that lie far from all others, and for weights that
cannot be relied on the farthest. An anticipation of 12 ms does this to a response time model, whose non-decision time
lies below every response: no weight shows it, for the exact posterior does it too.
"""

from typing import NamedTuple

import numpy as np

from amortmix.inference import psis
from amortmix.model.data import without

#: Distance to the next value, as a share of the distance between the 5 and 95 % quantiles, from which one is asked.
APART = 0.3
#: The same where the weights cannot be relied on: of values that lie with the others none is to blame.
SOMEWHAT_APART = 0.1
#: Draws without the observations: of one data set, a quarter of what its fit costs.
DRAWS = 1000
#: Posterior standard deviations by which a mean must move.
MOVED = 3.0
#: Most ends of columns that are asked, since each costs draws of the flow, and most values that lie apart together.
MOST_ENDS, TOGETHER = 4, 5


class Extreme(NamedTuple):
    """Values of one column at one end, apart from all others.

    Attributes
    ----------
    units, places : (n,)
    column, end : str
        The end is "min" or "max".
    values : (n,)
    next : float
        The nearest other value.
    apart : float
        Distance to it, as a share of the distance between the 5 and 95 % quantiles, as networks see values.
    """

    units: np.ndarray
    places: np.ndarray
    column: str
    end: str
    values: np.ndarray
    next: float
    apart: float


def decisive(engine, table, drawn, reliable, seed):
    """Sentences about observations that decide a fit alone.

    Parameters
    ----------
    engine : Engine
    table : Table
    drawn : Draws
        Of the flow, for the data as they are.
    reliable : bool
        Whether their importance weights can be relied on.
    seed : int
    """
    found = []
    for extreme in extremes(engine.model, table.data)[:MOST_ENDS]:
        if extreme.apart <= (APART if reliable else SOMEWHAT_APART):
            break
        rest = without(table.data, extreme.units, extreme.places)
        other, log_joint, _ = engine.answer(rest, min(len(drawn.theta), DRAWS), seed)
        with_it, without_it = _finite(drawn.theta), _finite(other.theta)
        moved = np.abs(with_it.mean(0) - without_it.mean(0)) / (without_it.std(0) + 1e-9)
        judged = not reliable and log_joint is not None and np.isfinite(log_joint).any()
        mended = judged and psis.smooth(log_joint, other.log_q).is_reliable
        if mended or (extreme.apart > APART and moved.max() > MOVED):
            found.append(
                f"{_words(extreme, table.labels)}, and decides the fit alone; if it is another process, declare "
                f"it missing ({_advice(extreme)})"
            )
    return found


def _finite(theta):
    return theta[np.isfinite(theta).all(1)]


def extremes(model, data):
    """`Extreme` values at both ends of every column, those that lie farthest apart first."""
    found = []
    for j, (column, kind) in enumerate(model.columns.items()):
        units, places = np.nonzero(np.asarray(data.seen)[..., j] > 0)
        values = np.asarray(data.y)[units, places, j]
        seen = np.asarray(kind.feature(values), float)
        low, high = np.quantile(seen, [0.05, 0.95])
        if len(seen) < 2 * TOGETHER or high <= low:
            continue
        order = np.argsort(seen)
        for end, ranked in (("min", order), ("max", order[::-1])):
            gaps = np.abs(np.diff(seen[ranked[: TOGETHER + 1]])) / (high - low)
            n = int(gaps.argmax()) + 1
            which = np.sort(ranked[:n])
            extreme = units[which], places[which], column, end, values[which], float(values[ranked[n]])
            found.append(Extreme(*extreme, float(gaps.max())))
    return sorted(found, key=lambda e: -e.apart)


def _words(extreme, labels):
    """Which observations these are, and how far from the others."""
    named = ", ".join(f"{v:.3g} of unit {labels[u]}" for u, v in zip(extreme.units, extreme.values))
    than = "smaller" if extreme.end == "min" else "larger"
    nearest = (extreme.values.max if extreme.end == "min" else extreme.values.min)()
    if min(nearest, extreme.next) <= 0:
        return f"{extreme.column} {named} is {abs(nearest - extreme.next):.3g} {than} than any other"
    times = max(nearest, extreme.next) / min(nearest, extreme.next)
    return f"{extreme.column} {named} is {times:.2g} times {than} than any other"


def _advice(extreme):
    return f"{extreme.end}_rt" if extreme.column == "rt" else f"keep={{{extreme.column!r}: ...}}"
