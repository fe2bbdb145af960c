"""Training on from networks that there are, also for a wider range of designs than theirs.

Networks of irregular designs (`amortmix.model.design`) see what those of regular ones see, and after it whether units
exist and begin a sequence; flows that are told the prior see it before the summary. Weights for what is new start at
zero: at first the networks answer as the known ones.
"""

import numpy as np

from amortmix.networks.build import architecture
from amortmix.storage.files import BadInput, plain


def start_from(estimator, recipe, bundle):
    """Give new networks the weights of a `Bundle` with the same architecture; its card.

    Parameters
    ----------
    estimator : MixtureEstimator
        Built.
    recipe : dict
    bundle : Bundle
        Its design may be regular where that of the estimator is not.

    Raises
    ------
    BadInput
        If the bundle's networks are others.
    """
    known, card = bundle.estimator, bundle.card
    for key, value in plain(architecture(recipe)).items():
        if value != (known_value := card["recipe"].get(key)):
            raise BadInput(f"{bundle.folder}/card.json: {key} is {known_value}; expected {value} to train on")
    for ours, theirs in (
        (estimator.trainable_variables, known.trainable_variables),
        (estimator.non_trainable_variables, known.non_trainable_variables),
    ):
        for variable, value in zip(ours, theirs, strict=True):
            flow = any(variable is v for v in estimator.inference_network.variables)
            variable.assign(_grown(np.asarray(value), variable.shape, recipe["summary"]["dim"] if flow else 0))
    return card


def _grown(value, shape, last):
    """Weights (rows, any) with rows of zeros for inputs that come before the ``last`` known ones."""
    missing, place = shape[0] - len(value) if shape else 0, len(value) - last if value.ndim else 0
    if not missing:
        return value
    return np.concatenate([value[:place], np.zeros((missing, *value.shape[1:]), value.dtype), value[place:]])
