"""Columns of an observation with distributions of their own, any of which may be missing.

    log p(y_i | z_i = k) = sum_s log f_sk(y_is),    a missing column integrated out of its factor

A stream s is one column, or several that depend on each other. What is missing leaves a factor of one column out; of
several columns the factor becomes that of the others, which a normal distribution and independent components allow.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

from amortmix.storage.files import BadInput

CATEGORICAL = (dist.CategoricalProbs, dist.CategoricalLogits)
LOG_2PI = math.log(2 * math.pi)


class Stream(NamedTuple):
    """Places of its columns among the components of y, and distributions whose last batch axis is the state."""

    columns: tuple
    parts: list


def streams(emission, columns, name="the emission"):
    """The streams of an emission.

    Parameters
    ----------
    emission : Distribution, list of them, or {column or tuple of columns: either}
    columns : sequence of str
        Of the model.
    name : str
        In messages.

    Raises
    ------
    BadInput
        Unless each column is in one stream.
    """
    place = {column: j for j, column in enumerate(columns)}
    if not isinstance(emission, Mapping):
        return [Stream(tuple(place.values()), _listed(emission))]
    found = {key if isinstance(key, tuple) else (key,): parts for key, parts in emission.items()}
    named = [column for key in found for column in key]
    if sorted(map(str, named)) != sorted(place):
        raise BadInput(
            f"{name}: the emission is of {', '.join(map(str, named))}; expected {', '.join(columns)}, once each"
        )
    return [Stream(tuple(place[column] for column in key), _listed(parts)) for key, parts in found.items()]


def _listed(parts):
    return list(parts) if isinstance(parts, (list, tuple)) else [parts]


def divisible(found):
    """Whether any column of these streams may be missing while others are there."""
    several = sum(len(s.columns) for s in found) > 1
    return several and all(len(s.columns) == 1 or all(map(_divisible, s.parts)) for s in found)


def _divisible(part):
    return isinstance(part, dist.MultivariateNormal) or _independent(part) is not None


def _independent(part):
    """The distribution of single components of ``base.to_event(1)``, else None."""
    base = getattr(part, "base_dist", None)
    return base if isinstance(part, dist.Independent) and not base.event_shape else None


def log_density(stream, y, seen=None):
    """log f_k of a stream at y (..., D), of which ``seen`` (..., D) says what is there: (..., K)."""
    columns = np.array(stream.columns)
    y = y[..., columns] if y.shape[-1] > 1 else y
    seen = None if seen is None else seen[..., columns] > 0
    return jnp.concatenate([_part(part, y, seen) for part in stream.parts], axis=-1)


def _part(part, y, seen):
    if not part.event_shape:
        found = _single(part, y[..., 0, None])
        return found if seen is None else jnp.where(seen[..., 0, None], found, 0.0)
    y, seen = y[..., None, :], None if seen is None else seen[..., None, :]
    if isinstance(part, dist.MultivariateNormal):
        return normal_log_density(part.loc, part.covariance_matrix, y, seen)
    if seen is None:
        return part.log_prob(y)
    return jnp.sum(jnp.where(seen, _independent(part).log_prob(y), 0.0), axis=-1)


def _single(part, y):
    """log f_k of one column; that of categories by comparison, for they are stored as numbers that are not whole."""
    if not isinstance(part, CATEGORICAL):
        return part.log_prob(y)
    log_p = jax.nn.log_softmax(part.logits)
    return jnp.sum(jnp.where(y[..., None] == jnp.arange(log_p.shape[-1]), log_p, 0.0), axis=-1)


def normal_log_density(loc, covariance, y, seen=None):
    """Log density of those components of a multivariate normal that are there.

        -1/2 |z|^2 - sum_j log L_jj - m/2 log 2 pi,    L L' = S,    L z = y - loc,

    with S the covariance in which a missing component has variance one and no covariance, and m what is there.

    Parameters
    ----------
    loc, covariance : (..., D), (..., D, D)
    y : (..., D)
    seen : (..., D), optional
        Booleans; by default all.

    Returns
    -------
    (...)

    Notes
    -----
    D is small: the factorization is written out, so that arrays of any shape take elementwise operations alone.
    """
    d = y.shape[-1]
    there = [1.0 if seen is None else 1.0 * seen[..., i] for i in range(d)]
    lower, z, log_det = {}, [], 0.0
    for j in range(d):
        variance = 1.0 + there[j] * (covariance[..., j, j] - 1.0) - sum(lower[j, k] ** 2 for k in range(j))
        lower[j, j] = jnp.sqrt(variance)
        log_det += jnp.log(lower[j, j])
        residual = there[j] * (y[..., j] - loc[..., j])
        z.append((residual - sum(lower[j, k] * z[k] for k in range(j))) / lower[j, j])
        for i in range(j + 1, d):
            rest = there[i] * there[j] * covariance[..., i, j] - sum(lower[i, k] * lower[j, k] for k in range(j))
            lower[i, j] = rest / lower[j, j]
    return -0.5 * (sum(v**2 for v in z) + LOG_2PI * sum(there)) - log_det


def draw(stream, key, z, shape):
    """y (N, P, d) of the columns of a stream for units in states z (N,); ``shape`` is (N, P)."""
    draws = []
    for part, key_part in zip(stream.parts, jax.random.split(key, len(stream.parts))):
        states = part.batch_shape[-1] if part.batch_shape else 1
        drawn = part.expand((*shape, states)).sample(key_part).astype(float)
        draws.append(drawn if part.event_shape else drawn[..., None])
    y = jnp.concatenate(draws, axis=2)
    return jnp.take_along_axis(y, z[:, None, None, None], axis=2)[:, :, 0]
