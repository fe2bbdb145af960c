"""Whether the states of a model can be told apart, and draws in which they are in order.

    pi theta:  the entries of theta along every axis of length K, in another order of the states

Labels are not identified where p(pi theta) p(y | pi theta) = p(theta) p(y | theta) for every order pi: the posterior
then has K! copies of each of its modes. A constraint such as `amortmix.ordered` leaves one of them. Only permutations
of entries are tried: a model whose shares are p and 1 - p of one parameter p is not recognized.
"""

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.model import sites as theta_of
from amortmix.storage.files import BadInput

#: Relative difference of log densities that are equal, in double precision.
EQUAL = 1e-8


def permuted(model, theta, order):
    """theta (..., D) with its states in another order (..., K): new state k is the old one order[k]."""
    k, found = len(model.states), []
    for site, value in zip(model.sites, theta_of.unflatten(model.sites, theta).values()):
        first = value.ndim - len(site.shape)
        for axis in range(first, value.ndim):
            if value.shape[axis] == k:
                shape = [1] * value.ndim
                shape[:first], shape[axis] = order.shape[:-1], k
                value = jnp.take_along_axis(value, jnp.reshape(order, shape), axis=axis)
        found.append(jnp.reshape(value, (*value.shape[:first], -1)))
    return jnp.concatenate(found, axis=-1)


def exchangeable(model, theta, data):
    """Whether every order of the states has the same density at draws theta (S, D) of the prior, of one data set.

    Where no density of the data is known the prior alone is compared, which can only tell that labels are identified.
    """

    k = len(model.states)
    if k == 1:
        return True
    if len(model.state_labels) < k:
        return False  # states that share a label have places of their own in the chain
    # an exchange of two states and a turn of all make every order
    orders = jnp.asarray([[*range(k)], [1, 0, *range(2, k)], [*range(1, k), 0]])

    def log_density(theta):
        inside = jnp.all(jnp.stack([_inside(site, theta) for site in model.sites]))
        found = model.log_prior(theta) + (model.log_likelihood(theta, data) if model.has_density else 0.0)
        return jnp.where(inside, found, -jnp.inf)

    def all_orders(theta):
        return jax.vmap(lambda order: log_density(permuted(model, theta, order)))(orders)

    with jax.enable_x64(True):
        found = np.asarray(jax.jit(jax.vmap(all_orders))(jnp.asarray(theta, float)))
    with np.errstate(invalid="ignore"):
        return bool((np.abs(found - found[:, :1]) <= EQUAL * np.maximum(1, np.abs(found[:, :1]))).all())


def _inside(site, theta):
    value = theta[site.start : site.stop].reshape(site.shape)
    return jnp.all(site.constraint(value))


def in_order(model, theta, by):
    """Draws theta (S, D) with the states of each in increasing order of a parameter, or of a function of theta.

    Parameters
    ----------
    by : str or callable
        Site with one value for each state, or theta (S, D) -> (S, K).

    Raises
    ------
    BadInput
        If there is no such site.
    """
    k = len(model.states)
    if callable(by):
        values = np.asarray(by(theta))
    else:
        known = {s.name: s for s in model.sites if s.shape == (k,)}
        if by not in known:
            names = ", ".join(known) or "a function of theta"
            raise BadInput(f"{model.name}: order by {by!r}; expected {names}: one value for each of {k} states")
        values = theta[:, known[by].start : known[by].stop]
    if values.shape != (len(theta), k):
        raise BadInput(f"{model.name}: order by values of shape {values.shape}; expected {(len(theta), k)}")
    return np.asarray(permuted(model, jnp.asarray(theta), jnp.asarray(np.argsort(values, axis=1))), theta.dtype)
