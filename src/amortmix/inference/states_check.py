"""Whether the networks' state probabilities are right for the draws of one fit, by exact draws of states.

    share_tk = 1/S sum_s [z_t^(s) = k],   z^(s) ~ p(z | y, theta^(s)),   against   mean_s p_net(z_t = k | y, theta^(s)).

Asked where parameters had to be corrected by adapted proposals: networks that are off there may be off for states too,
and weights do not correct those. Where they are, the recursions of the declaration answer, with JAX.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from amortmix.extras import missing
from amortmix.model import shown
from amortmix.storage import tree as trees

#: Difference of probabilities, beyond what the number of draws leaves open, from which states are not to be trusted.
LARGEST = 0.05
#: Draws of states that are compared, and standard errors that are left open.
DRAWS, ERRORS = 1000, 5.0


class Difference(NamedTuple):
    """Largest difference beyond its error, and the unit (from 0) where it is."""

    size: float
    unit: int

    @property
    def matters(self):
        return self.size > LARGEST

    def sentence(self, labels):
        """What a user should know."""
        return f"the networks' state probabilities are off by more than {self.size:.2f} at unit {labels[self.unit]}"


def difference(engine, data, theta, probabilities, seed):
    """`Difference` of network probabilities (N, L), means over draws theta (S, D), from exact draws of states.

    Parameters
    ----------
    engine : Engine
        Of a model whose density is known.
    data : Data
    theta : (S, D)
    probabilities : (N, L)
    seed : int
    """
    theta = theta[:DRAWS]
    z = engine.paths(data, theta, seed)
    share = np.mean(z[..., None] == np.arange(probabilities.shape[-1]), axis=0)
    p = np.clip(probabilities, 0.5 / len(theta), 1 - 0.5 / len(theta))
    beyond = np.abs(share - probabilities) - ERRORS * np.sqrt(p * (1 - p) / len(theta))
    worst = np.unravel_index(np.argmax(beyond), beyond.shape)
    return Difference(float(beyond[worst]), int(worst[0]))


class Checked(NamedTuple):
    """States of a fit, {head: (statistics, N, L)}; a sentence where they are not the networks', and if they are wrong.

    Attributes
    ----------
    states : dict
    sentence : str or None
    wrong : bool
    """

    states: dict
    sentence: str | None = None
    wrong: bool = False


def checked(engine, table, theta, states, seed):
    """`Checked` states of a fit: the networks' where exact draws agree, else exact ones, if JAX is installed.

    Parameters
    ----------
    engine : Engine
    table : Table
    theta : (S, D)
    states : {head: (statistics, N, L)}
    seed : int
    """
    last = states["smoothing" if "smoothing" in states else "classification"]
    found = difference(engine, table.data, theta, last[0], seed)
    if not found.matters:
        return Checked(states)
    sentence = found.sentence(table.labels)
    if missing():
        return Checked(states, sentence, wrong=True)
    exactly = trees.summarize_probabilities(exact(engine, table.data, theta[:DRAWS]))
    return Checked(exactly, f"{sentence}; exact ones stand in their place")


def exact(engine, data, theta):
    """{head: (S, N, L)}, probabilities of the labels for draws theta (S, D), by the recursions; needs JAX."""
    model = engine.in_jax.model
    found, n = _recursions(model)(np.asarray(theta), engine.frame(data)), data.y.shape[0]
    return {h: shown.probabilities(model.states, np.exp(np.asarray(found[h])))[:, :n] for h in model.heads}


@lru_cache(maxsize=8)
def _recursions(model):
    """`state_log_probs` of draws, one after the other; compiled once for all data sets of one frame."""
    import jax

    return jax.jit(lambda rows, data: jax.lax.map(lambda theta: model.state_log_probs(theta, data), rows))
