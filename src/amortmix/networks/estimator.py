"""The joint estimator: all networks of a model, one loss, one file.

    loss = E[ -log q_phi(theta | h_psi({h_omega(y_i)}))                          eq. 11
              - sum_heads mean_i log q(z_i | {h_omega(y)}, theta) ]  + MMD        eq. 20

over draws from the generative model. The classification terms are averaged over the units of a data
set (the paper sums or averages, see notebooks/errata.ipynb), and cost little: they see a share of each batch.
"""

import jax
import jax.numpy as jnp
from bayesflow.estimators import BasicEstimator
from bayesflow.metrics.functional import maximum_mean_discrepancy
from bayesflow.utils.serialization import deserialize, serializable, serialize

from amortmix.networks.layers import PACKAGE, Places, shapes_of


@serializable(PACKAGE)
class MixtureEstimator(BasicEstimator):
    """BayesFlow's estimator with a classifier of the hidden indicators beside the posterior network.

    ``sample``, ``log_prob``, ``summarize`` and ``.keras`` saving are inherited.

    Parameters
    ----------
    summary_network : MixtureSummary
    inference_network : WhitenedFlow
    classifier : UnitClassifier, FilterClassifier or EmissionClassifier
    classified_share : float
        Share of each training batch that the classifier sees, see ``part`` of the classifiers.
    """

    def __init__(self, *, summary_network, inference_network, classifier, classified_share=1.0, **kwargs):
        super().__init__(summary_network=summary_network, inference_network=inference_network, **kwargs)
        self.classifier = classifier
        self.classified_share = classified_share

    def build(self, data_shapes):
        if self.built:
            return
        super().build(data_shapes)
        batch, n = data_shapes["summary_variables"][:2]
        units = shapes_of(lambda x: self.summary_network.embed(x)[0], (1, *data_shapes["summary_variables"][1:]))
        if not self.classifier.built:
            n_theta = data_shapes["inference_variables"][-1]
            self.classifier.build((batch, n, units.shape[-1]), data_shapes["classifier_conditions"], n_theta)
        self._data_shapes = dict(data_shapes)

    def get_build_config(self):
        return {"data_shapes": self._data_shapes}

    def build_from_config(self, config):
        self.build({k: tuple(v) for k, v in config["data_shapes"].items()})

    def classify(self, summary_variables, classifier_conditions, chain=None):
        """Log probabilities of every head, each (B, N, K)."""
        units, places = self.summary_network.embed(summary_variables)
        return self.classifier(units, conditions=classifier_conditions, places=places, chain=chain)

    def moments(self):
        """Mean and scale (d,) of u, by which the flow's variable v is standardized: u = mean + scale v."""
        layer = self.standardizer.standardize_layers["inference_variables"]
        return jnp.asarray(layer.moving_mean[0]), jnp.asarray(layer.moving_std(0))

    def particles(self, noise, inference_variables, inference_conditions, summary_variables):
        """The truth and draws from q: v (B, S, d) with the truth first, and log q(v | y) (B, S).

        Parameters
        ----------
        noise : (B, S - 1, d)
            Standard normal.
        """
        conditions = jnp.concatenate([inference_conditions, self.summary_network(summary_variables)], axis=-1)
        drawn, log_q = self._per_particle(noise, conditions, inverse=True)
        truth = self.standardizer.maybe_standardize(inference_variables, key="inference_variables", stage="inference")
        _, log_q_truth = self.inference_network(truth, conditions=conditions, density=True)
        return jnp.concatenate([truth[:, None], drawn], axis=1), jnp.concatenate([log_q_truth[:, None], log_q], axis=1)

    def _per_particle(self, x, conditions, inverse=False):
        """The flow's other variable (B, S, d) and its log density (B, S); ``conditions`` (B, C)."""
        b, s, d = x.shape
        repeated = jnp.repeat(conditions, s, axis=0)
        z, log_q = self.inference_network(x.reshape(-1, d), conditions=repeated, inverse=inverse, density=True)
        return z.reshape(b, s, d), log_q.reshape(b, s)

    def _told(self, units, places, summary, states, inference_conditions, classifier_conditions):
        """What the flow is told of the data set (B, dim), and the classifier at each unit (B, N, C): here theta."""
        return summary, classifier_conditions

    def _mmd(self, summary, told):
        """The regularization of the global summaries."""
        return from_normal(self.summary_network, summary)

    def compute_metrics(
        self,
        inference_variables,
        inference_conditions,
        summary_variables,
        classifier_conditions,
        states,
        chain=None,
        particles=None,
        coefficients=None,
        modelled=None,
        stage="training",
    ):
        """Joint loss (eq. 20) and its parts: ``posterior`` in nats, ``mmd``, cross-entropy per unit of each head.

        With ``particles`` (B, S, d), the truth first, and ``coefficients`` (B, S) the gradient of ``posterior`` is
        that of `amortmix.training.importance`, its value that at the truth. Only where ``modelled`` (B,) is 1 does the
        data set have a truth, and are its states judged.
        """
        modelled = jnp.ones(summary_variables.shape[0]) if modelled is None else modelled
        units, places = self.summary_network.embed(summary_variables)
        summary = self.summary_network.pool(units, places, summary_variables)
        told, at_units = self._told(units, places, summary, states, inference_conditions, classifier_conditions)
        mmd = self._mmd(summary, told)

        u = self.standardizer.maybe_standardize(inference_variables, key="inference_variables", stage="inference")
        conditions = jnp.concatenate([inference_conditions, told], axis=-1)
        if particles is None:
            posterior = self.inference_network.compute_metrics(u, conditions=conditions, stage=stage)["loss"]
        else:
            log_q = self._per_particle(particles, conditions)[1]
            weighted = -jnp.mean(jnp.sum(coefficients * log_q, axis=1))
            # a draw whose density overflows spoils the gradient of its batch, not the loss
            gradient_only = jnp.where(jnp.isfinite(weighted), weighted - jax.lax.stop_gradient(weighted), 0.0)
            at_truth = -jnp.sum(jnp.where(modelled > 0, log_q[:, 0], 0.0)) / jnp.maximum(modelled.sum(), 1.0)
            posterior = jax.lax.stop_gradient(at_truth) + gradient_only

        share = self.classified_share if stage == "training" else 1.0
        judged = places.exists * modelled[:, None]
        parts = self.classifier.part(share, units, at_units, *places, states, chain, judged)
        seen, theta, *places, z, chain, judged = parts
        log_probs = self.classifier(seen, conditions=theta, places=Places(*places), chain=chain)
        entropies = {k: _cross_entropy(v, z, judged) for k, v in log_probs.items()}
        loss = posterior + mmd + sum(entropies.values())
        return {"loss": loss, "posterior": posterior, "mmd": mmd, **entropies}

    def get_config(self):
        config = super().get_config()
        config["classifier"] = serialize(self.classifier)
        config["classified_share"] = self.classified_share
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**deserialize(config, custom_objects=custom_objects))


