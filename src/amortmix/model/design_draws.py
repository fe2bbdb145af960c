"""Designs of simulated data sets, drawn from a `Design`.

N ~ a span at random, then uniform in it;   P ~ uniform;   sequences and holes in half of the data sets
"""

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.model import varied
from amortmix.model.data import Data, as_numpy


def sample(design, key, ragged):
    """mask (N, P) and, for an irregular design, sequence (N,), else None; N is the size of the frame.

    Parameters
    ----------
    design : Design
    key : jax.Array
    ragged : bool
        Whether P may differ between the units of a data set.
    """
    key_units, key_observations = jax.random.split(key)
    (size, most), fewest = design.size, design.observations[0]
    n = _number(design, key_units)
    p = jax.random.randint(key_observations, (size, 1) if ragged else (), fewest, most + 1)
    exists = jnp.arange(size) < n
    if ragged and design.irregular:
        p = jnp.where(jax.random.bernoulli(jax.random.fold_in(key, 2)), p, p[0])
    mask = (exists[:, None] & (jnp.arange(most)[None, :] < p)).astype(float)
    if not design.irregular:
        return mask, None
    key_holes, key_sequences = jax.random.split(jax.random.fold_in(key, 1))
    mask = mask * _seen(key_holes, design.holes, n, size)[:, None]
    return mask, jnp.where(exists, _sequence(key_sequences, design.sequences, n, size), 0.0)


def _number(design, key):
    """N, uniform in the span of the frame, or in one at random."""
    spans = design.spans
    if design.place is None and len(spans) > 1:
        key, key_span = jax.random.split(key)
        low, high = jnp.array(spans)[jax.random.randint(key_span, (), 0, len(spans))]
    else:
        low, high = spans[design.place or 0]
    return jax.random.randint(key, (), low, high + 1)


def _seen(key, holes, n, size):
    """1.0 for units (size,) that are observed: in half of the data sets all, else without a share of up to ``holes``.

    Missing are units at random, a run of them anywhere, or the last ones.
    """
    key_kind, key_share, key_place, key_units = jax.random.split(key, 4)
    kind = jax.random.randint(key_kind, (), 0, 6)
    share = holes * jax.random.uniform(key_share)
    first = jax.random.uniform(key_place) * (1 - share) * n
    unit = jnp.arange(size)
    at_random = jax.random.uniform(key_units, (size,)) < share
    run = (unit >= first) & (unit < first + share * n)
    at_the_end = unit >= (1 - share) * n
    missing = jnp.select([kind == 0, kind == 1, kind == 2], [at_random, run, at_the_end], False)
    return 1.0 - missing * (unit > 0)  # something is always seen


def _sequence(key, most, n, size):
    """Number of the sequence (size,) of each unit: in half of the data sets one, else up to ``most`` of any lengths."""
    key_number, key_places = jax.random.split(key)
    number = jnp.maximum(jax.random.randint(key_number, (), min(3 - most, 1), most + 1), 1)
    places = jax.random.randint(key_places, (most,), 1, jnp.maximum(n, 2))
    begins = jnp.zeros(size).at[places].max(1.0 * (jnp.arange(most) < number - 1))
    return 1.0 + jnp.cumsum(begins)


def components(design, key, mask, number):
    """(N, P, D): 1.0 where a component is observed, or None where none can be missing alone.

    In half of the data sets all are; else each column lacks a share of its own, of up to ``design.parts``.
    """
    if not design.parts:
        return None
    key_whole, key_share, key_each, key_kept = jax.random.split(jax.random.fold_in(key, 3), 4)
    share = design.parts * jax.random.uniform(key_share, (number,)) * jax.random.bernoulli(key_whole)
    there = jax.random.uniform(key_each, (*mask.shape, number)) >= share
    # of an observation something is there
    kept = jax.random.randint(key_kept, mask.shape, 0, number)[..., None] == jnp.arange(number)
    return mask[..., None] * (there | kept)


def prior(design, hyperparameters, variants, key):
    """{hyperparameter: value} of all that vary: in half of the data sets those of a variant, else from the ranges.

    Parameters
    ----------
    hyperparameters : dict
        Of which those that vary are replaced.
    variants : dict
        Variant -> hyperparameters.
    """
    key_which, key_variant, key_range = jax.random.split(key, 3)
    known = jnp.stack([jnp.asarray(varied.vector(design.varied, v), float) for v in variants.values()])
    c = jax.random.uniform(key_range, known.shape[1:], minval=-1.0, maxval=1.0)
    drawn = varied.from_coordinates(design.varied, hyperparameters, c)
    variant = known[jax.random.randint(key_variant, (), 0, len(known))]
    flat = jnp.where(jax.random.bernoulli(key_which), variant, drawn)
    return varied.values(design.varied, hyperparameters, flat)


def demo(model, theta, units, observations, seed):
    """Data and z of a data set at a known theta (D,) with N units of P observations, as NumPy arrays."""
    mask = jnp.ones((units, observations))
    key_x, key = jax.random.split(jax.random.key(seed))
    x = model.sample_covariates(key_x, units)
    y, z = jax.jit(model.simulate)(key, jnp.array(theta, float), mask, x)
    return as_numpy(Data(y, mask, x)), np.asarray(z)
