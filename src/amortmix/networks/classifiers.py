"""Classification networks q_alpha, q_beta: probabilities of the hidden indicators given theta.

Exchangeable units (eq. 15): one network per unit. Hidden Markov models (eqs. 16 and 18): a forward
filter on y_1:t, a backward network on y_t+1:N, and a small head for p(z_t | theta) with which

    p(z_t | y_1:N, theta) ∝ p(z_t | y_1:t, theta) p(z_t | y_t+1:N, theta) / p(z_t | theta)

is Bayes' rule. Printed eq. 18 lacks the denominator and counts the prior of z_t twice. Where the
transition matrix is known given theta, a network of one unit replaces both recurrences: it learns
log p(y_t | z_t, theta) up to a constant, and the recursions of `amortmix.hmm` are exact.
All outputs are log probabilities (B, N, K).
"""

import jax
import jax.numpy as jnp
import keras
from bayesflow.utils.serialization import serializable
from jax.nn import log_softmax

from amortmix.model import hmm
from amortmix.model.arcs import Arcs
from amortmix.networks.layers import PACKAGE, GatedRecurrence, LongShortTermMemory, dense_stack, shift


def _first_data_sets(share, *arrays):
    """The first data sets of a batch, (B', N, ...): units of a series belong together."""
    return [a if a is None else a[: max(1, round(share * len(a)))] for a in arrays]


@serializable(PACKAGE)
class UnitClassifier(keras.Layer):
    """``classification``: each unit from its own local summary and theta (eq. 15).

    Beside the network of both, the logits have a term affine in the summary with weights that are a
    network of theta: the exact form where the summary is sufficient and the classes are an exponential family.
    """

    def __init__(self, n_states, widths, **kwargs):
        super().__init__(**kwargs)
        self.n_states, self.widths = n_states, list(widths)
        self.stack = dense_stack(widths)
        self.head = keras.layers.Dense(n_states)
        self.weights_stack = dense_stack(widths[:1])

    def call(self, units, conditions, places, chain=None):
        logits = self.head(self.stack(jnp.concatenate([units, conditions], axis=-1)))
        weights = self.weights_head(self.weights_stack(conditions))
        weights = weights.reshape(*weights.shape[:-1], self.n_states, units.shape[-1] + 1)
        logits = logits + weights[..., 0] + jnp.einsum("bnkf,bnf->bnk", weights[..., 1:], units)
        return {"classification": log_softmax(logits, axis=-1)}

    @staticmethod
    def part(share, *arrays):
        """The first units of every data set, (B, N', ...): units are exchangeable, theta varies most."""
        return [a if a is None else a[:, : max(1, round(share * a.shape[1]))] for a in arrays]

    def build(self, units_shape, conditions_shape, n_theta=None):  # stored networks were built without n_theta
        inputs = (*units_shape[:-1], units_shape[-1] + conditions_shape[-1])
        self.stack.build(inputs)
        self.head.build((*inputs[:-1], self.widths[-1]))
        self.weights_stack.build(conditions_shape)
        self.weights_head = keras.layers.Dense(self.n_states * (units_shape[-1] + 1))
        self.weights_head.build((*inputs[:-1], self.widths[0]))
        self.built = True

    def get_config(self):
        return super().get_config() | {"n_states": self.n_states, "widths": self.widths}


POSITION_SCALES = (1.0, 3.0, 10.0, 30.0, 100.0)


def position_features(mask):
    """Distance from the start at each unit, on several scales: (B, N, 5).

    The marginal p(z_t | theta) forgets the start geometrically; backward probabilities depend on t through it.
    """
    t = jnp.arange(mask.shape[1], dtype=mask.dtype)
    scales = [jnp.exp(-t / s) for s in POSITION_SCALES]
    return jnp.broadcast_to(jnp.stack(scales, axis=-1), (*mask.shape, len(scales)))


class _Head(keras.Layer):
    """Hidden layers and logits, from several inputs."""

    def __init__(self, widths, n_states, activation="silu"):
        super().__init__()
        self.width = widths[-1]
        self.stack, self.logits = dense_stack(widths, activation), keras.layers.Dense(n_states)

    def call(self, *inputs):
        return self.logits(self.stack(jnp.concatenate(inputs, axis=-1)))

    def build(self, shape):
        self.stack.build(shape)
        self.logits.build((*shape[:-1], self.width))
        self.built = True


