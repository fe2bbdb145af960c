"""Densities against quadrature and SciPy, samplers against their densities, tails without NaN."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import numpyro.distributions as dist
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from amortmix.model import distributions as d

#: Probability that a Kolmogorov-Smirnov test with a fixed seed rejects a correct sampler.
FALSE_ALARM = 1e-4
N = 20_000


@pytest.mark.parametrize(("alpha", "nu"), [(0.5, 5.5), (2.0, 2.5), (0.05, 0.3)])
def test_wald_density_and_survival_are_scipys(alpha, nu, float64):
    reference = stats.invgauss(mu=alpha / nu / alpha**2, scale=alpha**2)
    t = np.geomspace(0.01, 3, 50) * alpha / nu
    np.testing.assert_allclose(d.wald_log_pdf(jnp.array(t), alpha, nu), reference.logpdf(t), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(d.wald_log_survival(jnp.array(t), alpha, nu), reference.logsf(t), rtol=1e-7, atol=1e-12)


def exact_log_survival(t, alpha, nu):
    """50 digits: log of Phi(-x) - exp(2 alpha nu) Phi(-w)."""
    with mpmath.workdps(50):
        t, alpha, nu = mpmath.mpf(t), mpmath.mpf(alpha), mpmath.mpf(nu)
        x, w = (nu * t - alpha) / mpmath.sqrt(t), (nu * t + alpha) / mpmath.sqrt(t)
        return float(mpmath.log(mpmath.ncdf(-x) - mpmath.exp(2 * alpha * nu) * mpmath.ncdf(-w)))


@pytest.mark.parametrize("t", [1e-4, 0.01, 0.4, 0.8, 3.0, 30.0, 300.0])
@pytest.mark.parametrize(("alpha", "nu"), [(0.3, 6.0), (2.0, 2.5), (4.0, 9.0)])
def test_survival_far_in_the_tails(t, alpha, nu, float64):
    expected = exact_log_survival(t, alpha, nu)
    np.testing.assert_allclose(d.wald_log_survival(jnp.float64(t), alpha, nu), expected, rtol=1e-8, atol=1e-13)
    single = d.wald_log_survival(jnp.float32(t), jnp.float32(alpha), jnp.float32(nu))
    np.testing.assert_allclose(single, expected, rtol=2e-3, atol=1e-5)


survival_and_gradient = jax.jit(jax.value_and_grad(d.wald_log_survival, argnums=(0, 1, 2)))


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-4, 100), st.floats(0.01, 6), st.floats(0.05, 15))
def test_survival_and_its_gradient_are_finite(t, alpha, nu):
    arguments = tuple(jnp.float32(x) for x in (t, alpha, nu))
    value, gradient = survival_and_gradient(*arguments)
    assert np.isfinite(value) and value <= 1e-6
    assert np.isfinite(gradient).all()


def test_race_density_integrates_to_one(float64):
    """Over both winners; and each part is that winner's probability."""

    def part(correct):
        return integrate.quad(lambda t: float(jnp.exp(d.race_log_pdf(jnp.float64(t), correct, 1.5, 4.0, 2.0))), 0, 20)[
            0
        ]

    p_correct, p_error = part(1.0), part(0.0)
    np.testing.assert_allclose(p_correct + p_error, 1, rtol=1e-6)
    _, correct = d.race_sample(jax.random.key(0), 1.5, 4.0, 2.0, (N,))
    assert abs(np.mean(correct) - p_correct) < 5 * np.sqrt(p_correct * p_error / N)


@pytest.mark.parametrize(("alpha", "nu"), [(0.5, 5.5), (2.0, 2.5), (0.02, 6.0)])
def test_wald_sampler(alpha, nu):
    t = np.asarray(d.wald_sample(jax.random.key(1), alpha, nu, (N,)))
    reference = stats.invgauss(mu=1 / (nu * alpha), scale=alpha**2)
    assert stats.kstest(t, reference.cdf).pvalue > FALSE_ALARM


