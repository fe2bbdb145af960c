"""Every bijection: round trip and log-determinant against automatic differentiation, also at the edges."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

from amortmix.model import supports as bijections
from amortmix.model.constraints import of_constraint
from amortmix.model.distributions import Increments, ordered
from amortmix.model.supports import REGISTRY

SCALES = [0.0, 1.0, 4.0, 9.0]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", REGISTRY)
def test_round_trip_and_log_det(name, scale, float64):
    bijection, constrained = REGISTRY[name]
    free = constrained - name.startswith("simplex")
    u = scale * jnp.sin(jnp.arange(1.0, 1.0 + 5 * free)).reshape(5, free)
    theta = bijection.forward(u)
    assert theta.shape == (5, constrained)
    np.testing.assert_allclose(bijection.inverse(theta), u, atol=1e-6)
    for row in u:
        jacobian = jax.jacobian(lambda x: bijection.forward(x)[:free])(row)
        sign, expected = jnp.linalg.slogdet(jacobian)
        np.testing.assert_allclose(bijection.log_det(row), expected, rtol=1e-7, atol=1e-7)


PRIORS = {
    "normal": dist.Normal(0, 1),
    "positive": dist.HalfNormal(1),
    "beta": dist.Beta(2, 2).expand([3]),
    "uniform": dist.Uniform(-2, 5),
    "pareto": dist.Pareto(2.0, 3.0),
    "truncated": dist.TruncatedNormal(0, 1, low=-1, high=2),
    "at least": dist.TruncatedNormal(0, 1, low=0.5),
    "at most": dist.TruncatedNormal(0, 1, high=0.5),
    "rows of shares": dist.Dirichlet(jnp.ones(3)).expand([2]).to_event(1),
    "ordered": ordered(dist.Normal(0, 1), 3),
    "ordered shares": ordered(dist.Beta(2, 2), 3),
    "ordered rates": ordered(dist.LogNormal(0, 1), 2),
    "increments": Increments(dist.HalfNormal(1), dist.Gamma(2, 2)),
    "vector": dist.MultivariateNormal(jnp.zeros(2), jnp.eye(2)),
    "covariance": dist.Wishart(4.0, jnp.eye(2)),
    "correlation": dist.LKJ(2, 1.0),
}


@pytest.mark.parametrize("name", PRIORS)
def test_the_support_of_a_prior_has_a_bijection(name, float64):
    """Draws of a NumPyro prior go to the real space and back, whichever support it has."""
    prior = PRIORS[name]
    theta = prior.sample(jax.random.key(1), (50,))
    shape = theta.shape[1:]
    bijection, free = of_constraint(prior.support, shape)
    flat = theta.reshape(50, -1)
    u = bijection.inverse(flat)
    assert u.shape == (50, free) and np.isfinite(u).all()
    np.testing.assert_allclose(bijection.forward(u), flat, atol=1e-9)
    assert np.all(prior.support(bijection.forward(u / 2).reshape(theta.shape)))
    assert np.isfinite(bijection.log_det(u)).all() and bijection.log_det(u).shape == (50,)


@pytest.mark.parametrize("k", [2, 3, 6])
def test_simplex_sums_to_one_and_zero_is_uniform(k, float64):
    np.testing.assert_allclose(bijections.simplex.forward(jnp.zeros(k - 1)), np.full(k, 1 / k), rtol=1e-14)
    u = jnp.array(np.random.default_rng(1).normal(scale=5, size=(100, k - 1)))
    np.testing.assert_allclose(bijections.simplex.forward(u).sum(-1), 1, rtol=1e-12)


def test_simplex_is_the_corrected_equation_25(float64):
    """u_k = logit(b_k) - log(1 / (K - k)) with the break proportion b_k = pi_k / (1 - sum_{j<k} pi_j)."""
    pi = np.array([0.2, 0.1, 0.4, 0.3])
    left = 1 - np.concatenate([[0], np.cumsum(pi)[:-1]])
    b = (pi / left)[:-1]
    expected = np.log(b / (1 - b)) - np.log(1 / np.array([3, 2, 1]))
    np.testing.assert_allclose(bijections.simplex.inverse(jnp.array(pi)), expected, rtol=1e-12)


def test_decision_time_below_float_resolution_stays_finite():
    """tau / min rt that rounds to one in float32 must not become an infinite logit."""
    upper = jnp.float32(100.0)
    just_above = np.nextafter(np.float32(100.0), np.float32(200.0))  # where the minimum is compiled otherwise than tau
    u = bijections.scaled_logit(upper).inverse(jnp.array([[100.0], [just_above]], dtype=jnp.float32))
    assert np.isfinite(u).all()
    assert not np.isfinite(bijections.scaled_logit(upper).inverse(jnp.array([101.0], dtype=jnp.float32))).any()
