"""Observations of a unit given its state: log densities and draws, from one NumPyro distribution or one per state.

    log p(y_i | z_i = k) = sum_j m_ij log f_k(y_ij),   m_ij = 1 where observation j of unit i exists.

An emission is a distribution whose last batch axis is the state, or a list of K distributions. Covariates enter as
arrays (N, 1, 1), so that with parameters (K,) they give a batch (N, 1, K).
"""

import jax
import jax.numpy as jnp


def covariates_of(names, x):
    """{name: (N, 1, 1)} as an emission takes them."""
    return {name: x[:, j, None, None] for j, name in enumerate(names)}


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
