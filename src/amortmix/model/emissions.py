"""Observations of a unit given its state: log densities and draws, of what a declaration says of them.

    log p(y_i | z_i = k) = sum_j m_ij log f_k(y_ij),   m_ij = 1 where observation j of unit i exists.

An emission is a distribution whose last batch axis is the state, a list of K distributions, or a dict of these by
column (`amortmix.model.streams`). Covariates enter as arrays (N, 1, 1), so that with parameters (K,) they give a batch
(N, 1, K); so do the observations that came before, of each lag, where a model has lags:

    log p(y_t | z_t, y_t-1, ..., y_t-L)

for units whose last L were observed in the same sequence. The other observations condition: they are given.
"""

import inspect

import jax
import jax.numpy as jnp

from amortmix.model import streams
from amortmix.model.covariates import Resampled
from amortmix.model.data import complete
from amortmix.storage.files import BadInput


def of(model, p, x, past=None):
    """The emission of a model at what its prior returns.

    Parameters
    ----------
    p : dict
    x : (N, C) or None
        Covariates, where the model has any; an emission that does not take them is not given them.
    past : {column: (L, N, 1, 1)}, optional
        Observations that came before, where it has lags: the last one first.
    """
    given = [{name: x[:, j, None, None] for j, name in enumerate(model.covariates)}] if model.covariates else []
    given += [past] if model.lags else []
    if model.covariates and len(_positional(model.emission)) == len(given):
        given = given[1:]  # covariates that drive the states alone
    return _said(model, "emission", p, *given)


def _said(model, name, *given):
    """What a function of the declaration says.

    Raises
    ------
    BadInput
        If it asks for a name that is not there.
    """
    try:
        return getattr(model, name)(*given)
    except KeyError as error:
        known = " and ".join(", ".join(names) for names in given)
        raise BadInput(f"{model.name}: {name} asks for {error.args[0]!r}; there are {known}") from error


def past(model, data):
    """{column: (L, N, 1, 1)} of the observations that came before each unit, any valid value where there is none.

    None for a model without lags.
    """
    if not model.lags:
        return None
    shifted = [jnp.concatenate([data.y[:1]] * lag + [data.y])[: len(data.y)] for lag in range(1, model.lags + 1)]
    found = jnp.stack(shifted)  # (L, N, 1, D)
    return {name: found[..., j, None] for j, name in enumerate(model.columns)}


def takes_covariates(function):
    """Whether a function of a declaration takes covariates beside what the prior returns."""
    return len(_positional(function)) > 1


def _positional(function):
    parameters = inspect.signature(function).parameters.values()
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def required(function):
    """How many arguments without a default a function takes."""
    return sum(p.default is p.empty for p in _positional(function))


def hidden(model, name, shape, p, x):
    """What the field ``name`` of a model says of its classes or states: of ``shape``, or (N, *shape) where driven.

    Raises
    ------
    BadInput
        If it has another shape, or the function asks for a name that is not there.
    """
    taken = takes_covariates(getattr(model, name))
    covariates = [{column: x[:, j, None] for j, column in enumerate(model.covariates)}] if taken else []
    found = jnp.asarray(_said(model, name, p, *covariates))
    if found.shape != shape and not (model.driven and found.shape == (len(x), *shape)):
        units = f", or {(len(x), *shape)}, one for each unit" if model.driven else ""
        raise BadInput(f"{model.name}: {name} gives an array of shape {found.shape}; expected {shape}{units}")
    return found


def log_densities(model, p, data, before=None):
    """log p(y_i | z_i = k): (N, K), zero for units that were not observed, and for those that condition.

    Parameters
    ----------
    model : Model
        With an emission.
    p : dict
        What its prior returns.
    data : Data
        With a valid value in every place.
    before : dict, optional
        Of a model with lags, `past` of other observations than those of ``data``.
    """
    found = _streams(model, of(model, p, data.x, past(model, data) if before is None else before))
    found = sum(streams.log_density(stream, data.y, data.components) for stream in found)
    each = jnp.sum(jnp.where(data.mask[..., None] > 0, found, 0.0), axis=1)
    return jnp.where(complete(data, model.lags)[:, None] > 0, each, 0.0) if model.lags else each


def _streams(model, emission):
    return streams.streams(emission, tuple(model.columns), model.name)


def example(model):
    """The streams of a model at a draw of its prior, for what does not depend on where it is evaluated."""
    with jax.ensure_compile_time_eval():
        p = model.natural(model.sample_prior(jax.random.key(0)))
        x = model.sample_covariates(jax.random.key(1), 1)
        first = first_ones(model, jax.random.key(2), 1)
        lagged = {
            name: jnp.full((model.lags, 1, 1, 1), y)
            for name, y in zip(model.columns, () if first is None else first[0])
        }
        return _streams(model, of(model, p, x, lagged))


def draw(found, key, z, shape):
    """y (N, P, D) of units in states z (N,).

    Parameters
    ----------
    found : list of Stream
    shape : (int, int)
        N and P.
    """
    if len(found) == 1:
        return streams.draw(found[0], key, z, shape)
    drawn = [streams.draw(s, k, z, shape) for s, k in zip(found, jax.random.split(key, len(found)))]
    order = sorted((column, i, j) for i, s in enumerate(found) for j, column in enumerate(s.columns))
    return jnp.stack([drawn[i][..., j] for _, i, j in order], axis=-1)


def simulate(model, key, p, z, data, given=None):
    """y (N, P, D) of units in states z (N,), for the design of a data set.

    Parameters
    ----------
    data : Data
        Of which mask, covariates and sequences are used.
    given : (N, P, D), optional
        For a model with lags, observations that condition; by default they are drawn from ``model.first``.
    """
    if model.emission is None:
        return simulate_units(model, key, p, z, data.mask.shape, data.x)
    if not model.lags:
        return draw(_streams(model, of(model, p, data.x)), key, z, data.mask.shape)
    key, key_first = jax.random.split(key)
    first = first_ones(model, key_first, len(z)) if given is None else given[:, 0]

    def step(before, inputs):
        key, z_t, x_t, first_t, complete_t = inputs
        lagged = {name: before[:, j, None, None, None] for j, name in enumerate(model.columns)}
        emission = _streams(model, of(model, p, None if x_t is None else x_t[None], lagged))
        y_t = jnp.where(complete_t > 0, draw(emission, key, z_t[None], (1, 1))[0, 0], first_t)
        return jnp.concatenate([y_t[None], before[:-1]]), y_t

    inputs = jax.random.split(key, len(z)), z, data.x, first, complete(data, model.lags)
    return jax.lax.scan(step, jnp.broadcast_to(first[:1], (model.lags, first.shape[1])), inputs)[1][:, None]


def first_ones(model, key, units):
    """Observations (N, D) that condition, where the model has lags: they say nothing of its parameters."""
    return sample_covariates({c: model.first[c] for c in model.columns} if model.lags else {}, key, units)


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
