"""Summary networks: from a data set of any size to a fixed number of Gaussian-regularized statistics.

A local network h_omega summarizes the observations of each unit, and a global network h_psi the units,

    h_psi({h_omega(y_i)}),

regularized by the maximum mean discrepancy between the summaries and a standard normal.
A data set enters packed as (B, N, P, F + 1): features with the mask as the last channel; for an irregular design two
more channels before it say whether a unit exists and begins a sequence.
"""

import jax.numpy as jnp
import keras
import numpy as np
from bayesflow.networks import SummaryNetwork
from bayesflow.utils.serialization import serializable

from amortmix.networks.layers import (
    PACKAGE,
    EquivariantBlock,
    GatedRecurrence,
    LongShortTermMemory,
    MaskedDeepSet,
    Places,
    ShiftConvolution,
    dense_stack,
    masked_mean,
    shapes_of,
    shift,
)
from amortmix.networks.rough import rough_fit


class _DeepSet(keras.Layer):
    """Exchangeable units: equivariant blocks, then a masked mean."""

    def __init__(self, width, depth, inner=1):
        super().__init__()
        self.inner = dense_stack([width] * inner)
        self.blocks = [EquivariantBlock(width) for _ in range(depth)]

    def call(self, units, places):
        h = self.inner(units)
        for block in self.blocks:
            h = block(h, places.observed)
        return masked_mean(h, places.observed)


class _Recurrent(keras.Layer):
    """A time series of short units: a window of three units, a GRU, its mean and last state."""

    def __init__(self, width):
        super().__init__()
        self.embed = dense_stack([width])
        self.recurrence = GatedRecurrence(width)

    def call(self, units, places):
        present = places.observed
        x = units * present[..., None]
        x = self.embed(jnp.concatenate([shift(x, 1), x, shift(x, -1)], axis=-1))
        h = self.recurrence(x, present)[0]
        return jnp.concatenate([masked_mean(h, present), masked_mean(x, present), h[:, -1]], axis=-1)


class _Published(keras.Layer):
    """The paper's global summary of a series: convolutions of three units with rectifiers, then an LSTM's last states.

    Case study 2 has no convolutions and one direction, case study 3 four and both.
    """

    def __init__(self, width, convolutions=0, directions=1):
        super().__init__()
        self.convolutions = [keras.layers.Dense(width, activation="relu") for _ in range(convolutions)]
        self.recurrence = LongShortTermMemory(width, directions)

    def call(self, units, places):
        present = places.observed
        x = units * present[..., None]
        for layer in self.convolutions:
            x = layer(jnp.concatenate([shift(x, 1), x, shift(x, -1)], axis=-1)) * present[..., None]
        h = self.recurrence(x, present)
        # both directions end with what they know of the whole series
        return jnp.concatenate([h[0, :, -1], *h[1:, :, 0]], axis=-1)


