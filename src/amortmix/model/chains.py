"""Chains whose states remember: the last L labels, or how long a label has lasted.

    s_t = (z_t, z_t-1, ..., z_t-L),   p(s_t+1 | s_t) = P[z_t, z_t+1]  where the rest of s_t+1 is the past of s_t, else 0

Such a state is one of K^(L+1), and the recursions of `amortmix.model.hmm` need to know nothing of it; a user sees the
label z_t. With durations a state is a label and its stage, of which the last one repeats itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from amortmix.model.arrays import Array
from amortmix.storage.files import BadInput

#: Most states: recursions take the square of it for every unit.
MOST_STATES = 256


def stationary(transitions: Float[Array, "*batch K K"]) -> Float[Array, "*batch K"]:
    """Probabilities (..., K) that one step of a chain leaves as they are.

    Parameters
    ----------
    transitions : (..., K, K)
        Rows sum to one, and every state can be reached from every other.

    Notes
    -----
    One state is eliminated after the other, and nothing is subtracted, so that nothing cancels (Grassmann, Taksar &
    Heyman 1985, Operations Research 33, 1107-1116).

    Examples
    --------
    >>> am.stationary(jnp.array([[0.75, 0.25], [0.25, 0.75]]))
    Array([0.5, 0.5], dtype=float32)
    """
    k = transitions.shape[-1]
    p = [[transitions[..., i, j] for j in range(k)] for i in range(k)]
    for n in range(k - 1, 0, -1):
        leaves = sum(p[n][:n])
        for i in range(n):
            p[i][n] = p[i][n] / leaves
            for j in range(n):
                p[i][j] = p[i][j] + p[i][n] * p[n][j]
    found = [jnp.ones_like(p[0][0])]
    for n in range(1, k):
        found.append(sum(found[i] * p[i][n] for i in range(n)))
    found = jnp.stack(found, axis=-1)
    return found / jnp.sum(found, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Memory:
    """States that remember their last labels, for an emission that depends on those too.

    Parameters
    ----------
    labels : tuple of str
        Names of the K labels.
    lags : int
        How many labels before the present one are remembered.

    Raises
    ------
    BadInput
        If there would be more than 256 states.

    Examples
    --------
    Hamilton's switching mean: growth returns to the mean of the quarters that it followed.

    >>> four = am.Memory(("recession", "expansion"), 4)
    >>> def emission(p, past):
    ...     mean = four.of(p["mu"])
    ...     ahead = sum(p["phi"][k] * (past["growth"][k] - mean[k + 1]) for k in range(4))
    ...     return dist.Normal(mean[0] + ahead, p["sd"])
    >>> recession = {"states": four.states, "lags": four.lags, "emission": emission}
    >>> recession["transitions"] = lambda p: four.transitions(am.two_state(p["stay"]))
    >>> len(four.states)
    32
    """

    labels: tuple
    lags: int

    def __post_init__(self):
        number = len(self.labels) ** (self.lags + 1)
        if self.lags < 0 or number > MOST_STATES:
            raise BadInput(f"a memory of {self.lags} labels makes {number} states; expected at most {MOST_STATES}")

    @property
    def _remembered(self):
        """Labels (lags + 1, S) that each state remembers, the present one first."""
        shape = (len(self.labels),) * (self.lags + 1)
        return np.stack(np.unravel_index(np.arange(np.prod(shape)), shape))

    @property
    def states(self):
        """The label of each state, S = K^(lags + 1) names."""
        return tuple(self.labels[z] for z in self._remembered[0])

    def of(self, values: Shaped[Array, " K"]) -> Shaped[Array, "remembered S"]:
        """What values (K,), one for each label, are at the labels that a state remembers: (lags + 1, S)."""
        return values[self._remembered]

    def transitions(self, transitions: Float[Array, "*batch K K"]) -> Float[Array, "*batch S S"]:
        """Transitions (..., S, S) between the states, of those (..., K, K) between labels."""
        z = self._remembered
        follows = np.all(z[1:, None, :] == z[:-1, :, None], axis=0)
        return jnp.where(follows, transitions[..., z[0][:, None], z[0][None, :]], 0.0)

    def initial(self, oldest: Float[Array, " K"], transitions: Float[Array, "K K"]) -> Float[Array, " S"]:
        """Probabilities (S,) of the states if the oldest label has the probabilities ``oldest`` (K,)."""
        z = self._remembered[::-1]
        found = oldest[z[0]]
        for before, after in zip(z[:-1], z[1:]):
            found = found * transitions[before, after]
        return found


@dataclass(frozen=True)
class Durations:
    """States of labels that last: a hidden semi-Markov model, by stages.

    A label that is in stage m ends there with the hazard  h_m = p(d = m) / p(d >= m);  in the last stage it stays
    until it ends.

    Parameters
    ----------
    labels : tuple of str
        Names of the K labels.
    stages : tuple of int
        Of each label.

    Examples
    --------
    Rest lasts at least two units:

    >>> last = am.Durations(("rest", "active"), (2, 1))
    >>> last.transitions([jnp.array([0.0, 0.5]), jnp.array([0.2])], jnp.array([[0.0, 1.0], [1.0, 0.0]]))
    Array([[0. , 1. , 0. ],
           [0. , 0.5, 0.5],
           [0.2, 0. , 0.8]], dtype=float32)
    """

    labels: tuple
    stages: tuple

    def __post_init__(self):
        if len(self.labels) != len(self.stages) or min(self.stages) < 1 or sum(self.stages) > MOST_STATES:
            raise BadInput(f"stages {self.stages} of {len(self.labels)} labels; expected one number each, from 1")

    @property
    def _label(self):
        return np.repeat(np.arange(len(self.labels)), self.stages)

    @property
    def states(self):
        """The label of each state, S = sum of the stages names."""
        return tuple(self.labels[z] for z in self._label)

    def of(self, values: Shaped[Array, " K"]) -> Shaped[Array, " S"]:
        """What values (K,), one for each label, are at each state: (S,)."""
        return values[self._label]

    def transitions(self, hazards: Sequence[Float[Array, " _"]], jumps: Float[Array, "K K"]) -> Float[Array, "S S"]:
        """Transitions (S, S) between the states.

        Parameters
        ----------
        hazards : list of (stages,)
            For each label the probability of ending in each of its stages.
        jumps : (K, K)
            Probabilities of the next label, zero on the diagonal.
        """
        states = np.arange(len(self._label))
        enters = np.isin(states, np.cumsum([0, *self.stages[:-1]]))
        last = np.isin(states, np.cumsum(self.stages) - 1)
        goes_on = 1.0 * (states[None, :] == np.where(last, states, states + 1)[:, None])
        ends = jnp.concatenate(list(hazards))[:, None]
        jump = jnp.where(enters[None, :], jumps[self._label[:, None], self._label[None, :]], 0.0)
        return ends * jump + (1 - ends) * goes_on
