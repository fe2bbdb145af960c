"""What networks see of a data set and of theta, derived from a declaration.

features    (g(y) - location) / scale of every component, and of every covariate; where components can be missing
            alone zero in their place, and whether each is missing
context     N, the mean of P where it varies, log of each bound that the data set, and the prior where it varies
design      for an irregular design: whether each unit exists and begins a sequence
conditions  log p(y_i | z_i = k) up to a constant where it is known, and u, at every unit
"""

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.model import varied

SIMULATIONS = 256
#: Differences of log densities beyond this decide a state for certain.
CERTAIN = 15.0


def _raw(model, data):
    """g(y) and covariates (N, P, F), and the component (F,) that each is of, or -1."""
    found, of = [], []
    for j, kind in enumerate(model.columns.values()):
        seen_as = kind.features(data.y[..., j])
        found, of = found + seen_as, of + [j] * len(seen_as)
    if data.x is not None:
        found += [jnp.broadcast_to(data.x[:, None, j], data.mask.shape) for j in range(data.x.shape[1])]
    return jnp.stack(found, axis=-1), np.array(of + [-1] * (len(found) - len(of)))


def _there(data, of):
    """(N, P, F): 1.0 where the component of a feature was observed; covariates always are."""
    return jnp.where(of >= 0, data.seen[..., of], 1.0)


def scaling(model):
    """Median and spread (F, 2) of each feature over simulated data sets; the seed is fixed."""
    with jax.ensure_compile_time_eval():

        def one(key):
            _, data, _ = model.simulate_dataset(key)
            values, of = _raw(model, data)
            return jnp.where(_there(data, of) > 0, values, jnp.nan), data.mask

        values, mask = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), SIMULATIONS))
        values = np.asarray(values)[np.asarray(mask) > 0]
    low, middle, high = np.nanquantile(values, [0.05, 0.5, 0.95], axis=0)
    # 5 % and 95 % of a normal distribution are 3.29 standard deviations apart
    spread = np.where(high > low, (high - low) / 3.29, 1.0)
    return np.stack([middle, spread], axis=-1).astype(np.float32)


def standardized(model, data):
    """Features of order one: (N, P, F)."""
    location, scale = jnp.asarray(model.feature_scaling).T
    raw, of = _raw(model, data)
    found = (raw - location) / scale
    if not model.design.parts:
        return found
    return jnp.concatenate([found * _there(data, of), data.mask[..., None] - data.seen], axis=-1)


def _middle(bounds):
    return (bounds[0] + bounds[1]) / 2


def context(model, data):
    """N over the middle of its range minus one, mean P minus the middle of its range, log of the bounds: (C,).

    Ranges are those of the declaration. Where a recipe has another range of N it may be far outside: its logarithm.
    """
    share = data.exists.sum() / _middle(model.units)
    found = [share - 1 if model.design.units == tuple(model.units) else jnp.log(share)]
    if model.observations[1] > 1:
        found.append(data.mask.sum() / data.observed.sum() - _middle(model.observations))
    found += [jnp.log(bound) for bound in model.bounds(data).values()]
    return jnp.concatenate([jnp.stack(found), *prior_context(model, data)])


def prior_context(model, data):
    """Coordinates (H,) of the prior that the data set is to be seen under, in a list that is empty without ranges."""
    ranges, ours = model.design.varied, model.hyperparameters
    if not ranges:
        return []
    flat = varied.vector(ranges, ours) if data.prior is None else data.prior
    return [varied.coordinates(ranges, ours, jnp.asarray(flat, float))]


def each_unit(u, data):
    """u (d,) repeated for every unit: (N, d)."""
    return jnp.broadcast_to(u, (data.mask.shape[0], u.shape[-1]))


def conditions(model, u, data):
    """What the classifier sees by default: number of observations, log densities where they are known, and u."""
    found = []
    if model.observations[1] > 1:
        found.append(data.mask.sum(1, keepdims=True) - _middle(model.observations))
    if model.has_density:
        log_lik = model.log_densities(model.bijection(data).forward(u), data)
        relative = log_lik - jnp.max(log_lik, axis=-1, keepdims=True)
        found.append(jnp.where(jnp.isfinite(relative), jnp.maximum(relative, -CERTAIN), -CERTAIN))
    return jnp.concatenate([*found, each_unit(u, data)], axis=-1)
