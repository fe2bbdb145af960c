"""Layers that honour masks and stay fast on a CPU: masked Deep Set, shift convolution, gated recurrence.

The masked mean is the one operation that makes a set summary independent of padding,

    mean(h) = sum_j m_j h_j / sum_j m_j.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
from bayesflow.networks import MLP
from bayesflow.utils.serialization import serializable

PACKAGE = "amortmix"


class Places(NamedTuple):
    """What is at each place of a batch of padded series.

    Attributes
    ----------
    observed, exists : (B, N)
        1.0 for units with an observation, and for all units.
    starts : (B, N) or None
        1.0 where a sequence begins after another one; None where data sets are one sequence without missing units.
    """

    observed: Any
    exists: Any
    starts: Any = None


def dense_stack(widths, activation="silu"):
    """BayesFlow's MLP without dropout and with a smooth activation (rectifiers made figure 7 jittery).

    Residual stacks of more than three layers are normalized: without it twelve of them start at logits of
    thousands. With ``relu`` it is the plain stack of fully connected layers of the paper; without widths, nothing.
    """
    if not widths:
        return keras.layers.Identity()
    if activation == "relu":
        return MLP(tuple(widths), activation="relu", dropout=0.0, residual=False)
    return MLP(tuple(widths), activation="silu", dropout=0.0, norm="layer" if len(widths) > 3 else None)


def shapes_of(function, shape):
    """Shapes of what ``function`` makes of an array, whose layers are built on the way, without a number computed."""
    with keras.StatelessScope():  # initial values wait for its end
        return jax.eval_shape(function, jax.ShapeDtypeStruct(shape, jnp.float32))


def masked_mean(h, mask):
    """Mean of h (..., n, d) over the places where mask (..., n) is one: (..., d)."""
    total = keras.ops.sum(h * mask[..., None], axis=-2)
    return total / keras.ops.maximum(keras.ops.sum(mask, axis=-1, keepdims=True), 1.0)


def shift(h, steps):
    """h (B, n, d) moved by ``steps`` places along n, zeros moving in: position t holds h at t - steps."""
    if steps > 0:
        return jnp.pad(h, ((0, 0), (steps, 0), (0, 0)))[:, : h.shape[1]]
    return jnp.pad(h, ((0, 0), (0, -steps), (0, 0)))[:, -steps:]


@serializable(PACKAGE)
class EquivariantBlock(keras.Layer):
    """h_i <- h_i + silu(A h_i + B mean(h)): permutation equivariant (Zaheer et al. 2017), mask-aware."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.own = keras.layers.Dense(width)
        self.shared = keras.layers.Dense(width, use_bias=False)

    def call(self, h, present):
        pooled = self.shared(masked_mean(h, present))
        return h + keras.ops.silu(self.own(h) + pooled[..., None, :])

    def build(self, shape):
        self.own.build(shape)
        self.shared.build(shape)

    def get_config(self):
        return super().get_config() | {"width": self.width}


@serializable(PACKAGE)
class MaskedDeepSet(keras.Layer):
    """Deep Set over the observations of one unit: (..., P, F) with mask (..., P) to (..., outputs).

    The number of observations is appended after pooling: it is part of the sufficient statistic.
    """

    def __init__(self, inner, outer, outputs=2, equivariant=0, **kwargs):
        super().__init__(**kwargs)
        self.inner_widths, self.outer_widths = list(inner), list(outer)
        self.outputs, self.equivariant = outputs, equivariant
        self.inner, self.outer = dense_stack(inner), dense_stack(outer)
        self.blocks = [EquivariantBlock(inner[-1]) for _ in range(equivariant)]
        self.head = keras.layers.Dense(outputs)

    def call(self, x, present):
        h = self.inner(x)
        for block in self.blocks:
            h = block(h, present)
        count = keras.ops.sum(present, axis=-1, keepdims=True)
        pooled = keras.ops.concatenate([masked_mean(h, present), count], axis=-1)
        return self.head(self.outer(pooled))

    def build(self, shape):
        self.inner.build(shape)
        hidden = (*shape[:-1], self.inner_widths[-1])
        for block in self.blocks:
            block.build(hidden)
        self.outer.build((*shape[:-2], self.inner_widths[-1] + 1))
        self.head.build((*shape[:-2], self.outer_widths[-1]))

    def get_config(self):
        return super().get_config() | {
            "inner": self.inner_widths,
            "outer": self.outer_widths,
            "outputs": self.outputs,
            "equivariant": self.equivariant,
        }


