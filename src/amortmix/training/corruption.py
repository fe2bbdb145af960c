"""Data sets that no theta makes, for a posterior that holds where the model is wrong.

Real data differ from every simulation: units resemble their neighbours, errors are faster than correct responses, a
few units are of another kind. A network that has seen simulations alone extrapolates there, however long it was
trained. A simulated data set y with states z is therefore corrupted,

    contamination    y_i <- a unit simulated under theta', between theta and another draw from the prior,
    neighbours       the order of the y_i in a state becomes that of  a e_i + sqrt(1 - a^2) noise_i,  e slow in i,
    components       the order of their last component becomes that of  b r_i + sqrt(1 - b^2) noise_i,

with r_i the standardized rank of y_i in its state, and a, b, the share of contaminants and the distance of theta' drawn
for each data set. The density p(theta, y) is known for any y, and `amortmix.training.importance` needs nothing else.
"""

import jax
import jax.numpy as jnp

from amortmix.model.data import filled

#: Largest strength of the dependence between neighbours and between components.
STRONGEST = 0.9
#: Largest share of contaminants: under another draw from the prior, and under one close to theta.
SMALLEST_SHARE, LARGEST_SHARE = 0.03, 0.5


def corrupt(model, key, theta, data, z):
    """A simulated data set with units, order and dependence that the model does not make; its states remain ``z``."""
    key_other, key_mixed, key_order = jax.random.split(key, 3)
    mixed = contaminate(model, key_mixed, theta, data, key_other)
    return rearrange(key_order, mixed, jnp.where(data.observed > 0, z, len(model.states)), len(model.states))


def contaminate(model, key, theta, data, key_other):
    """Some units replaced by those of a parameter between theta and another draw; many if it is close."""
    key_far, key_share, key_which, key_y = jax.random.split(key, 4)
    other, other_data, _ = model.simulate_dataset(key_other)
    bijection = model.bijection(data)
    u, v = bijection.inverse(theta), model.bijection(other_data).inverse(other)
    far = jax.random.uniform(key_far)
    y, _ = model.simulate(
        key_y, bijection.forward(u + far * (v - u)), data.mask, data.x, data.sequence, data.components
    )
    share = jax.random.uniform(key_share) * (SMALLEST_SHARE + (LARGEST_SHARE - SMALLEST_SHARE) * (1 - far))
    chosen = jax.random.bernoulli(key_which, share, data.observed.shape) & (data.observed > 0)
    return filled(data._replace(y=jnp.where(chosen[:, None, None], y, data.y)))


def rearrange(key, data, state, n_states):
    """Units, and the last component of their observations, exchanged within a state (N,); ``n_states``: unobserved."""
    key_a, key_b, key_wave, key_noise, key_more = jax.random.split(key, 5)
    n, components = data.y.shape[0], data.y.shape[2]
    a = STRONGEST * jax.random.uniform(key_a)
    score = a * _slow(key_wave, n) + jnp.sqrt(1 - a**2) * jax.random.normal(key_noise, (n,))
    source, place = _order(_level(data, 0), state), _order(score, state)
    moved = jax.tree.map(lambda a: a.at[place].set(a[source]), data._replace(sequence=None, prior=None))
    data = moved._replace(sequence=data.sequence, prior=data.prior)
    if components > 1:
        b = jax.random.uniform(key_b, minval=-STRONGEST, maxval=STRONGEST)
        score = b * _ranks(place, state, n_states) + jnp.sqrt(1 - b**2) * jax.random.normal(key_more, (n,))
        source, place = _order(_level(data, components - 1), state), _order(score, state)
        data = data._replace(y=data.y.at[place, :, -1].set(data.y[source, :, -1]))
        if data.components is not None:
            there = data.components
            data = data._replace(components=there.at[place, :, -1].set(there[source, :, -1]))
    return filled(data)


def _order(score, state):
    """Units sorted by state, and within a state by score."""
    return jnp.lexsort((score, state))


def _ranks(place, state, n_states):
    """Rank of each unit within its state, with mean 0 and variance 1, where ``place`` lists units in order."""
    size = jnp.bincount(state, length=n_states + 1)
    rank = jnp.zeros_like(place).at[place].set(jnp.arange(len(place))) - (jnp.cumsum(size) - size)[state]
    return jnp.sqrt(12.0) * ((rank + 0.5) / size[state] - 0.5)


def _level(data, component):
    """Mean of one component over the observations of each unit, (N,)."""
    return jnp.sum(data.y[..., component] * data.mask, axis=1) / jnp.maximum(data.mask.sum(1), 1.0)


def _slow(key, n):
    """A sine of unit variance with any phase and a period of 4 to 2 n units, (n,)."""
    key_period, key_phase = jax.random.split(key)
    period = jnp.exp(jax.random.uniform(key_period, minval=jnp.log(4.0), maxval=jnp.log(2.0 * n)))
    return jnp.sqrt(2.0) * jnp.sin(2 * jnp.pi * (jnp.arange(n) / period + jax.random.uniform(key_phase)))
