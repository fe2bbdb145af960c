"""Whether one observation decides a fit alone: the posterior is asked again without it.

    | E[theta_j | y] - E[theta_j | y without y_i] |  >  3 sd[theta_j | y without y_i]     for some j

Asked are only the smallest and the largest values of a column that lie far from all others, and for weights that
cannot be relied on the farthest. An anticipation of 12 ms does this to a response time model, whose non-decision time
lies below every response: no weight shows it, for the exact posterior does it too.
"""

import numpy as np

from amortmix.inference import psis

#: Distance to the next value, as a share of the distance between the 5 and 95 % quantiles, from which one is asked.
APART = 0.3
#: Posterior standard deviations by which a mean must move.
MOVED = 3.0
#: Most observations that are asked: each costs draws of the flow.
MOST = 4


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
    for unit, place, column, end in _candidates(engine.model, table.data, reliable)[:MOST]:
        mask = np.array(table.data.mask)
        mask[unit, place] = 0
        data = table.data._replace(mask=mask)
        if data.sequence is None:
            data = data._replace(sequence=np.asarray(table.data.exists, np.float32))
        without, log_joint, _ = engine.answer(data, len(drawn.theta), seed)
        moved = np.abs(_mean(drawn.theta) - _mean(without.theta)) / (np.std(without.theta, axis=0) + 1e-9)
        mended = not reliable and log_joint is not None and psis.smooth(log_joint, without.log_q).is_reliable
        if moved.max() > MOVED or mended:
            words = _words(engine.model, table, unit, place, column, end)
            why = "importance weights can be relied on" if mended else "the posterior is another"
            found.append(
                f"{words}, and decides the fit alone: without it {why}; if it is none of the process, declare "
                f"it missing ({_advice(column, end)})"
            )
    return found


def _mean(theta):
    return np.mean(theta[np.isfinite(theta).all(1)], axis=0)


def _candidates(model, data, reliable):
    """(unit, place, column, end) of values far from all others, the farthest first."""
    found, (units, places) = [], np.nonzero(np.asarray(data.mask) > 0)
    for j, (column, kind) in enumerate(model.columns.items()):
        values = np.asarray(kind.feature(np.asarray(data.y)[units, places, j]), float)
        order = np.argsort(values)
        low, high = np.quantile(values, [0.05, 0.95])
        if len(order) < 3 or high <= low:
            continue
        for end, (first, second) in (("min", order[:2]), ("max", order[:-3:-1])):
            apart = abs(values[first] - values[second]) / (high - low)
            found.append((int(units[first]), int(places[first]), column, end, apart))
    found.sort(key=lambda f: -f[-1])
    return [f[:-1] for i, f in enumerate(found) if f[-1] > APART or (i == 0 and not reliable)]


def _words(model, table, unit, place, column, end):
    """What an observation is, and how far from the others."""
    values = np.asarray(table.data.y)[..., list(model.columns).index(column)]
    value, seen = values[unit, place], np.asarray(table.data.mask) > 0
    seen[unit, place] = False
    other = (np.min if end == "min" else np.max)(values[seen])
    label = f"{column} of unit {table.labels[unit]}, {value:.3g}, is"
    if min(value, other) <= 0:
        return f"{label} {abs(value - other):.3g} {'below' if end == 'min' else 'above'} any other"
    times, than = max(value, other) / min(value, other), "smaller" if end == "min" else "larger"
    return f"{label} {times:.2g} times {than} than any other"


def _advice(column, end):
    return f"{end}_rt" if column == "rt" else f"keep={{{column!r}: ...}}"
