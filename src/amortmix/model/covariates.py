"""Where covariates of simulated data sets come from, beside distributions that are independent from unit to unit.

UnitNumber    x_i = i,   i = 0, ..., N - 1
Resampled     x_i = v_(s + i) mod L,   s uniform on 0, ..., L - 1: a stretch of the user's own values v
"""

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution, constraints

from amortmix.storage.files import BadInput


class UnitNumber(Distribution):
    """The numbers 0, 1, 2, ... of units along the last axis, whatever the key.

    Examples
    --------
    >>> am.UnitNumber().sample(jax.random.key(1), (5,))
    Array([0, 1, 2, 3, 4], dtype=int32)
    """

    support = constraints.nonnegative_integer

    def sample(self, key=None, sample_shape=()):
        """Numbers of shape ``sample_shape``, which counts along its last axis."""
        return jnp.broadcast_to(jnp.arange(sample_shape[-1]), sample_shape)

    def log_prob(self, value):
        """Zero: the numbers are given, not drawn."""
        return jnp.zeros(jnp.shape(value))


class Resampled(Distribution):
    """Stretches of given values, from a place of their own in each data set and from the beginning after the end.

    Neighbours stay neighbours. Covariates that are resampled from columns of the same length begin at the same place,
    so that what belongs together stays together.

    Parameters
    ----------
    values : (L,)
        One for each unit of the user's own data, in their order.

    Raises
    ------
    BadInput
        If they are not a vector of finite numbers.

    Examples
    --------
    >>> water = am.Resampled(pd.DataFrame({"water_km": [0.5, 1.5, 4.0]})["water_km"])
    >>> water.sample(jax.random.key(1), (2, 100)).shape
    (2, 100)
    """

    arg_constraints = {"values": constraints.real_vector}
    support = constraints.real

    def __init__(self, values):
        self.values = np.asarray(values, dtype=np.float32)
        if self.values.ndim != 1 or not len(self.values) or not np.isfinite(self.values).all():
            raise BadInput(f"Resampled: values of shape {self.values.shape}; expected finite numbers in one column")
        super().__init__(batch_shape=(), event_shape=(), validate_args=False)

    def sample(self, key, sample_shape=()):
        """Values of shape ``sample_shape``, a stretch along its last axis."""
        *many, number = sample_shape
        start = jax.random.randint(key, (*many, 1), 0, len(self.values))
        return jnp.asarray(self.values)[(start + jnp.arange(number)) % len(self.values)]

    def log_prob(self, value):
        """Zero: the values are given, not drawn."""
        return jnp.zeros(jnp.shape(value))
