"""The alternative factorization of section 2.5: first the indicators, then parameters given sampled indicators.

    p(theta, z | y) = p(z | y) p(theta | z, y)                                              eq. 21
    p(z_i | y)      ≈ softmax f_alpha(h_omega(y_i), h_psi({h_omega(y_j)}))                   eq. 22
    p(theta | z, y) ≈ q_phi(theta | h_xi({h_omega(y_i), z_i}))                               eq. 23

Each is right when it is trained to the end, yet together they are not the joint posterior: theta is integrated out of
eq. 22, which makes the indicators dependent, and prod_i p(z_i | y) is not p(z | y).
"""

import jax
import jax.numpy as jnp
from bayesflow.utils.serialization import serializable, serialize

from amortmix.networks.estimator import MixtureEstimator, from_normal
from amortmix.networks.layers import PACKAGE, shapes_of
from amortmix.storage.files import BadInput


@serializable(PACKAGE)
class IndicatorsFirstEstimator(MixtureEstimator):
    """The networks of `MixtureEstimator`, told other things, and a second global summary.

    Parameters
    ----------
    labelled_summary : MixtureSummary
        h_xi: a set network of units whose observation is their local summary beside their indicator.
    summary_network : MixtureSummary
        h_omega, and h_psi for the classifier alone.
    """

    def __init__(self, *, labelled_summary, **kwargs):
        super().__init__(**kwargs)
        self.labelled_summary = labelled_summary

    def build(self, data_shapes):
        if self.built:
            return
        *batch, n_context = data_shapes["inference_conditions"]
        n = data_shapes["summary_variables"][1]
        told = (*batch, n, self.summary_network.summary_recipe["dim"] + n_context)
        super().build({**data_shapes, "classifier_conditions": told})
        self._data_shapes = dict(data_shapes)

    def _build_inference_network(self, data_shapes):
        """The flow is told of h_xi, not of h_psi."""
        packed = data_shapes["summary_variables"]
        units = shapes_of(lambda x: self.summary_network.embed(x)[0], (1, *packed[1:]))
        labelled = (*units.shape[:2], 1, units.shape[-1] + self.classifier.n_states + 1)
        self.labelled_summary.build(labelled)
        outputs = self.labelled_summary.compute_output_shape(labelled)
        super()._build_inference_network({**data_shapes, "_summary_outputs": outputs})

    def _told(self, units, places, summary, states, inference_conditions, classifier_conditions):
        """h_xi for the flow; h_psi and the design for the classifier, at each unit and in the place of theta."""
        return self._labelled(units, places, states), self._at_units(summary, inference_conditions, units)

    def _mmd(self, summary, told):
        return super()._mmd(summary, told) + from_normal(self.labelled_summary, told)

    def _labelled(self, units, places, states):
        """h_xi (B, dim) of local summaries (B, N, F') and indicators (B, N)."""
        one_hot = jax.nn.one_hot(states, self.classifier.n_states)
        seen = jnp.concatenate([units, one_hot, places.exists[..., None]], axis=-1)
        return self.labelled_summary(seen[:, :, None])

    def _at_units(self, summary, inference_conditions, units):
        shared = jnp.concatenate([summary, inference_conditions], axis=-1)
        return jnp.broadcast_to(shared[:, None], (*units.shape[:2], shared.shape[-1]))

    def classify(self, summary_variables, inference_conditions):
        """log p(z_i | y), theta integrated out (eq. 22): {"classification": (B, N, K)}."""
        units, places = self.summary_network.embed(summary_variables)
        summary = self.summary_network.pool(units, places, summary_variables)
        told = self._at_units(summary, inference_conditions, units)
        return self.classifier(units, conditions=told, places=places)

    def flow_conditions(self, summary_variables, inference_conditions, states):
        """What the flow is told of one data set (1, ...) with each of many indicators (S, N): (S, C)."""
        units, places = self.summary_network.embed(summary_variables)
        units, exists = (jnp.broadcast_to(a, (len(states), *a.shape[1:])) for a in (units, places.exists))
        labelled = self._labelled(units, places._replace(exists=exists), states)
        context = jnp.broadcast_to(inference_conditions, (len(states), inference_conditions.shape[-1]))
        return jnp.concatenate([context, labelled], axis=-1)

    def particles(self, *arguments):
        """Importance weights of the loss are those of eq. 14: theta given y, the indicators summed out."""
        raise BadInput("a schedule with particles; expected none for networks that begin with the indicators")

    def get_config(self):
        return super().get_config() | {"labelled_summary": serialize(self.labelled_summary)}
