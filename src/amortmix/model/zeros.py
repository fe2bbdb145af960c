"""Positive numbers of which some are exactly zero, such as the way of an animal that did not move.

P(y = 0) = g,    p(y) = (1 - g) f(y)  for y > 0
"""

import jax
import jax.numpy as jnp
from numpyro.distributions import Distribution, constraints

from amortmix.storage.files import BadInput


class ZeroInflated(Distribution):
    """Zero with probability ``gate``, else a draw from a distribution of positive numbers.

    Parameters
    ----------
    base : Distribution
        Of positive numbers, such as steps of an animal that moves.
    gate : array
        Broadcast against the batch of ``base``. Zeros have a probability and other values a density.

    Raises
    ------
    BadInput
        If ``base`` is of counts, among which zeros need no probability of their own.

    Examples
    --------
    >>> step = am.ZeroInflated(dist.Gamma(2.0, 1.0), gate=0.25)
    >>> float(jnp.exp(step.log_prob(0.0)).round(2))
    0.25
    """

    arg_constraints = {"gate": constraints.unit_interval}
    support = constraints.nonnegative

    def __init__(self, base, gate, *, validate_args=None):
        if base.support.is_discrete:
            raise BadInput(
                f"ZeroInflated of a {type(base).__name__}; expected a distribution of positive numbers; for counts "
                "there is numpyro.distributions.ZeroInflatedDistribution"
            )
        self.gate = gate
        shape = jnp.broadcast_shapes(jnp.shape(gate), base.batch_shape)
        self.base = base.expand(shape)
        super().__init__(batch_shape=shape, validate_args=validate_args)

    def sample(self, key, sample_shape=()):
        key_zero, key_base = jax.random.split(key)
        zero = jax.random.bernoulli(key_zero, self.gate, (*sample_shape, *self.batch_shape))
        positive = self.base.sample(key_base, sample_shape)
        # a positive number that was rounded to zero is none of the zeros
        return jnp.where(zero, 0.0, jnp.maximum(positive, jnp.finfo(positive.dtype).tiny))

    def log_prob(self, value):
        positive = self.base.log_prob(jnp.where(value > 0, value, 1.0))
        return jnp.where(value > 0, jnp.log1p(-self.gate) + positive, jnp.log(self.gate))
