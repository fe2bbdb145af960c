"""Amortized Bayesian mixture models: parameters and hidden states of a data set, in seconds.

The posterior of a mixture model factorizes (eq. 14 of Kucharský & Bürkner 2026) as

    p(theta, z | y) = p(theta | y) p(z | y, theta).

The first factor is a normalizing flow on a learned summary of the data set, the second a classification network; both
are trained together on simulations.

Importing this package sets what must be set before JAX and Keras are imported, and imports nothing else: the names
below are looked up when they are used.
"""

import importlib.util
import logging
import os

# whatever another project needs: these networks are written for JAX
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# libraries that report their set-up would bury the answers of a notebook
for _name in ("arviz", "fontTools", "httpstan", "jax"):
    logging.getLogger(_name).setLevel(logging.WARNING)
# BayesFlow sets its own level when it is imported: only a filter keeps its greeting back
logging.getLogger("bayesflow").addFilter(lambda record: record.levelno >= logging.WARNING)

__version__ = "0.2.0"

#: Public name -> module that has it.
_PUBLIC = {
    "load": "amortmix.loading",
    "train": "amortmix.trainer",
    "learn_density": "amortmix.training.density",
    "export": "amortmix.trainer",
    "models": "amortmix.storage.pretrained",
    "check": "amortmix.model.check",
    "load_fit": "amortmix.inference.saved",
    "compare": "amortmix.inference.compare",
    "train_comparison": "amortmix.model_comparison",
    "load_comparison": "amortmix.model_comparison",
    "train_points": "amortmix.points",
    "load_points": "amortmix.points",
    "population": "amortmix.populations",
    "find": "amortmix.model.registry",
    "Data": "amortmix.model.data",
    "Mixture": "amortmix.model.mixture",
    "HiddenMarkov": "amortmix.model.markov",
    "Between": "amortmix.model.varied",
    "two_state": "amortmix.model.hmm",
    "stationary": "amortmix.model.chains",
    "Memory": "amortmix.model.chains",
    "Durations": "amortmix.model.chains",
    "ordered": "amortmix.model.distributions",
    "OrderedNormal": "amortmix.model.distributions",
    "Increments": "amortmix.model.distributions",
    "Wald": "amortmix.model.distributions",
    "ZeroInflated": "amortmix.model.zeros",
    "UnitNumber": "amortmix.model.covariates",
    "Resampled": "amortmix.model.covariates",
    "Real": "amortmix.model.columns",
    "Positive": "amortmix.model.columns",
    "NonNegative": "amortmix.model.columns",
    "Angle": "amortmix.model.columns",
    "NonNegativeInteger": "amortmix.model.columns",
    "Choice": "amortmix.model.columns",
    "BadInput": "amortmix.storage.files",
}
#: What an install without the extra `train` has.
_LIGHT = {"load", "models", "load_fit", "compare", "Data", "BadInput"}
_LIGHT |= {"Real", "Positive", "NonNegative", "Angle", "NonNegativeInteger", "Choice"}
__all__ = sorted(_PUBLIC if importlib.util.find_spec("jax") is not None else _LIGHT)


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'amortmix' has no attribute {name!r}; it has {', '.join(__all__)}")
    try:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    except ModuleNotFoundError as error:
        raise AttributeError(f"amortmix.{name} needs {error.name}: pip install 'amortmix[train]'") from error


def __dir__():
    return [*globals(), *__all__]
