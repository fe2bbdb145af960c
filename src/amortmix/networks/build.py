"""From a recipe to new networks: which estimator, its parts, and the standardization of u.

Parameters come first, p(theta | y) p(z | y, theta) (eq. 14), unless the recipe has a ``labelled_summary``: then the
indicators do, p(z | y) p(theta | z, y) (eq. 21).
"""

import jax.numpy as jnp
import keras
import numpy as np

from amortmix.networks import classifiers
from amortmix.networks.estimator import MixtureEstimator
from amortmix.networks.flow import WhitenedFlow
from amortmix.networks.indicators_first import IndicatorsFirstEstimator
from amortmix.networks.summaries import MixtureSummary
from amortmix.storage.files import BadInput


def architecture(recipe):
    """The part of a recipe that says what the networks are, not how they are trained."""
    return {key: recipe.get(key) for key in ("local", "summary", "labelled_summary", "flow", "classifier")}


def build_estimator(model, recipe, examples, seed):
    """A new estimator for a model.

    Parameters
    ----------
    model : Model
    recipe : dict
        ``local``, ``summary``, ``flow``, ``classifier`` and ``classified_share``, see `amortmix.training.recipes`, and
        maybe ``labelled_summary``, the second global summary of `IndicatorsFirstEstimator`.
    examples : dict of arrays
        A large batch of `training_example`; fixes shapes and the standardization of u.
    seed : int
        Seed of the initial weights.

    Raises
    ------
    BadInput
        If these networks do not go with the model.
    """
    _check(model, recipe)
    keras.utils.set_random_seed(seed)
    arguments = {k: v for k, v in recipe["classifier"].items() if k != "kind"}
    if recipe["classifier"]["kind"] == "emission" and model.arcs is not None:
        arguments["arcs"] = [a.tolist() for a in model.arcs]
    parts = {
        "summary_network": MixtureSummary(recipe["local"], recipe["summary"], model.design.irregular),
        "inference_network": WhitenedFlow(**recipe["flow"]),
        "classifier": classifiers.KINDS[recipe["classifier"]["kind"]](n_states=len(model.states), **arguments),
        "classified_share": recipe["classified_share"],
        "standardize": "inference_variables",
    }
    if labelled := recipe.get("labelled_summary"):
        estimator = IndicatorsFirstEstimator(labelled_summary=MixtureSummary(None, labelled), **parts)
    else:
        estimator = MixtureEstimator(**parts)
    shapes = {k: tuple(int(s) for s in np.shape(v)) for k, v in examples.items()}
    estimator.build({k: (1, *v[1:]) for k, v in shapes.items()})
    estimator.standardizer.maybe_standardize(
        jnp.asarray(examples["inference_variables"]), key="inference_variables", stage="training"
    )
    return estimator


def _check(model, recipe):
    """Refuse networks that cannot take the model's data sets."""
    if model.design.irregular and model.dependent and recipe["classifier"]["kind"].endswith("filter"):
        raise BadInput(f"{model.name}: classifier of kind filter; expected emission, which knows holes and sequences")
    if recipe.get("labelled_summary") and (model.dependent or model.design.irregular):
        raise BadInput(f"{model.name}: a labelled_summary; expected none but for a mixture without missing units")
