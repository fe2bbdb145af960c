"""Hidden Markov models: the states of the units form a Markov chain (eqs. 5 to 7).

z_1 ~ p(z_1 | theta),   z_t ~ p(z_t | z_t-1, theta),   y_t ~ p(y_t | z_t, theta)
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from amortmix.model import hmm
from amortmix.model.declare import Model


@dataclass(frozen=True, eq=False, kw_only=True)
class HiddenMarkov(Model):
    """A hidden Markov model.

    Parameters
    ----------
    transitions : callable
        p -> matrix (K, K), row j the probabilities of the next state after j.
    initial : callable, optional
        p -> probabilities (K,) of the first state; by default equal ones.

    For all others see `Model`.

    Examples
    --------
    >>> def prior():
    ...     stay = sample("stay", dist.Beta(8, 2).expand([2]).to_event(1))
    ...     rate = sample("rate", am.ordered(dist.LogNormal(0, 1), 2))
    ...     return {"stay": stay, "rate": rate}
    >>> MODEL = HiddenMarkov(
    ...     states=("slow", "fast"), prior=prior, transitions=lambda p: am.two_state(p["stay"]),
    ...     emission=lambda p: dist.Poisson(p["rate"]), columns={"count": am.NonNegativeInteger()}, units=(50, 300),
    ... )
    """

    transitions: Callable
    initial: Callable | None = None

    dependent = True
    ragged = True
    heads = ("filtering", "backward_filtering", "smoothing")

    def _chain(self, p):
        """log p(z_1) (K,) and the log transition matrix (K, K)."""
        k = len(self.states)
        initial = jnp.full(k, 1 / k) if self.initial is None else self.initial(p)
        return jnp.log(initial), jnp.log(jnp.asarray(self.transitions(p)))

    def chain(self, theta):
        """log p(z_1) (K,) and the log transition matrix (K, K) at theta (D,)."""
        return self._chain(self.natural(theta))

    def _sample_states(self, key, p, n, starts):
        return hmm.simulate_states(key, *self._chain(p), n, starts)

    def _recursion(self, theta, data):
        return *self.chain(theta), self.log_densities(theta, data)

    def log_likelihood(self, theta, data):
        """log p(y | theta), all paths of states summed out."""
        return hmm.filter(*self._recursion(theta, data), data.starts).log_marginal

    def log_likelihoods(self, theta, data):
        """log p(y | theta) of many theta (S, D): (S,)."""
        parts = jax.vmap(self._recursion, in_axes=(0, None))(theta, data)
        return hmm.filter(*(jnp.moveaxis(x, 0, -1) for x in parts), data.starts).log_marginal

    def log_units(self, theta, data):
        """log p(y_t | y_1:t-1, theta) of each unit (N,), zero where there is none; they sum to the log likelihood."""
        return hmm.filter(*self._recursion(theta, data), data.starts).log_units

    def state_log_probs(self, theta, data):
        """Log probabilities of the states, {head: (N, K)}; see `amortmix.model.hmm.state_log_probs`."""
        return hmm.state_log_probs(*self._recursion(theta, data), data.starts)

    def most_probable_path(self, theta, data):
        """The most probable sequence of states (N,) (Viterbi)."""
        return hmm.most_probable_path(*self._recursion(theta, data), data.exists, data.starts)