@serializable(PACKAGE)
class ShiftConvolution(keras.Layer):
    """Residual convolution of width 3: h_t <- h_t + silu(W [h_t-d, h_t, h_t+d]).

    Shifted copies and one dense product: several times faster inside a scanned training step on a CPU
    than a convolution primitive.
    """

    def __init__(self, width, dilation=1, **kwargs):
        super().__init__(**kwargs)
        self.width, self.dilation = width, dilation
        self.dense = keras.layers.Dense(width)

    def call(self, h):
        window = jnp.concatenate([shift(h, self.dilation), h, shift(h, -self.dilation)], axis=-1)
        return h + keras.ops.silu(self.dense(window))

    def build(self, shape):
        self.dense.build((*shape[:-1], 3 * self.width))

    def get_config(self):
        return super().get_config() | {"width": self.width, "dilation": self.dilation}


@serializable(PACKAGE)
class LongShortTermMemory(keras.Layer):
    """Keras' LSTM in one or both directions, with the interface of `GatedRecurrence`: (directions, B, n, width)."""

    def __init__(self, width, directions=1, **kwargs):
        super().__init__(**kwargs)
        self.width, self.directions = width, directions
        self.cells = [keras.layers.LSTM(width, return_sequences=True, go_backwards=g == 1) for g in range(directions)]

    def call(self, x, present):
        found = [cell(x, mask=present > 0) for cell in self.cells]
        # Keras gives what it reads backwards in the order in which it was read
        return jnp.stack([jnp.flip(h, 1) if g else h for g, h in enumerate(map(jnp.asarray, found))])

    def build(self, shape):
        for cell in self.cells:
            cell.build(shape)
        self.built = True

    def get_config(self):
        return super().get_config() | {"width": self.width, "directions": self.directions}


@serializable(PACKAGE)
class GatedRecurrence(keras.Layer):
    """``directions`` independent GRUs over (B, n, F), run in one scan: (directions, B, n, width).

    Direction 1, if there is one, reads from the end to the start. Where the mask is zero the state is
    carried on unchanged, so padding leaves no trace. The loop is unrolled by eight for speed.
    """

    def __init__(self, width, directions=1, **kwargs):
        super().__init__(**kwargs)
        self.width, self.directions = width, directions

    def build(self, shape):
        g, w = self.directions, self.width
        self.kernel = self.add_weight((g, shape[-1], 3 * w), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight((g, 1, 1, 3 * w), initializer="zeros", name="bias")
        # orthogonal per gate and direction: keras orthogonalizes the flattened 2-D view
        self.gates = self.add_weight((g, w, 2 * w), initializer="orthogonal", name="gates")
        self.candidate = self.add_weight((g, w, w), initializer="orthogonal", name="candidate")

    def call(self, x, present):
        sequences, masks = x[None], present[None]
        if self.directions == 2:
            sequences = jnp.stack([x, x[:, ::-1]])
            masks = jnp.stack([present, present[:, ::-1]])
        inputs = jnp.einsum("gbnf,gfw->gbnw", sequences, jnp.asarray(self.kernel)) + jnp.asarray(self.bias)
        gates, candidate = jnp.asarray(self.gates), jnp.asarray(self.candidate)
        w = self.width

        def step(h, scanned):
            x_t, m_t = scanned
            zr = jax.nn.sigmoid(x_t[..., : 2 * w] + jnp.einsum("gbw,gwv->gbv", h, gates))
            update, reset = zr[..., :w], zr[..., w:]
            proposal = jnp.tanh(x_t[..., 2 * w :] + jnp.einsum("gbw,gwv->gbv", reset * h, candidate))
            h = jnp.where(m_t[..., None] > 0, update * h + (1 - update) * proposal, h)
            return h, h

        start = jnp.zeros((self.directions, x.shape[0], w), x.dtype)
        scanned = (jnp.moveaxis(inputs, 2, 0), jnp.moveaxis(jnp.broadcast_to(masks, inputs.shape[:3]), 2, 0))
        _, states = jax.lax.scan(step, start, scanned, unroll=8)
        states = jnp.moveaxis(states, 0, 2)
        if self.directions == 2:
            states = jnp.stack([states[0], states[1][:, ::-1]])
        return states

    def get_config(self):
        return super().get_config() | {"width": self.width, "directions": self.directions}
