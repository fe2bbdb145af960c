"""A covariate that is no draw: the number of the unit, such as the day of an outbreak.

x_i = i,   i = 0, ..., N - 1
"""

import jax.numpy as jnp
from numpyro.distributions import Distribution, constraints


class UnitNumber(Distribution):
    """The numbers 0, 1, 2, ... of units along the last axis, whatever the key.

    Examples
    --------
    >>> am.Mixture(..., covariates={"day": am.UnitNumber()}, emission=lambda p, x: dist.Poisson(p["mean"][day_of(x)]))
    """

    support = constraints.nonnegative_integer

    def sample(self, key=None, sample_shape=()):
        """Numbers of shape ``sample_shape``, which counts along its last axis."""
        return jnp.broadcast_to(jnp.arange(sample_shape[-1]), sample_shape)

    def log_prob(self, value):
        """Zero: the numbers are given, not drawn."""
        return jnp.zeros(jnp.shape(value))
