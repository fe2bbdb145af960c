"""Amortized Bayesian mixture models: parameters and hidden states of a data set, in seconds.

The posterior of a mixture model factorizes (eq. 14 of Kucharský & Bürkner 2026) as

    p(theta, z | y) = p(theta | y) p(z | y, theta).

The first factor is a normalizing flow on a learned summary of the data set, the second a
classification network; both are trained together on simulations.

Importing this package sets what must be set before JAX and Keras are imported, in one place.
"""

import logging
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# libraries that report their set-up would bury the answers of a notebook
for _name in ("aiohttp.access", "arviz", "fontTools", "httpstan", "jax"):
    logging.getLogger(_name).setLevel(logging.WARNING)
# BayesFlow sets its own level when it is imported: only a filter keeps its greeting back
logging.getLogger("bayesflow").addFilter(lambda record: record.levelno >= logging.WARNING)

__version__ = "0.1.0"