def from_normal(network, summary):
    """Maximum mean discrepancy between a batch of summaries (B, dim) and the network's standard normal."""
    return maximum_mean_discrepancy(summary, network.base_distribution.sample((summary.shape[0],)))


def _cross_entropy(log_probs, states, mask):
    """Mean of -log q(z_i) over the units where ``mask`` is 1."""
    chosen = jnp.take_along_axis(log_probs, states[..., None], axis=-1)[..., 0]
    return -jnp.sum(chosen * mask) / jnp.maximum(jnp.sum(mask), 1.0)


def pack(model, data):
    """One data set as the summary network takes it: features with the mask as last channel (N, P, F + 1).

    For an irregular design two channels stand before the mask: whether a unit exists, and begins a sequence.
    """
    channels = [model.network_inputs(data)]
    if model.design.irregular:
        starts = jnp.zeros_like(data.exists) if data.starts is None else data.starts
        places = jnp.stack([data.exists, starts], axis=-1)[:, None]
        channels.append(jnp.broadcast_to(places, (*data.mask.shape, 2)))
    return jnp.concatenate([*channels, data.mask[..., None]], axis=-1)


def training_example(model, key):
    """One simulated data set under the keys of `MixtureEstimator.compute_metrics`."""
    model = model.under_any_prior(key)
    theta, data, z = model.simulate_dataset(key)
    return {**as_example(model, theta, data), "states": z}


def as_example(model, theta, data):
    """What the networks take of one data set and its parameters, all but the states."""
    u = model.bijection(data).inverse(theta)
    chain = {"chain": chain_of(model, theta, data)} if model.dependent else {}
    return {
        "inference_variables": u,
        "inference_conditions": model.context(data),
        "summary_variables": pack(model, data),
        "classifier_conditions": model.unit_conditions(u, data),
        **chain,
    }


def chain_of(model, theta, data):
    """log p(z_1) and the log transition matrix as one array (K + 1, K), or (N, K + 1, K) where covariates drive it."""
    log_init, log_trans = model.chain(theta, data.x)
    return jnp.concatenate([log_init[..., None, :], log_trans], axis=-2)
