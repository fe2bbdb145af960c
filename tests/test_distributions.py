"""Densities against quadrature and SciPy, samplers against their densities, tails without NaN."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from amortmix import distributions as d
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

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


@pytest.mark.parametrize(("loc", "scale"), [(0.5, 0.3), (5.5, 1.0), (-1.0, 0.5)])
def test_truncated_normal(loc, scale, float64):
    x = np.asarray(d.positive_normal_sample(jax.random.key(3), loc, scale, (N,)))
    reference = stats.truncnorm(-loc / scale, np.inf, loc, scale)
    assert stats.kstest(x, reference.cdf).pvalue > FALSE_ALARM
    grid = np.linspace(0.01, 4, 20)
    np.testing.assert_allclose(
        d.positive_normal_log_pdf(jnp.array(grid), loc, scale), reference.logpdf(grid), rtol=1e-9
    )


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
