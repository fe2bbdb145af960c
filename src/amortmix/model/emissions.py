"""Observations of a unit given its state: log densities and draws, from one NumPyro distribution or one per state.

    log p(y_i | z_i = k) = sum_j m_ij log f_k(y_ij),   m_ij = 1 where observation j of unit i exists.

An emission is a distribution whose last batch axis is the state, or a list of K distributions. Covariates enter as
arrays (N, 1, 1), so that with parameters (K,) they give a batch (N, 1, K).
"""

import inspect

import jax
import jax.numpy as jnp

from amortmix.model.covariates import Resampled


def of(model, p, x):
    """The emission of a model at what its prior returns, with covariates x (N, C) where it has any."""
    if not model.covariates:
        return model.emission(p)
    return model.emission(p, {name: x[:, j, None, None] for j, name in enumerate(model.covariates)})


def takes_covariates(function):
    """Whether a function of a declaration takes covariates beside what the prior returns."""
    parameters = inspect.signature(function).parameters.values()
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters) > 1


def given(model, function, p, x):
    """``function`` of a chain at what the prior returns, with covariates {name: (N, 1)} if it takes them."""
    if not takes_covariates(function):
        return function(p)
    return function(p, {name: x[:, j, None] for j, name in enumerate(model.covariates)})


def parts(emission):
    """An emission as distributions whose last batch axis, possibly of length one, is the state."""
    return list(emission) if isinstance(emission, (list, tuple)) else [emission]


def log_densities(emission, data):
    """log p(y_i | z_i = k): (N, K), zero for units that do not exist.

    Parameters
    ----------
    emission : Distribution or list of Distribution
    data : Data
        With a valid value in every place.
    """
    found = []
    for part in parts(emission):
        y = data.y[:, :, None, :] if part.event_shape else data.y[..., 0, None]
        found.append(part.log_prob(y))
    found = jnp.concatenate(found, axis=-1)
    return jnp.sum(jnp.where(data.mask[..., None] > 0, found, 0.0), axis=1)


def draw(emission, key, z, shape):
    """y (N, P, D) of units in states z (N,).

    Parameters
    ----------
    shape : (int, int)
        N and P.
    """
    draws, found = [], parts(emission)
    for part, key_part in zip(found, jax.random.split(key, len(found))):
        states = part.batch_shape[-1] if part.batch_shape else 1
        drawn = part.expand((*shape, states)).sample(key_part).astype(float)
        draws.append(drawn if part.event_shape else drawn[..., None])
    y = jnp.concatenate(draws, axis=2)
    return jnp.take_along_axis(y, z[:, None, None, None], axis=2)[:, :, 0]


def sample_covariates(covariates, key, units):
    """x (N, C) from the distributions of the covariates, or None where there are none."""
    if not covariates:
        return None
    keys = jax.random.split(key, len(covariates))
    # what is resampled begins at the same place in all columns
    drawn = [d.sample(keys[0] if isinstance(d, Resampled) else k, (units,)) for d, k in zip(covariates.values(), keys)]
    return jnp.stack(drawn, axis=-1).astype(float)


def simulate_units(model, key, p, z, shape, x):
    """y (N, P, D) by the simulator of one unit that a model declares; ``shape`` is (N, P)."""
    keys = jax.random.split(key, shape[0])

    def one(key, z, x):
        given = () if x is None else (dict(zip(model.covariates, x)),)
        return jnp.asarray(model.simulate_unit(key, p, z, *given), float).reshape(shape[1], len(model.columns))

    return jax.vmap(one, in_axes=(0, 0, None if x is None else 0))(keys, z, x)
