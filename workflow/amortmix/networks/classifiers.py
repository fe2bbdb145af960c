"""Classification networks q_alpha, q_beta: probabilities of the hidden indicators given theta.

Exchangeable units (eq. 15): one network per unit. Hidden Markov models (eqs. 16 and 18): a forward
filter on y_1:t, a backward network on y_t+1:N, and a small head for p(z_t | theta) with which

    p(z_t | y_1:N, theta) ∝ p(z_t | y_1:t, theta) p(z_t | y_t+1:N, theta) / p(z_t | theta)

is Bayes' rule. Printed eq. 18 lacks the denominator and counts the prior of z_t twice.
All outputs are log probabilities (B, N, K).
"""

import jax.numpy as jnp
import keras
from bayesflow.utils.serialization import serializable
from jax.nn import log_softmax

from amortmix.networks.layers import PACKAGE, GatedRecurrence, dense_stack


@serializable(PACKAGE)
class UnitClassifier(keras.Layer):
    """``classification``: each unit from its own local summary and theta (eq. 15)."""

    def __init__(self, n_states, widths, **kwargs):
        super().__init__(**kwargs)
        self.n_states, self.widths = n_states, list(widths)
        self.stack = dense_stack(widths)
        self.head = keras.layers.Dense(n_states)

    def call(self, units, conditions, present):
        logits = self.head(self.stack(jnp.concatenate([units, conditions], axis=-1)))
        return {"classification": log_softmax(logits, axis=-1)}

    def build(self, units_shape, conditions_shape):
        inputs = (*units_shape[:-1], units_shape[-1] + conditions_shape[-1])
        self.stack.build(inputs)
        self.head.build((*inputs[:-1], self.widths[-1]))
        self.built = True

    def get_config(self):
        return super().get_config() | {"n_states": self.n_states, "widths": self.widths}


def position_features(mask):
    """Distance from the start at each unit, on several scales: (B, N, 5).

    The marginal p(z_t | theta) forgets the start geometrically; backward probabilities depend on t through it.
    """
    t = jnp.arange(mask.shape[1], dtype=mask.dtype)
    scales = [jnp.exp(-t / s) for s in (1.0, 3.0, 10.0, 30.0, 100.0)]
    return jnp.broadcast_to(jnp.stack(scales, axis=-1), (*mask.shape, 5))


@serializable(PACKAGE)
class FilterClassifier(keras.Layer):
    """``filtering``, ``backward_filtering`` and ``marginal`` of a hidden Markov model.

    One unit network feeds two recurrences that run in one scan. The backward state at t has read
    y_N, ..., y_t+1 and nothing else.
    """

    def __init__(self, n_states, widths, recurrent, **kwargs):
        super().__init__(**kwargs)
        self.n_states, self.widths, self.recurrent = n_states, list(widths), recurrent
        self.unit = dense_stack(widths)
        self.recurrence = GatedRecurrence(recurrent, directions=2)
        self.stacks = {h: dense_stack([widths[-1]]) for h in ("forward", "backward", "marginal")}
        self.forward_stack, self.backward_stack, self.marginal_stack = self.stacks.values()
        self.forward_head = keras.layers.Dense(n_states)
        self.backward_head = keras.layers.Dense(n_states)
        self.marginal_head = keras.layers.Dense(n_states)

    def call(self, units, conditions, present):
        x = self.unit(jnp.concatenate([units, conditions], axis=-1))
        forward, backward = self.recurrence(x, present)
        future = jnp.concatenate([backward[:, 1:], jnp.zeros_like(backward[:, :1])], axis=1)
        theta = self._theta(conditions)
        position = position_features(present)
        marginal = self.marginal_head(self.marginal_stack(jnp.concatenate([position, theta], axis=-1)))
        past = self.forward_head(self.forward_stack(jnp.concatenate([forward, x], axis=-1)))
        # the future corrects the marginal, whose logits it therefore starts from
        ahead = jnp.concatenate([future, position, theta], axis=-1)
        ahead = jnp.asarray(marginal) + self.backward_head(self.backward_stack(ahead))
        return {
            "filtering": log_softmax(past, axis=-1),
            "backward_filtering": log_softmax(ahead, axis=-1),
            "marginal": log_softmax(marginal, axis=-1),
        }

    def _theta(self, conditions):
        """Only what is common to all units: the marginal must not see the observations."""
        return conditions[..., -self.n_theta :]

    def build(self, units_shape, conditions_shape, n_theta):
        self.n_theta = n_theta
        inputs = (*units_shape[:-1], units_shape[-1] + conditions_shape[-1])
        hidden = (*inputs[:-1], self.widths[-1])
        self.unit.build(inputs)
        self.recurrence.build(hidden)
        sizes = [self.recurrent + self.widths[-1], self.recurrent + 5 + n_theta, 5 + n_theta]
        heads = [self.forward_head, self.backward_head, self.marginal_head]
        for stack, head, size in zip(self.stacks.values(), heads, sizes):
            stack.build((*inputs[:-1], size))
            head.build(hidden)
        self.built = True

    def get_config(self):
        config = {"n_states": self.n_states, "widths": self.widths, "recurrent": self.recurrent}
        return super().get_config() | config


KINDS = {"unit": UnitClassifier, "filter": FilterClassifier}


def smoothing(log_probs, rule="exact"):
    """Smoothing probabilities from the trained heads, as log probabilities (..., N, K).

    Parameters
    ----------
    log_probs : dict
        ``filtering``, ``backward_filtering`` and ``marginal`` (..., N, K).
    rule : {"exact", "printed"}
        ``exact`` divides by p(z_t | theta). ``printed`` is eq. 18.
    """
    past, future = log_probs["filtering"], log_probs["backward_filtering"]
    if rule == "exact":
        return log_softmax(past + future - log_probs["marginal"], axis=-1)
    if rule == "printed":
        return log_softmax(past + future, axis=-1)
    raise ValueError(f"unknown smoothing rule {rule!r}: expected exact or printed")
