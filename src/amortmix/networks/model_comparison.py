"""Networks that say which of several models made a data set, where no evidence can be computed.

    q(M | y) = softmax f(h_psi(y), context(y)),     loss = -E log q(M | y) + MMD,     M uniform, y ~ p(y | M)

The loss is smallest for the posterior probabilities p(M | y) under equal ones before the data. All models are seen
through the features of one of them, the `viewer`.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np
from bayesflow.estimators import ModelComparisonEstimator
from bayesflow.networks import MLP, ScoringRuleNetwork
from bayesflow.scoring_rules import CrossEntropyScore

from amortmix.model.identity import covariates_of
from amortmix.networks.estimator import pack
from amortmix.networks.summaries import MixtureSummary
from amortmix.storage.files import BadInput

WIDTHS = (64, 64)


def check(models):
    """Raise `BadInput` unless all models, {name: model}, are of the same columns and designs."""
    if len(models) < 2:
        raise BadInput(f"{len(models)} models to compare; expected at least two, as {{name: model}}")
    (first, known), *others = models.items()
    expected = _of_data(known)
    for name, model in others:
        for what, ours in _of_data(model).items():
            if ours != expected[what]:
                raise BadInput(f"{name} and {first} differ in {what}: {ours} and {expected[what]}; expected the same")


def _of_data(model):
    """What models of the same data have in common."""
    fields = {name: getattr(model, name) for name in ("units", "observations", "design")}
    # in order: components of y and of x have no names
    return {"columns": list(model.columns.items()), "covariates": list(covariates_of(model).items()), **fields}


def viewer(models):
    """The model whose features and kind of summary all data sets are seen through: of chains the one with most states.

    A mixture if there is no chain: the order of its units says nothing.
    """
    return max(models.values(), key=lambda model: (model.dependent, len(model.states)))


def example(models, key):
    """One simulated data set of every model, as the networks take them: leading axis M."""
    view, parts = viewer(models), []
    for i, model in enumerate(models.values()):
        _, data, _ = model.simulate_dataset(jax.random.fold_in(key, i))
        parts.append({"summary_variables": pack(view, data), "inference_conditions": view.context(data)})
    return {"inference_variables": jnp.eye(len(parts)), **jax.tree.map(lambda *rows: jnp.stack(rows), *parts)}


def flat(batch):
    """A batch (B, M, ...) of `example` as (B M, ...)."""
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), batch)


def build(models, recipe, seed):
    """A new `ModelComparisonEstimator` for {name: model}, its summary as in a ``recipe`` of networks."""
    keras.utils.set_random_seed(seed)
    estimator = ModelComparisonEstimator(
        summary_network=MixtureSummary(recipe["local"], recipe["summary"], viewer(models).design.irregular),
        inference_network=ScoringRuleNetwork(
            scoring_rules={"model": CrossEntropyScore()}, subnet=MLP(WIDTHS, dropout=None)
        ),
        standardize=None,
    )
    one = jax.eval_shape(lambda key: example(models, key), jax.random.key(0))
    estimator.build({name: tuple(map(int, np.shape(a))) for name, a in one.items()})
    return estimator


def log_probabilities(estimator, summary_variables, inference_conditions):
    """log q(M | y): (B, M)."""
    summary = estimator.summary_network(summary_variables)
    told = jnp.concatenate([inference_conditions, summary], axis=-1)
    return jax.nn.log_softmax(estimator.inference_network(conditions=told)["model"]["logits"], axis=-1)
