"""Hyperparameters with a range: networks that are trained for many priors, and told which one is meant.

    h ~ its range,   theta ~ p(theta | h),   y ~ p(y | theta),     q(theta | y, h)     (Elsemueller et al. 2024)

The flow sees h as coordinates c in [-1, 1], of log h where all values are positive. ``power`` is a hyperparameter that
every prior has: the density of each site is raised to it and normalized (`amortmix.model.powered`).
"""

from typing import NamedTuple

import numpy as np

from amortmix.storage.files import BadInput, plain

POWER = "power"


class Between(NamedTuple):
    """The range of a hyperparameter: numbers, or arrays of its shape.

    Examples
    --------
    >>> chain = am.find("gaussian_hmm").changed(varied={"stay": am.Between(1, 20), "power": am.Between(0.5, 2)})
    >>> chain.varied["power"]
    Between(low=0.5, high=2)
    """

    low: float | list
    high: float | list


def known(hyperparameters):
    """The same with ``power``, which is one unless it is given."""
    return {**hyperparameters, POWER: hyperparameters.get(POWER, 1.0)}


def bounds(varied, hyperparameters):
    """Smallest and largest values of all that vary, flattened one after the other: two arrays (H,).

    Parameters
    ----------
    varied : {hyperparameter: (low, high)}
    hyperparameters : dict
        Their shapes count.
    """
    given = known(hyperparameters)
    ends = [[np.ravel(np.broadcast_to(e, np.shape(given[k]))) for e in ends] for k, ends in varied.items()]
    low, high = (np.concatenate(parts) for parts in zip(*ends))
    return low.astype(float), high.astype(float)


def _scaled(varied, hyperparameters):
    """Middle and half width (H,) of the coordinates, and whether each is a logarithm."""
    low, high = bounds(varied, hyperparameters)
    positive = low > 0
    low, high = (np.where(positive, np.log(np.where(positive, e, 1.0)), e) for e in (low, high))
    return (low + high) / 2, (high - low) / 2, positive


def vector(varied, hyperparameters):
    """The values (H,) of all that vary; they may be traced by JAX."""
    given = known(hyperparameters)
    values = [given[k] for k in varied]
    if all(isinstance(v, (int, float, list, tuple, np.ndarray)) for v in values):
        return np.concatenate([np.ravel(np.asarray(v, np.float32)) for v in values])
    import jax.numpy as jnp  # a prior that is traced

    return jnp.concatenate([jnp.ravel(jnp.asarray(v, float)) for v in values])


def values(varied, hyperparameters, flat):
    """{hyperparameter: value} of what `vector` gave."""
    given, found, start = known(hyperparameters), {}, 0
    for name in varied:
        shape = np.shape(given[name])
        size = int(np.prod(shape))
        found[name] = flat[start : start + size].reshape(shape)
        start += size
    return found


def coordinates(varied, hyperparameters, flat):
    """c (H,) in [-1, 1] of values (H,)."""
    middle, half, positive = _scaled(varied, hyperparameters)
    arrays = flat.__array_namespace__()
    scaled = arrays.where(positive, arrays.log(arrays.where(positive, flat, 1.0)), flat)
    return ((scaled - middle) / half).astype(flat.dtype)


def from_coordinates(varied, hyperparameters, c):
    """Values (H,) of coordinates (H,)."""
    middle, half, positive = _scaled(varied, hyperparameters)
    arrays = c.__array_namespace__()
    scaled = middle + half * c
    return arrays.where(positive, arrays.exp(arrays.where(positive, scaled, 0.0)), scaled)


def outside(varied, hyperparameters):
    """A sentence if a prior lies outside its ranges, else None."""
    low, high = bounds(varied, hyperparameters)
    flat = np.asarray(vector(varied, hyperparameters), float)
    if np.all(flat >= low - 1e-6 * np.abs(low)) and np.all(flat <= high + 1e-6 * np.abs(high)):
        return None
    given = known(hyperparameters)
    names = [k for k in varied if outside({k: varied[k]}, {k: given[k]})] if len(varied) > 1 else list(varied)
    found = [f"{k} = {words(given[k])}, in training {words(varied[k][0])} to {words(varied[k][1])}" for k in names]
    return f"the prior lies outside its range: {', '.join(found)}"