class _States(keras.Layer):
    """A series whose units belong to hidden states: means weighted by soft state responsibilities.

    Convolutions give features h_t and responsibilities s_t of each unit. The summary holds the means of inputs and
    features weighted by each s_t, and the products s_t s_t+1, which carry the transitions. ``recurrent`` adds a GRU
    over patches of eight units. ``rough``, a number of classes, adds a rough fit of a Gaussian mixture
    (`amortmix.networks.rough`) to the means of each unit's features: its statistics, and the responsibilities of its
    classes beside the learned ones. Learned features would not do: they hold the number of observations, and where that
    is the same in all units they hardly vary within a class, unlike in any data set of a training with varying numbers.
    """

    PATCH = 8

    def __init__(self, width, blocks, states, recurrent=0, rough=0):
        super().__init__()
        self.recurrent, self.rough = recurrent, rough
        self.embed = dense_stack([width])
        self.blocks = [ShiftConvolution(width, 2**b) for b in range(blocks)]
        self.responsibility = keras.layers.Dense(states)
        self.recurrence = GatedRecurrence(recurrent, directions=2) if recurrent else None

    def _inputs(self, units, mask):
        """What the convolutions see of each unit, and further statistics of the data set (B, any)."""
        return units * mask[..., None], None

    def call(self, units, places, means=None):
        present, exists, starts = places
        x, statistics = self._inputs(units, present)
        known, given = ([] if statistics is None else [statistics]), []
        if self.rough:
            fit = rough_fit(means, present, self.rough, starts)
            x, given = jnp.concatenate([x, fit.standardized, fit.responsibilities], axis=-1), [fit.responsibilities]
            known.append(fit.statistics)
        # features go on through units that were not observed, from those beside them
        holes = [] if starts is None else [(exists - present)[..., None], starts[..., None]]
        h = self.embed(jnp.concatenate([x, *holes], axis=-1))
        for block in self.blocks:
            h = block(h * exists[..., None])
        s = keras.ops.sigmoid(self.responsibility(h)) * exists[..., None]
        s = jnp.concatenate([s, *given], axis=-1)
        seen = jnp.concatenate([x, h], axis=-1)
        share = masked_mean(s, present)
        judged = s * present[..., None]
        weighted = jnp.einsum("bns,bnf->bsf", judged, seen) / (jnp.sum(judged, axis=1)[..., None] + 1.0)
        n = jnp.sum(exists, axis=-1)
        after = s if starts is None else s * (1 - starts)[..., None]
        transitions = jnp.einsum("bns,bnr->bsr", s[:, :-1], after[:, 1:]) / n[:, None, None]
        flat = [a.reshape(a.shape[0], -1) for a in (weighted, transitions)]
        pooled = [masked_mean(seen, present), share, *known, *flat]
        if self.recurrence is not None:
            pooled.append(self._patches(h, exists))
        return jnp.concatenate(pooled, axis=-1)

    def _patches(self, h, mask):
        b, n, d = h.shape
        whole = -(-n // self.PATCH) * self.PATCH
        h = jnp.pad(h, ((0, 0), (0, whole - n), (0, 0))).reshape(b, -1, self.PATCH * d)
        patch_mask = jnp.pad(mask, ((0, 0), (0, whole - n))).reshape(b, -1, self.PATCH).max(-1)
        states = self.recurrence(h, patch_mask)
        return jnp.concatenate([masked_mean(states[g], patch_mask) for g in (0, 1)], axis=-1)


class _Trials(_States):
    """Response times and choices in a sequence whose trials belong to hidden states.

    Response times matter through rt - tau, so the network first guesses a few values of tau / min rt from the whole
    data set; the convolutions of `_States` then look at log(rt - tau) and its inverse.
    """

    def __init__(self, width, blocks, shifts, states, recurrent=0):
        super().__init__(width, blocks, states, recurrent)
        self.shifts = shifts
        self.first = dense_stack([width])
        # guesses of tau / min rt start spread over (0.3, 0.95)
        start = np.linspace(0.3, 0.95, shifts)
        self.guess = keras.layers.Dense(
            shifts,
            kernel_initializer=keras.initializers.VarianceScaling(0.1),
            bias_initializer=keras.initializers.Constant(np.log(start / (1 - start)).tolist()),
        )

    def _inputs(self, units, mask):
        """Features of every trial at the guessed non-decision times, and the guesses."""
        ratio, log_rt, choice = units[..., 0], units[..., 1], units[..., 2]
        x = jnp.stack([jnp.log(ratio), log_rt, choice], axis=-1)
        fraction = 0.995 * keras.ops.sigmoid(self.guess(masked_mean(self.first(x), mask)))
        t = ratio[..., None] - fraction[:, None, :]
        log_t, inverse = jnp.log(t), jnp.minimum(0.1 / t, 10.0)
        x = jnp.concatenate([x, log_t, inverse, choice[..., None] * log_t], axis=-1)
        return x * mask[..., None], fraction


def _design(places):
    """Log of the number of units, share of missing ones, and log of the number of sequences: (B, 3)."""
    n = jnp.sum(places.exists, axis=-1)
    missing = 1 - jnp.sum(places.observed, axis=-1) / n
    return jnp.stack([jnp.log(n) - np.log(100.0), missing, jnp.log1p(jnp.sum(places.starts, axis=-1))], axis=-1)


KINDS = {
    "deep_set": _DeepSet,
    "recurrent": _Recurrent,
    "published": _Published,
    "states": _States,
    "trials": _Trials,
}


@serializable(PACKAGE)
class MixtureSummary(SummaryNetwork):
    """Local and global summary network of a model.

    Parameters
    ----------
    local : dict or None
        Arguments of `MaskedDeepSet`; None passes the single observation of each unit on as it is.
    summary : dict
        ``kind`` and its arguments; ``mix``, hidden widths after pooling (default: one layer of twice ``width``);
        ``dim``, the number of summary statistics.
    irregular : bool
        Whether units may be missing or begin a sequence, which packed data then say.
    """

    def __init__(self, local, summary, irregular=False, base_distribution="normal", **kwargs):
        super().__init__(base_distribution=base_distribution, **kwargs)
        self.local_recipe, self.summary_recipe, self.irregular = local, dict(summary), irregular
        arguments = {k: v for k, v in summary.items() if k not in ("kind", "mix", "dim")}
        self.local = MaskedDeepSet(**local) if local else None
        self.body = KINDS[summary["kind"]](**arguments)
        self.mix = dense_stack(summary.get("mix", [2 * summary["width"]]))
        self.head = keras.layers.Dense(summary["dim"])

    def embed(self, packed):
        """Local summaries (B, N, F') and `Places` of a packed batch (B, N, P, F + 1)."""
        x, mask = self._features(packed), packed[..., -1]
        units = x[:, :, 0, :] if self.local is None else self.local(x, mask)
        observed = keras.ops.max(mask, axis=-1)
        if not self.irregular:
            return units, Places(observed, observed)
        return units, Places(observed, packed[:, :, 0, -3], packed[:, :, 0, -2])

    def pool(self, units, places, packed):
        """Global summary (B, dim) of local ones and of the packed batch that they summarize."""
        means = []
        if self.summary_recipe.get("rough"):
            means = [masked_mean(self._features(packed), packed[..., -1])]
        pooled = self.body(units, places, *means)
        if self.irregular:
            pooled = jnp.concatenate([pooled, _design(places)], axis=-1)
        return self.head(self.mix(pooled))

    def _features(self, packed):
        return packed[..., : -3 if self.irregular else -1]

    def call(self, x, training=False):
        return self.pool(*self.embed(x), x)

    def build(self, input_shape):
        if self.built:
            return
        outputs = shapes_of(self.call, (1, *input_shape[1:]))
        self.base_distribution.build(outputs.shape)
        self.built = True

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.summary_recipe["dim"])

    def get_config(self):
        config = {"local": self.local_recipe, "summary": self.summary_recipe, "name": self.name}
        # files of regular networks stay as they are
        return config | ({"irregular": True} if self.irregular else {})

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
