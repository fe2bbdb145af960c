"""A Gaussian field on a grid, its simulator and its likelihood.

    Z ~ Normal(0, Sigma),   Sigma_ij = exp(-|s_i - s_j| / theta),   theta ~ Uniform(0, 0.6)

at the 256 centres s_i of the cells of a 16 x 16 grid on the unit square. With one parameter the likelihood fits in a
table: a row for each field and a column for each value of theta in `knots`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from numpyro import distributions as dist
from numpyro import sample

SIDE = 16
UPPER = 0.6  # of the prior
COLUMNS = 128  # of a table
SMALLEST = 1e-3  # below it the correlation of neighbours is less than 1e-27
BATCH = 64  # covariance matrices in memory at once


def distances():
    """Distances (256, 256) of the centres of the cells."""
    place = (jnp.stack(jnp.meshgrid(*[jnp.arange(SIDE)] * 2), axis=-1).reshape(-1, 2) + 0.5) / SIDE
    return jnp.sqrt(jnp.sum((place[:, None] - place) ** 2, axis=-1))


def cholesky(theta):
    """Lower triangular factor (256, 256) of Sigma at one theta."""
    return jnp.linalg.cholesky(jnp.exp(-distances() / jnp.maximum(theta, SMALLEST)))


def model(field):
    """The model for NumPyro; ``field`` is (16, 16)."""
    theta = sample("theta", dist.Uniform(0.0, UPPER))
    sample("field", dist.MultivariateNormal(scale_tril=cholesky(theta)), obs=field.reshape(-1))


def simulate(seed, n, theta=None):
    """Independent pairs from the prior and the model, or fields at given parameters.

    Parameters
    ----------
    seed : int
    n : int
    theta : array (n,), optional

    Returns
    -------
    theta : (n, 1)
    fields : (n, 16, 16, 1)
        The last axis is the one channel that convolutions ask for.
    """
    key_theta, key_noise = jax.random.split(jax.random.key(seed))
    theta = jax.random.uniform(key_theta, (n,), maxval=UPPER) if theta is None else jnp.asarray(theta, float)
    noise = jax.random.normal(key_noise, (n, SIDE**2))
    pairs = jax.jit(lambda *both: jax.lax.map(lambda pair: cholesky(pair[0]) @ pair[1], both, batch_size=BATCH))
    return np.asarray(theta)[:, None], np.asarray(pairs(theta, noise)).reshape(n, SIDE, SIDE, 1)


def knots():
    """Values of theta (128,) at equal steps of its square root, half a step from the ends: closer where posteriors are
    narrower.
    """
    return UPPER * ((np.arange(COLUMNS) + 0.5) / COLUMNS) ** 2


@jax.jit
def log_likelihoods(fields):
    """The table (n, 128) of log p(Z | theta); ``fields`` is (n, 16, 16, 1)."""
    observed = jnp.asarray(fields).reshape(len(fields), -1).T

    def column(theta):
        factor = cholesky(theta)
        white = solve_triangular(factor, observed, lower=True)
        log_det = 2 * jnp.sum(jnp.log(jnp.diagonal(factor)))
        return -0.5 * (jnp.sum(white**2, axis=0) + log_det + SIDE**2 * jnp.log(2 * jnp.pi))

    return jax.lax.map(column, jnp.asarray(knots(), observed.dtype)).T
