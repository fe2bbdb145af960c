"""How much of a posterior hangs on what a learned density cannot know.

    s = sd[delta(theta)] over the posterior,    delta an error of the log likelihood

To first order such an error moves a posterior mean by cov(theta_j, delta), at most s posterior standard deviations.

Members that err independently differ by twice the error of their mean: delta = (log q_1 - log q_2) / 2. What all of
them share is not seen so, and it is large where no unit was simulated: a density that was learned knows nothing of
the far tails. There delta is taken to be all of what such units say: sum_i log q(y_i | y_1:i-1, theta).
"""

from typing import NamedTuple

import numpy as np

#: From here on a fit says that its means may be off: posterior standard deviations.
LARGEST = 0.2
#: A unit is far out if fewer than this share of simulated units are: millions, but few near any one theta. One of nine
#: data sets of 400 units has such a unit by chance.
RARE = 3e-4
#: Draws over which it is judged how far out a unit is.
DRAWS = 25
#: Most units that are named.
NAMED = 5


class Shift(NamedTuple):
    """By how many posterior standard deviations means may be off.

    Attributes
    ----------
    members : float
        For what the members of the density disagree about.
    far_out : float
        For units that are farther out than simulated ones.
    units : (n,)
        Which they are.
    """

    members: float
    far_out: float
    units: np.ndarray

    def concerns(self, table, column):
        """Sentences about a posterior that hangs on what its density does not know."""
        found = []
        if self.members > LARGEST:
            found.append(f"the learned density is not certain here: {_means(self.members)}")
        if self.far_out > LARGEST:
            values = np.asarray(table.data.y)[self.units[:NAMED], 0, 0]
            named = ", ".join(f"{v:.3g} of unit {table.labels[u]}" for u, v in zip(self.units, values))
            named += ", ..." if len(self.units) > NAMED else ""
            found.append(
                f"{column} {named} is farther out than simulated units, of which the learned density knows nothing: "
                f"{_means(self.far_out)}; if it is another process, declare it missing"
            )
        return found


def _means(shift):
    return f"means may be off by {shift:.2f} posterior sd"


def flaw(report):
    """A sentence if a learned density failed its own check, by its report (on a card, or None); else None."""
    problems = (report or {}).get("problems")
    if not problems:
        return None
    wrong = "; ".join(problems)
    return f"the learned density failed its own check, and weights and chains are those of another model: {wrong}"


def shift(engine, data, theta, log_weights):
    """`Shift` of draws theta (S, D) with log weights (S,), by an `Engine` with a learned density."""
    weights = np.exp(log_weights - np.max(log_weights))
    members = engine.log_likelihoods_of_members(data, theta)
    differences = (members[:, :, None] - members[:, None, :]).reshape(len(theta), -1)
    units = np.flatnonzero(engine.tails(data, theta[:DRAWS]) < RARE)
    told = engine.log_units(data, theta)[:, units].sum(1, keepdims=True) if len(units) else np.zeros((len(theta), 1))
    return Shift(largest_sd(differences, weights) / 2, largest_sd(told, weights), units)


def largest_sd(columns, weights):
    """The largest standard deviation of columns (S, C) under weights (S,)."""
    centred = columns - np.average(columns, axis=0, weights=weights)
    return float(np.sqrt(np.average(centred**2, axis=0, weights=weights).max()))
