"""The posterior network q_phi(theta | y): a conditional affine map followed by a spline coupling flow.

    xi = f(L(s) (u - m(s)); s),   log q(u | s) = log Normal(xi; 0, 1) + log |det f'| + log det L(s),

with s the summary and the context, m and the lower triangular L from one network. The affine part
brings a narrow posterior to unit scale, and BayesFlow's splines (Durkan et al. 2019) shape the rest.
"""

import keras
from bayesflow.networks import CouplingFlow, InferenceNetwork
from bayesflow.networks.inference.coupling.transforms import SplineTransform
from bayesflow.utils import weighted_mean
from bayesflow.utils.serialization import serializable

from amortmix.networks.layers import PACKAGE, dense_stack

#: Smallest slope of a spline at a knot.
SLOPE = 1e-12


class Spline(SplineTransform):
    """BayesFlow's spline with slopes that do not underflow to zero.

    The logarithm of a slope of zero has no gradient, also for a value outside of the spline, whose density it is not
    part of: from then on hardly a batch can be learned from.
    """

    def constrain_parameters(self, parameters):
        found = super().constrain_parameters(parameters)
        return found | {"derivatives": keras.ops.maximum(found["derivatives"], SLOPE)}


@serializable(PACKAGE)
class WhitenedFlow(InferenceNetwork):
    """Conditional whitening and spline coupling flow.

    Parameters
    ----------
    depth, widths, bins
        Coupling layers, hidden widths of their networks, spline bins.
    whitening : list of int
        Hidden widths of the network for m and L; empty: the splines alone, as in the paper.
    bound : float, optional
        Largest absolute value of the logarithms on the diagonal of L. A data set unlike all before can otherwise
        ask for any scale, and its loss and gradient overflow.
    """

    def __init__(self, depth, widths, bins, whitening, bound=None, **kwargs):
        super().__init__(base_distribution="normal", **kwargs)
        self.recipe = {
            "depth": depth,
            "widths": list(widths),
            "bins": bins,
            "whitening": list(whitening),
            "bound": bound,
        }
        self.flow = CouplingFlow(
            depth=depth,
            transform=Spline(bins=bins, default_domain=(-4.0, 4.0, -4.0, 4.0)),
            subnet_kwargs={"widths": tuple(widths), "activation": "silu", "dropout": 0.0},
        )
        self.trunk = dense_stack(whitening) if whitening else None

    def build(self, xz_shape, conditions_shape=None):
        if self.built:
            return
        d = xz_shape[-1]
        if self.trunk is not None:
            self.trunk.build(conditions_shape)
            hidden = (*conditions_shape[:-1], self.recipe["whitening"][-1])
            self.affine = keras.layers.Dense(2 * d + d * (d - 1) // 2, kernel_initializer="zeros")
            self.affine.build(hidden)
        self.flow.build(xz_shape, conditions_shape)
        self.base_distribution.build(xz_shape)
        self.built = True

    def _affine(self, conditions, d):
        """Mean (..., d), log diagonal (..., d) and the rows below it of L."""
        out = self.affine(self.trunk(conditions))
        mean, log_diagonal, lower = out[..., :d], out[..., d : 2 * d], out[..., 2 * d :]
        if bound := self.recipe["bound"]:
            log_diagonal = bound * keras.ops.tanh(log_diagonal / bound)
        rows = [lower[..., i * (i - 1) // 2 : i * (i + 1) // 2] for i in range(d)]
        return mean, log_diagonal, rows

    def _forward(self, x, conditions=None, density=False, training=False, **kwargs):
        if self.trunk is None:
            return self.flow(x, conditions=conditions, density=density, training=training)
        mean, log_diagonal, rows = self._affine(conditions, x.shape[-1])
        centred = x - mean
        whitened = keras.ops.exp(log_diagonal) * centred
        below = [keras.ops.sum(rows[i] * centred[..., :i], axis=-1) for i in range(x.shape[-1])]
        whitened = whitened + keras.ops.stack(below, axis=-1)
        if not density:
            return self.flow(whitened, conditions=conditions, training=training)
        z, log_density = self.flow(whitened, conditions=conditions, density=True, training=training)
        return z, log_density + keras.ops.sum(log_diagonal, axis=-1)

    def _inverse(self, z, conditions=None, density=False, training=False, **kwargs):
        if self.trunk is None:
            return self.flow(z, conditions=conditions, inverse=True, density=density, training=training)
        mean, log_diagonal, rows = self._affine(conditions, z.shape[-1])
        result = self.flow(z, conditions=conditions, inverse=True, density=density, training=training)
        whitened, log_density = result if density else (result, None)
        centred = []
        for i in range(z.shape[-1]):
            below = sum((rows[i][..., j] * centred[j] for j in range(i)), 0.0)
            centred.append((whitened[..., i] - below) * keras.ops.exp(-log_diagonal[..., i]))
        x = mean + keras.ops.stack(centred, axis=-1)
        return (x, log_density + keras.ops.sum(log_diagonal, axis=-1)) if density else x

    def compute_metrics(self, x, conditions=None, sample_weight=None, stage="training", **kwargs):
        _, log_density = self(x, conditions=conditions, density=True, training=stage == "training")
        return {"loss": weighted_mean(-log_density, sample_weight)}

    def get_config(self):
        return {**self.recipe, "name": self.name, "seed": self.seed}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