@serializable(PACKAGE)
class FilterClassifier(keras.Layer):
    """Four heads for a hidden Markov model; one unit network feeds two recurrences that run in one scan.

    For data sets without missing units and of one sequence: the recurrences pass over units without an observation.

    ``filtering``           p(z_t | y_1:t, theta)
    ``backward_filtering``  p(z_t | y_t+1:N, theta), from the backward state at t + 1: it has not read y_t
    ``reversed``            p(z_t | y_t:N, theta), trained instead by the authors' code; for the rule ``shifted``
    ``marginal``            p(z_t | theta)
    """

    def __init__(self, n_states, widths, recurrent, **kwargs):
        super().__init__(**kwargs)
        self.n_states, self.widths, self.recurrent = n_states, list(widths), recurrent
        self._make_layers()

    def _make_layers(self):
        self.unit = dense_stack(self.widths)
        self.recurrence = GatedRecurrence(self.recurrent, directions=2)
        self._make_heads(lambda: _Head(self.widths[-1:], self.n_states))

    def _make_heads(self, head):
        self.past, self.future, self.reversed, self.marginal = head(), head(), head(), head()

    def call(self, units, conditions, places, chain=None):
        present = places.observed
        x = self._embedded(jnp.concatenate([units, conditions], axis=-1))
        forward, backward = self.recurrence(x, present)
        theta, position = self._theta(conditions), position_features(present)
        marginal = jnp.asarray(self.marginal(position, theta))
        logits = {
            "filtering": self.past(forward, x),
            # the future corrects the marginal, whose logits it therefore starts from
            "backward_filtering": marginal + self.future(shift(backward, -1), position, theta),
            # uniform after the last unit, whose neighbour the shifted rule looks at
            "reversed": jnp.asarray(self.reversed(backward, x)) * present[..., None],
            "marginal": marginal,
        }
        return {head: log_softmax(x, axis=-1) for head, x in logits.items()}

    part = staticmethod(_first_data_sets)

    def _embedded(self, units):
        """What the recurrences read of each unit and theta."""
        return self.unit(units)

    def _build_unit(self, shape):
        """Build the network of one unit; the width of what it gives."""
        self.unit.build(shape)
        return self.widths[-1]

    def _theta(self, conditions):
        """Only what is common to all units: the marginal must not see the observations."""
        return conditions[..., -self.n_theta :]

    def build(self, units_shape, conditions_shape, n_theta):
        self.n_theta = n_theta
        *places, features = (*units_shape[:-1], units_shape[-1] + conditions_shape[-1])
        width = self._build_unit((*places, features))
        self.recurrence.build((*places, width))
        for head in (self.past, self.reversed):
            head.build((*places, self.recurrent + width))
        self.future.build((*places, self.recurrent + len(POSITION_SCALES) + n_theta))
        self.marginal.build((*places, len(POSITION_SCALES) + n_theta))
        self.built = True

    def get_config(self):
        config = {"n_states": self.n_states, "widths": self.widths, "recurrent": self.recurrent}
        return super().get_config() | config


@serializable(PACKAGE)
class EmissionClassifier(keras.Layer):
    """The heads of `FilterClassifier` for a chain whose transitions are known given theta.

    A network of one unit and theta gives e_t(k) = log p(y_t | z_t = k, theta) up to a constant in k, trained
    by the cross-entropy of every head through the exact recursions: no likelihood is evaluated, no error grows
    along the series, and a unit costs two small layers instead of two recurrent states.

    ``known`` is the place of the first of K conditions that are such log densities already: training starts from them.
    ``arcs`` are those of the chain as lists, see `amortmix.model.arcs.Arcs`.
    """

    def __init__(self, n_states, widths, known=None, arcs=None, **kwargs):
        super().__init__(**kwargs)
        self.arcs = None if arcs is None else Arcs.from_lists(arcs)
        self.n_states, self.widths, self.known = n_states, list(widths), known
        self.unit = dense_stack(widths)
        self.emission = keras.layers.Dense(n_states, kernel_initializer="glorot_uniform" if known is None else "zeros")

    def call(self, units, conditions, places, chain):
        """``chain`` (B, K + 1, K) or (B, N, K + 1, K): log p(z_1), and below it the log transition matrix."""
        e = self.emission(self.unit(jnp.concatenate([units, conditions], axis=-1)))
        if self.known is not None:
            e = e + conditions[..., self.known : self.known + self.n_states]
        e = log_softmax(e, axis=-1) * places.observed[..., None]
        # data sets last, as the recursions like it
        chain, e, starts = jax.tree.map(lambda a: jnp.moveaxis(a, 0, -1), (chain, e, places.starts))
        initial, transitions = (chain[0], chain[1:]) if chain.ndim == 3 else (chain[:, 0], chain[:, 1:])
        found = hmm.state_log_probs(initial, transitions, e, starts, self.arcs)
        heads = {k: jnp.moveaxis(v, -1, 0) for k, v in found.items()}
        # uniform after the last unit, as in `FilterClassifier`
        heads["reversed"] = log_softmax(heads["reversed"] * places.exists[..., None], axis=-1)
        return {head: heads[head] for head in ("filtering", "backward_filtering", "reversed", "marginal")}

    part = staticmethod(_first_data_sets)

    def build(self, units_shape, conditions_shape, n_theta):
        self.unit.build((*units_shape[:-1], units_shape[-1] + conditions_shape[-1]))
        self.emission.build((*units_shape[:-1], self.widths[-1]))
        self.built = True

    def get_config(self):
        config = {"n_states": self.n_states, "widths": self.widths, "known": self.known}
        return super().get_config() | config | ({} if self.arcs is None else {"arcs": [a.tolist() for a in self.arcs]})


