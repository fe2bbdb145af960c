"""Mixtures of exchangeable units.

p(y | theta) = prod_i sum_k pi_k p(y_i | z_i = k)   (eq. 4),    p(z_i = k | y, theta) ∝ pi_k p(y_i | z_i = k)
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.nn import log_softmax, logsumexp

from amortmix.model.declare import Model


@dataclass(frozen=True, eq=False, kw_only=True)
class Mixture(Model):
    """A mixture model: every unit belongs to one of K classes, independently of the others.

    Parameters
    ----------
    weights : callable, optional
        p -> shares (K,) of the classes; by default equal ones.

    For all others see `Model`.

    Examples
    --------
    >>> def prior():
    ...     pi = sample("pi", dist.Dirichlet(jnp.ones(2)))
    ...     mu = sample("mu", am.ordered(dist.Normal(0, 2), 2))
    ...     return {"pi": pi, "mu": mu}
    >>> MODEL = Mixture(
    ...     states=("low", "high"), prior=prior, weights=lambda p: p["pi"],
    ...     emission=lambda p: dist.Normal(p["mu"], 1), units=(50, 100),
    ... )
    """

    weights: Callable | None = None

    dependent = False
    ragged = False
    heads = ("classification",)

    def log_weights(self, p):
        """log pi (K,)."""
        weights = jnp.ones(len(self.states)) if self.weights is None else self.weights(p)
        return jnp.log(weights) - jnp.log(jnp.sum(weights))

    def _sample_states(self, key, p, n, starts, x):
        return jax.random.categorical(key, self.log_weights(p), shape=(n,))

    def _log_joint_units(self, theta, data):
        """log p(y_i, z_i = k | theta): (N, K)."""
        return self.log_weights(self.natural(theta)) + self.log_densities(theta, data)

    def log_likelihood(self, theta, data):
        """log p(y | theta), the classes summed out."""
        return jnp.sum(self.log_units(theta, data))

    def log_likelihoods(self, theta, data):
        """log p(y | theta) of many theta (S, D): (S,)."""
        return jax.vmap(self.log_likelihood, in_axes=(0, None))(theta, data)

    def log_units(self, theta, data):
        """log p(y_i | theta) of each unit (N,), zero where there is none; they sum to the log likelihood."""
        return logsumexp(self._log_joint_units(theta, data), axis=-1) * data.observed

    def state_log_probs(self, theta, data):
        """log p(z_i = k | y, theta): {"classification": (N, K)}."""
        return {"classification": log_softmax(self._log_joint_units(theta, data), axis=-1)}

    def most_probable_path(self, theta, data):
        """The most probable class of each unit (N,)."""
        return jnp.argmax(self._log_joint_units(theta, data), axis=-1)
