"""A prior written in NumPyro, as functions of one vector theta.

    theta = (site_1, ..., site_S),  each site flattened in the order of its ``sample`` statement,
    log p(theta) = sum_s log p(site_s | earlier sites).

A prior is an ordinary NumPyro function: its arguments are hyperparameters, it returns what emissions and transitions
need.
"""

import threading
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers

from amortmix.model import constraints, supports
from amortmix.model.powered import Powered
from amortmix.model.varied import POWER
from amortmix.storage.files import BadInput


class Site(NamedTuple):
    """A ``sample`` statement of a prior.

    Attributes
    ----------
    name : str
    shape : tuple of int
    start, stop : int
        Its place in theta.
    constraint : numpyro.distributions.constraints.Constraint
        Its support.
    """

    name: str
    shape: tuple
    start: int
    stop: int
    constraint: object

    @property
    def free(self):
        """How many coordinates of u it has."""
        return constraints.of_constraint(self.constraint, self.shape)[1]

    @property
    def free_columns(self):
        """Columns of theta without the last share of each simplex, which the others decide."""
        columns = np.arange(self.start, self.stop)
        if self.free == len(columns):
            return columns
        return columns.reshape(-1, self.shape[-1])[:, :-1].ravel()


#: Coordinate of a draw that was rounded onto the edge of its support.
EDGE = 12.0
#: How far it may be from there, relative to its size and at least one.
ROUNDING = 1e-5
#: NumPyro keeps the handlers of all threads in one list: only one thread at a time may run a prior.
_HANDLERS = threading.RLock()


def _seeded(prior, hyperparameters, key, values=None):
    """The prior as a function without arguments, its randomness from a key and its sites maybe at ``values``."""
    given = dict(hyperparameters)
    power = given.pop(POWER, None)
    found = handlers.seed(partial(prior, **given), key)
    if power is not None:
        found = Powered(found, power)
    return found if values is None else handlers.substitute(found, data=values)


def _trace(prior, hyperparameters, key, values=None):
    with _HANDLERS:
        return handlers.trace(_seeded(prior, hyperparameters, key, values)).get_trace()


def find_sites(prior, hyperparameters, where):
    """The sites of a prior, in order; `BadInput` names a prior that cannot be used.

    Parameters
    ----------
    prior : callable
    hyperparameters : dict
    where : str
        Name of the model, for messages.
    """
    # also where a function that is being compiled asks first
    with jax.ensure_compile_time_eval():
        trace = _trace(prior, hyperparameters, jax.random.key(0))
        again = _trace(prior, hyperparameters, jax.random.key(1))
    sites, start = [], 0
    for name, found in trace.items():
        if found["type"] != "sample":
            continue
        support = found["fn"].support
        if found["fn"].is_discrete or found.get("is_observed"):
            raise BadInput(f"{where}: site {name!r} of the prior; expected a continuous parameter that is not observed")
        if not bool(np.all(support.eq(again[name]["fn"].support))):
            raise BadInput(f"{where}: the support of site {name!r} depends on other sites; expected a constant one")
        size = int(np.prod(np.shape(found["value"])))
        sites.append(Site(name, np.shape(found["value"]), start, start + size, support))
        start += size
    if not sites:
        raise BadInput(f"{where}: the prior samples nothing; expected at least one numpyro.sample statement")
    return tuple(sites)


def flatten(sites, values):
    """theta (D,) of {site: value}."""
    return jnp.concatenate([jnp.ravel(values[s.name]) for s in sites])


def unflatten(sites, theta):
    """{site: value} of theta (..., D)."""
    return {s.name: theta[..., s.start : s.stop].reshape((*theta.shape[:-1], *s.shape)) for s in sites}


def sample(prior, hyperparameters, sites, key):
    """One draw of theta (D,).

    Single precision rounds about one draw in a million of a truncated normal onto the edge of its support, or beyond,
    where it has no finite coordinate: it is moved inside. A draw that is farther outside stays what it is, a mistake.
    """
    trace = _trace(prior, hyperparameters, key)
    theta = flatten(sites, {s.name: trace[s.name]["value"] for s in sites})
    onto = bijection(sites, {})
    u = onto.inverse(theta)
    inside = onto.forward(jnp.nan_to_num(u, nan=-EDGE, neginf=-EDGE, posinf=EDGE))
    near = jnp.all(jnp.abs(inside - theta) <= ROUNDING * (1 + jnp.abs(theta)))
    return jnp.where(~jnp.all(jnp.isfinite(u)) & near, inside, theta)


def log_density(prior, hyperparameters, sites, theta):
    """log p(theta), a density of the free coordinates of theta (D,)."""
    trace = _trace(prior, hyperparameters, jax.random.key(0), unflatten(sites, theta))
    return sum(jnp.sum(trace[s.name]["fn"].log_prob(trace[s.name]["value"])) for s in sites)


def natural(prior, hyperparameters, sites, theta):
    """What the prior returns at theta (D,): the quantities that emissions, weights and transitions take."""
    with _HANDLERS:
        return _seeded(prior, hyperparameters, jax.random.key(0), unflatten(sites, theta))()


def bijection(sites, bounds):
    """u (..., d) <-> theta (..., D), site by site.

    Parameters
    ----------
    sites : tuple of Site
    bounds : dict
        Site -> its upper bound (), where the data decide it; the support is then (0, bound).
    """
    parts = []
    for s in sites:
        if s.name in bounds:
            size = s.stop - s.start
            parts.append((supports.scaled_logit(bounds[s.name]), size, size))
        else:
            found, free = constraints.of_constraint(s.constraint, s.shape)
            parts.append((found, free, s.stop - s.start))
    return supports.stack(parts)