def test_wald_and_race_as_distributions(float64):
    """The classes shift time by tau, choose the winner, and halve a guess; zero density before tau."""
    y = jnp.array([[0.7, 1.0], [0.7, 0.0], [0.2, 1.0]])
    t, tau = y[:, 0] - 0.25, 0.25
    wald = d.wald_log_pdf(jnp.maximum(t, 1e-9), 1.5, 4.0)
    np.testing.assert_allclose(d.Wald(1.5, 4.0, tau).log_prob(y[:2, 0]), wald[:2], rtol=1e-12)
    np.testing.assert_allclose(d.Guess(1.5, 4.0, tau).log_prob(y[:2]), wald[:2] - np.log(2), rtol=1e-12)
    race = d.race_log_pdf(t[:2], y[:2, 1], 1.5, 4.0, 2.0)
    np.testing.assert_allclose(d.Race(1.5, 4.0, 2.0, tau).log_prob(y[:2]), race, rtol=1e-12)
    assert np.exp(d.Race(1.5, 4.0, 2.0, tau).log_prob(y[2])) == 0
    drawn = d.Race(jnp.array([1.5, 2.0]), 4.0, 2.0, tau).sample(jax.random.key(0), (3,))
    assert drawn.shape == (3, 2, 2) and np.all(drawn[..., 0] > tau) and set(np.unique(drawn[..., 1])) <= {0.0, 1.0}


@pytest.mark.parametrize(
    "base", [dist.Normal(1, 2), dist.LogNormal(0, 1), dist.Beta(2, 3)], ids=lambda b: type(b).__name__
)
def test_ordered_draws_and_density(base, float64):
    """Order statistics of K draws: density K! prod p, and the largest has cdf F^K."""
    found = d.ordered(base, 3)
    x = np.asarray(found.sample(jax.random.key(3), (5000,)))
    assert np.all(np.diff(x, axis=1) > 0) and np.all(found.support(x))
    np.testing.assert_allclose(found.log_prob(x), np.log(6) + base.log_prob(x).sum(1), rtol=1e-9, atol=1e-12)
    assert stats.kstest(x[:, 2], lambda v: np.asarray(base.cdf(v)) ** 3).pvalue > FALSE_ALARM


def test_increments_draws_and_density(float64):
    """The steps are independent draws; adding them up has determinant one."""
    parts = dist.HalfNormal(1), dist.Gamma(2, 2)
    found = d.Increments(*parts)
    x = np.asarray(found.sample(jax.random.key(4), (5000,)))
    steps = np.diff(x, axis=1, prepend=0)
    assert np.all(found.support(x)) and not found.support(jnp.array([2.0, 1.0]))
    np.testing.assert_allclose(found.log_prob(x), sum(p.log_prob(steps[:, i]) for i, p in enumerate(parts)), rtol=1e-9)
    assert stats.kstest(steps[:, 0], stats.halfnorm.cdf).pvalue > FALSE_ALARM
    assert stats.kstest(steps[:, 1], stats.gamma(2, scale=0.5).cdf).pvalue > FALSE_ALARM


def test_ordered_normal_is_ordered_and_normalized(float64):
    """The normalizer for two and three means against the probability of order in plain draws."""
    rng = np.random.default_rng(4)
    for loc in ((-1.5, 1.5), (-2.0, 0.0, 2.0)):
        x = np.asarray(loc) + rng.normal(size=(400_000, len(loc)))
        p = np.mean(np.all(np.diff(x, axis=1) > 0, axis=1))
        error = 5 * np.sqrt(p * (1 - p) / 400_000) / p
        assert abs(d._log_order_probability(loc, 1.0) - np.log(p)) < error
        draws = jax.vmap(lambda k, loc=loc: d.ordered_normal_sample(k, loc, 1.0))(
            jax.random.split(jax.random.key(5), 2000)
        )
        assert np.all(np.diff(draws, axis=1) > 0)
        kept = x[np.all(np.diff(x, axis=1) > 0, axis=1)]
        for k in range(len(loc)):
            assert stats.ks_2samp(np.asarray(draws)[:, k], kept[:, k]).pvalue > FALSE_ALARM


@pytest.mark.parametrize(("dtype", "close"), [(np.float32, 1e-6), (np.float64, 1e-13)])
def test_mills_ratio_and_its_slope(dtype, close, float64):
    """Against SciPy's scaled complementary error function; the slope is x M(x) - 1."""
    x = np.concatenate([np.linspace(0, 20, 2001), np.geomspace(1e-6, 1e6, 501)]).astype(dtype)
    exact = math.sqrt(math.pi / 2) * special.erfcx(x.astype(float) / math.sqrt(2))
    value, slope = jax.vmap(jax.value_and_grad(d._mills))(jnp.asarray(x))
    np.testing.assert_allclose(value, exact, rtol=close)
    near = x < 20  # farther out x M(x) - 1 itself is rounding noise in double precision
    np.testing.assert_allclose(slope[near], (x * exact - 1)[near], atol=20 * close)
