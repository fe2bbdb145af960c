"""Posterior predictive data sets, of the design of the observed one, and whether they look like it.

y_rep ~ p(y | theta^(s)),   p = P(T(y_rep) >= T(y)),   T the mean, spread, smallest and largest value of a column
"""

from functools import lru_cache

import jax
import numpy as np

REPLICATIONS = 400
#: A two-sided p-value below this is a surprise: with four statistics a column, one of 50 data sets has one by chance.
SURPRISE = 0.005


def replicate(model, theta, data, seed, replications=REPLICATIONS):
    """Data sets under the first draws.

    Parameters
    ----------
    theta : (S, D)
    data : Data
        Whose mask, covariates and sequences are kept, and of a model with lags the observations that condition.

    Returns
    -------
    y, z : (replications, N, P, D_y), (replications, N)
    """
    theta = theta[:replications]
    keys = jax.random.split(jax.random.key(seed), len(theta))
    return tuple(np.asarray(a) for a in _replicator(model)(keys, theta, data))


@lru_cache(maxsize=16)
def _replicator(model):
    """Compiled once for a model, whatever the number of its data sets."""

    def one(key, theta, data):
        return model.simulate(key, theta, data.mask, data.x, data.sequence, data.components, data.y)

    return jax.jit(jax.vmap(one, in_axes=(0, 0, None)))


def statistics(y, there):
    """{name: (..., D)} of observations y (..., N, P, D), of which ``there`` (N, P, D) says what was made."""
    seen = np.where(there > 0, y, np.nan)
    axes = (-3, -2)
    return {
        "mean": np.nanmean(seen, axes),
        "standard deviation": np.nanstd(seen, axes),
        "smallest value": np.nanmin(seen, axes),
        "largest value": np.nanmax(seen, axes),
    }


def surprises(model, theta, data, seed):
    """Sentences about statistics of the data that hardly any replicated data set has."""
    y, _ = replicate(model, theta, data, seed, REPLICATIONS)
    ours, theirs, found = statistics(data.y, data.seen), statistics(y, data.seen), []
    for name, value in ours.items():
        above, below = (theirs[name] >= value).mean(0), (theirs[name] <= value).mean(0)
        for j, column in enumerate(model.columns):
            if 2 * min(above[j], below[j]) < SURPRISE:
                found.append(f"the {name} of {column}, {value[j]:.3g}, is not what the fitted model predicts")
    return found
