"""Mixtures of exchangeable units.

p(y | theta) = prod_i sum_k pi_k p(y_i | z_i = k)   (eq. 4),    p(z_i = k | y, theta) ∝ pi_k p(y_i | z_i = k)

Where covariates drive the classes, pi_k is pi_ik = p(z_i = k | theta, x_i): a mixture of experts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
from jax.nn import log_softmax, logsumexp
from jaxtyping import Float, Int

from amortmix.model import declared, emissions
from amortmix.model.arrays import Array
from amortmix.model.data import Data
from amortmix.model.declare import Model


@dataclass(frozen=True, eq=False, kw_only=True)
class Mixture(Model):
    """A mixture model: every unit belongs to one of K classes, independently of the others.

    Parameters
    ----------
    weights : callable, optional
        p -> shares (K,) of the classes; by default equal ones. Or, where covariates drive the classes, p and
        {covariate: (N, 1)} -> (N, K), shares of each unit. They are divided by their sum.

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
    hidden = ("weights",)
    driven = cached_property(declared.driven)

    def _log_weights(self, p, x):
        """log pi (K,), or that of every unit (N, K)."""
        k = len(self.states)
        weights = jnp.ones(k) if self.weights is None else emissions.hidden(self, "weights", (k,), p, x)
        found = jnp.log(weights) - jnp.log(jnp.sum(weights, axis=-1, keepdims=True))
        return jnp.broadcast_to(found, (len(x), k)) if self.driven else found

    def log_weights(self, theta: Float[Array, " D"], x: Float[Array, "N C"] | None = None) -> Float[Array, "*units K"]:
        """What `_log_weights` gives at theta (D,), with covariates x (N, C) where the model has any."""
        return self._log_weights(self.natural(theta), x)

    def _sample_states(self, key, p, n, starts, x):
        return jax.random.categorical(key, self._log_weights(p, x), shape=(n,))

    def _log_joint_units(self, theta, data):
        """log p(y_i, z_i = k | theta): (N, K)."""
        return self.log_weights(theta, data.x) + self.log_densities(theta, data)

    def log_likelihood(self, theta: Float[Array, " D"], data: Data) -> Float[Array, ""]:
        """log p(y | theta), the classes summed out."""
        return jnp.sum(self.log_units(theta, data))

    def log_likelihoods(self, theta: Float[Array, "S D"], data: Data) -> Float[Array, " S"]:
        """log p(y | theta) of many theta (S, D): (S,)."""
        return jax.vmap(self.log_likelihood, in_axes=(0, None))(theta, data)

    def log_units(self, theta: Float[Array, " D"], data: Data) -> Float[Array, " N"]:
        """log p(y_i | theta) of each unit (N,), zero where there is none; they sum to the log likelihood."""
        return logsumexp(self._log_joint_units(theta, data), axis=-1) * data.observed

    def state_log_probs(self, theta: Float[Array, " D"], data: Data) -> dict[str, Float[Array, "N K"]]:
        """log p(z_i = k | y, theta): {"classification": (N, K)}."""
        return {"classification": log_softmax(self._log_joint_units(theta, data), axis=-1)}

    def most_probable_path(self, theta: Float[Array, " D"], data: Data) -> Int[Array, " N"]:
        """The most probable class of each unit (N,)."""
        return jnp.argmax(self._log_joint_units(theta, data), axis=-1)