def words(value):
    """A hyperparameter as a person would write it."""
    value = plain(value)
    return f"({', '.join(words(v) for v in value)})" if isinstance(value, (list, tuple)) else f"{value:g}"


def named(hyperparameters, variants, default):
    """The name of a prior: its variant, or the variant that it differs least from and what is different there."""
    given = {k: plain(v) for k, v in known(hyperparameters).items()}
    found = {}
    for name, variant in variants.items():
        theirs = {k: plain(v) for k, v in known(variant).items()}
        found[name] = [f"{k} = {words(v)}" for k, v in given.items() if _differs(v, theirs[k])]
    name = min(found, key=lambda n: (len(found[n]), n != default))
    return ", ".join([name, *found[name]])


def fixed(varied, ours, theirs):
    """Names of hyperparameters that have no range and another value in another prior."""
    ours, theirs = known(ours), known(theirs)
    return [name for name in theirs if name not in varied and _differs(ours[name], theirs[name])]


def _differs(a, b):
    return np.shape(a) != np.shape(b) or not np.allclose(np.asarray(a, float), np.asarray(b, float), rtol=1e-6)


def _shape(value):
    """Of a value that may be a list of numbers that JAX traces."""
    if isinstance(value, (list, tuple)):
        return (len(value), *(_shape(value[0]) if len(value) else ()))
    return np.shape(value)


def chosen(model, prior):
    """Hyperparameters of a model, all of them, of which ``prior`` replaces some.

    Raises
    ------
    BadInput
        If there are no such ones, or a shape is another.
    """
    ours = known(model.hyperparameters)
    if unknown := set(prior) - set(ours):
        names = ", ".join(ours)
        raise BadInput(f"{model.name}: hyperparameter {', '.join(sorted(unknown))}; expected some of {names}")
    for name, value in prior.items():
        if _shape(value) != _shape(ours[name]):
            raise BadInput(f"{model.name}: {name} is {value}; expected numbers as in {words(ours[name])}")
    found = {**model.hyperparameters, **prior}
    if POWER in found and isinstance(found[POWER], (int, float)) and found[POWER] == 1:
        del found[POWER]  # what a prior is without it
    return found


def parsed(text):
    """A prior as the command line gives it: a variant, or hyperparameters as in ``stay=16,4;power=0.5``.

    Raises
    ------
    BadInput
        If something is no number.
    """
    if text is None or "=" not in text:
        return text
    found = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, _, numbers = part.partition("=")
        try:
            value = [float(n) for n in numbers.split(",")]
        except ValueError as error:
            raise BadInput(f"prior {part!r}; expected a variant, or NAME=NUMBER,...;NAME=NUMBER") from error
        found[name.strip()] = value if len(value) > 1 else value[0]
    return found


def check(model, varied):
    """Raise `BadInput` unless hyperparameters can vary between these ends.

    What the prior returns for emissions and transitions, and the supports of its sites, must not depend on them.
    """
    where, given = model.name, known(model.hyperparameters)
    for name, ends in varied.items():
        if name not in given:
            raise BadInput(f"{where}: varied has {name}; expected some of {', '.join(given)}")
        try:
            low, high = (np.broadcast_to(np.asarray(e, float), np.shape(given[name])) for e in ends)
        except (ValueError, TypeError) as error:
            raise BadInput(f"{where}: the range of {name} is {ends}; expected Between(low, high)") from error
        if not np.all(low < high):
            raise BadInput(f"{where}: the range of {name} is {words(ends[0])} to {words(ends[1])}; expected low < high")
    if sentence := outside(varied, model.hyperparameters):
        raise BadInput(f"{where}: {sentence}")
