"""Hidden Markov models: the states of the units form a Markov chain (eqs. 5 to 7).

z_1 ~ p(z_1 | theta),   z_t ~ p(z_t | z_t-1, theta),   y_t ~ p(y_t | z_t, theta)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from amortmix.model import declared, emissions, hmm
from amortmix.model.arcs import FEWEST_STATES, Arcs
from amortmix.model.arrays import Array
from amortmix.model.data import Data
from amortmix.model.declare import Model
from amortmix.storage.files import BadInput

#: Draws of the prior, and units of each with covariates, at which it is seen which transitions are possible.
DRAWS, COVARIATES = 200, 10


@dataclass(frozen=True, eq=False, kw_only=True)
class HiddenMarkov(Model):
    """A hidden Markov model.

    Parameters
    ----------
    transitions : callable
        p -> matrix (K, K), row j the probabilities of the next state after j. Or, where covariates drive the chain,
        p and {covariate: (N, 1)} -> (N, K, K): matrix t leads from unit t to the next one, by the covariates of the
        unit that is left.
    initial : callable, optional
        p -> probabilities (K,) of the first state of a sequence; by default equal ones. Or p and {covariate: (N, 1)}
        -> (N, K): row t where a sequence begins with unit t.

    lags : int, optional
        How many observations of its sequence that came before the emission reads: p, covariates if there are any, and
        {column: (lags, N, 1, 1)}, the last one first -> distribution. Units without so many condition: they are given.
    first : dict, optional
        With lags, column -> distribution from which observations that condition are simulated, whatever theta.

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
    lags: int = 0
    first: Mapping[str, Any] = field(default_factory=dict)

    dependent = True
    ragged = True
    heads = ("filtering", "backward_filtering", "smoothing")
    hidden = ("transitions", "initial")
    driven = cached_property(declared.driven)

    def __post_init__(self):
        super().__post_init__()
        if self.lags:
            self._check_lags()

    def _check_lags(self):
        if not isinstance(self.lags, int) or self.lags < 0 or tuple(self.observations) != (1, 1):
            raise BadInput(f"{self.name}: lags is {self.lags!r}; expected a number, for units of one observation")
        if self.emission is None:
            raise BadInput(f"{self.name}: lags of a simulator of units; expected an `emission`, which reads the past")
        if set(self.first) != set(self.columns):
            theirs, ours = (", ".join(names) or "nothing" for names in (self.first, self.columns))
            raise BadInput(f"{self.name}: first has {theirs}; expected {ours}, with lags")

    @cached_property
    def arcs(self):
        """`Arcs`, which of many states lead to which, or None; seen at draws of the prior."""
        if len(self.states) < FEWEST_STATES:
            return None

        def possible(key):
            key_theta, key_x = jax.random.split(key)
            return jnp.exp(self.chain(self.sample_prior(key_theta), self.sample_covariates(key_x, COVARIATES))[1]) > 0

        with jax.ensure_compile_time_eval():
            found = np.asarray(jax.jit(jax.vmap(possible))(jax.random.split(jax.random.key(0), DRAWS)))
        return Arcs.of(found.reshape(-1, *found.shape[-2:]).any(0))

    def _chain(self, p, x):
        """log p(z_1) (K,) and the log transition matrix (K, K), or those of every unit, (N, K) and (N, K, K)."""
        k = len(self.states)
        initial = jnp.full(k, 1 / k) if self.initial is None else emissions.hidden(self, "initial", (k,), p, x)
        chain = jnp.log(initial), jnp.log(emissions.hidden(self, "transitions", (k, k), p, x))
        if self.driven:
            chain = tuple(jnp.broadcast_to(a, (len(x), *shape)) for a, shape in zip(chain, ((k,), (k, k))))
        return chain

    def chain(
        self, theta: Float[Array, " D"], x: Float[Array, "N C"] | None = None
    ) -> tuple[Float[Array, "*units K"], Float[Array, "*units K K"]]:
        """What `_chain` gives at theta (D,), with covariates x (N, C) where the model has any."""
        return self._chain(self.natural(theta), x)

    def _sample_states(self, key, p, n, starts, x):
        return hmm.simulate_states(key, *self._chain(p, x), n, starts)

    def _recursion(self, theta, data):
        return *self.chain(theta, data.x), self.log_densities(theta, data)

    def log_likelihood(self, theta: Float[Array, " D"], data: Data) -> Float[Array, ""]:
        """log p(y | theta), all paths of states summed out."""
        return hmm.filter(*self._recursion(theta, data), data.starts, self.arcs).log_marginal

    def log_likelihoods(self, theta: Float[Array, "S D"], data: Data) -> Float[Array, " S"]:
        """log p(y | theta) of many theta (S, D): (S,)."""
        parts = jax.vmap(self._recursion, in_axes=(0, None))(theta, data)
        return hmm.filter(*(jnp.moveaxis(x, 0, -1) for x in parts), data.starts, self.arcs).log_marginal

    def log_units(self, theta: Float[Array, " D"], data: Data) -> Float[Array, " N"]:
        """log p(y_t | y_1:t-1, theta) of each unit (N,), zero where there is none; they sum to the log likelihood."""
        return hmm.filter(*self._recursion(theta, data), data.starts, self.arcs).log_units

    def state_log_probs(self, theta: Float[Array, " D"], data: Data) -> dict[str, Float[Array, "N K"]]:
        """Log probabilities of the states, {head: (N, K)}; see `amortmix.model.hmm.state_log_probs`."""
        return hmm.state_log_probs(*self._recursion(theta, data), data.starts, self.arcs)

    def most_probable_path(self, theta: Float[Array, " D"], data: Data) -> Int[Array, " N"]:
        """The most probable sequence of states (N,) (Viterbi)."""
        return hmm.most_probable_path(*self._recursion(theta, data), data.exists, data.starts)