@serializable(PACKAGE)
class PublishedUnitClassifier(keras.Layer):
    """The paper's network of one unit: fully connected layers with rectifiers, and a softmax (section 3.3)."""

    def __init__(self, n_states, widths, **kwargs):
        super().__init__(**kwargs)
        self.n_states, self.widths = n_states, list(widths)
        self.stack, self.head = dense_stack(widths, "relu"), keras.layers.Dense(n_states)

    def call(self, units, conditions, places, chain=None):
        logits = self.head(self.stack(jnp.concatenate([units, conditions], axis=-1)))
        return {"classification": log_softmax(logits, axis=-1)}

    part = staticmethod(UnitClassifier.part)

    def build(self, units_shape, conditions_shape, n_theta=None):
        self.stack.build((*units_shape[:-1], units_shape[-1] + conditions_shape[-1]))
        self.head.build((*units_shape[:-1], self.widths[-1]))
        self.built = True

    def get_config(self):
        return super().get_config() | {"n_states": self.n_states, "widths": self.widths}


@serializable(PACKAGE)
class PublishedFilterClassifier(FilterClassifier):
    """`FilterClassifier` as the paper has it: an LSTM in each direction, then dense layers with rectifiers (3.4, 3.5).

    The head for p(z_t | theta) is not in the paper: eq. 18 needs it (see the page on errata).
    """

    def _make_layers(self):
        self.recurrence = LongShortTermMemory(self.recurrent, directions=2)
        self._make_heads(lambda: _Head(self.widths, self.n_states, "relu"))

    def _embedded(self, units):
        return units

    def _build_unit(self, shape):
        return shape[-1]


KINDS = {"unit": UnitClassifier, "filter": FilterClassifier, "emission": EmissionClassifier}
KINDS |= {"published_unit": PublishedUnitClassifier, "published_filter": PublishedFilterClassifier}


RULES = ("exact", "printed", "shifted")


def smoothing(log_probs, rule="exact"):
    """Smoothing probabilities from the trained heads, as log probabilities (..., N, K).

    Parameters
    ----------
    log_probs : dict
        ``filtering``, ``backward_filtering``, ``reversed`` and ``marginal`` (..., N, K).
    rule : {"exact", "printed", "shifted"}
        ``exact`` divides by p(z_t | theta): since past and future are independent given z_t,
        p(z_t | y_1:N) ∝ p(z_t | y_1:t) p(y_t+1:N | z_t), and the last factor is p(z_t | y_t+1:N) / p(z_t)
        up to a constant. ``printed`` is eq. 18, without the division. ``shifted`` is what the authors' code
        computes: p(z_t | y_1:t) p(z_t+1 | y_t+1:N), which leaves out the transition from t to t + 1.
    """
    past = log_probs["filtering"]
    if rule == "exact":
        return log_softmax(past + log_probs["backward_filtering"] - log_probs["marginal"], axis=-1)
    if rule == "printed":
        return log_softmax(past + log_probs["backward_filtering"], axis=-1)
    if rule == "shifted":
        ahead = log_probs["reversed"][..., 1:, :]
        return log_softmax(past + jnp.concatenate([ahead, jnp.zeros_like(past[..., :1, :])], axis=-2), axis=-1)
    raise ValueError(f"unknown smoothing rule {rule!r}: expected one of {', '.join(RULES)}")
