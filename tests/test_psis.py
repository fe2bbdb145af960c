"""Importance weights on cases whose answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from amortmix.diagnostics import simulated
from amortmix.inference import psis
from amortmix.inference.amortized import log_joint
from amortmix.model import registry


def gaussian_weights(target_sd, n=20_000):
    """Draws of Normal(0, 1) with their log densities under Normal(0, target_sd) and under themselves."""
    x = np.random.default_rng(1).normal(size=n)
    return x, stats.norm.logpdf(x, scale=target_sd), stats.norm.logpdf(x)


@pytest.mark.parametrize(("target_sd", "k"), [(1.5, 1 - 1 / 1.5**2), (2.0, 0.75)])
def test_pareto_k_of_a_narrow_proposal(target_sd, k):
    """For a Gaussian proposal with sd 1 and target sd s > 1 the weights have tail index 1 - 1 / s^2.

    The estimate from 20,000 draws scatters by about 0.1 (and converges slowly): 0.25 is allowed. With the
    wrong sign of the weights k-hat would be negative.
    """
    smoothed = psis.smooth(*gaussian_weights(target_sd)[1:])
    assert abs(smoothed.pareto_k - k) < 0.25


def test_weights_correct_a_wide_proposal():
    """Target sd 0.5 from draws with sd 1: weighted variance within 5 standard errors of 0.25."""
    x, target, proposal = gaussian_weights(0.5)
    smoothed = psis.smooth(target, proposal)
    assert smoothed.is_reliable
    variance = smoothed.weights @ x**2
    assert abs(variance - 0.25) < 5 * 0.25 * np.sqrt(2 / smoothed.ess)
    assert abs(smoothed.weights.sum() - 1) < 1e-9
    chosen = psis.resample(smoothed.log_weights, 4000, seed=1)
    assert abs(np.var(x[chosen]) - 0.25) < 5 * 0.25 * np.sqrt(2 / smoothed.ess)


def test_resampled_draws_are_draws_of_the_target():
    """N(0.3, 0.7^2) from 40,000 proposals of N(0, 1): mean and variance of 2,000 within 5 standard errors."""
    x = np.random.default_rng(2).normal(size=40_000)
    smoothed = psis.smooth(stats.norm.logpdf(x, 0.3, 0.7), stats.norm.logpdf(x))
    theta = x[psis.resample(smoothed.log_weights, 2000, seed=2)]
    assert len(np.unique(theta)) == 2000 and 2000 < smoothed.ess < 40_000
    assert abs(theta.mean() - 0.3) < 5 * 0.7 / np.sqrt(2000)
    assert abs(theta.var() - 0.49) < 5 * 0.49 * np.sqrt(2 / 2000)
    assert psis.resample(np.full(8, -np.inf), 2, seed=1) is None


def test_draws_are_taken_as_often_as_their_weights_say():
    """Systematic resampling: n w rounded up or down for each draw, in random order; the mean is unbiased."""
    log_weights = np.log(stats.dirichlet(np.ones(50)).rvs(1, random_state=3)[0])
    counts = np.array([np.bincount(psis.resample(log_weights, 40, seed=s), minlength=50) for s in range(4000)])
    expected = 40 * np.exp(log_weights)
    assert np.all((counts == np.floor(expected)) | (counts == np.ceil(expected)))
    # a count is one of two numbers, so its variance is at most 1 / 4: 5 standard errors of the mean
    assert np.abs(counts.mean(0) - expected).max() < 5 * 0.5 / np.sqrt(4000)
    chosen = psis.resample(log_weights, 40, seed=1)
    assert np.any(np.diff(chosen) < 0)
    only = np.where(np.arange(50) == 7, 0.0, -np.inf)
    assert np.all(psis.resample(only, 40, seed=1) == 7)


def test_evidence_and_its_error():
    """Weights of a target whose integral is exp(3): the estimate within 4 of its errors, and the error about right."""
    found = []
    for seed in range(200):
        x = np.random.default_rng(seed).normal(size=500)
        ratio = 3 + stats.norm.logpdf(x, 0.2, 0.8) - stats.norm.logpdf(x)
        found.append(psis.evidence(ratio))
    value, error = np.array(found).T
    assert np.all(np.abs(value - 3) < 5 * error)  # 200 tests at 5 standard errors: false alarm 1e-4
    assert 0.8 < value.std() / error.mean() < 1.25


@pytest.mark.parametrize("target_sd", [0.5, 0.9, 1.1])
def test_divergence_of_gaussians(target_sd):
    """KL(Normal(0, s) || Normal(0, 1)) = s^2 / 2 - 1 / 2 - log s, by weights whose evidence is off by a constant.

    Within four standard errors of the weighted mean of log p - log q, from 20,000 draws.
    """
    x, target, proposal = gaussian_weights(target_sd)
    evidence, ratio = 3.0, psis.log_ratio(target, proposal)
    smoothed = psis.smooth(target + evidence, proposal)
    found = simulated.divergence(smoothed, ratio + evidence, evidence)
    exact = target_sd**2 / 2 - 0.5 - np.log(target_sd)
    standard_error = np.sqrt(np.sum(smoothed.weights**2 * (ratio - exact) ** 2))
    assert abs(found - exact) < 4 * standard_error


def test_threshold_falls_with_few_draws():
    def threshold(n):
        return psis.Psis(np.zeros(n), 0.0).threshold

    assert threshold(10_000) == pytest.approx(0.7)
    assert threshold(100) == pytest.approx(0.5)


def test_draws_on_the_edge_have_no_weight():
    """alpha_1 rounded to zero or nu overflowed: density zero, weight zero, everything else unchanged."""
    model = registry.find("evidence_accumulation")
    theta, data, _ = model.simulate_dataset(jax.random.key(1))
    edge = jnp.stack([theta, theta.at[2].set(0.0), theta.at[6].set(jnp.inf)])
    found = np.asarray(log_joint(model, edge, data))
    assert np.isfinite(found[0]) and np.isneginf(found[1:]).all()
    x, target, proposal = gaussian_weights(1.5)
    with_edge = psis.smooth(np.append(target, -np.inf), np.append(proposal, -np.inf))
    without = psis.smooth(target, proposal)
    np.testing.assert_allclose(with_edge.log_weights[:-1], without.log_weights, atol=0.02)
    assert with_edge.weights[-1] == 0 and abs(with_edge.pareto_k - without.pareto_k) < 0.02


def test_a_tail_of_one_value_cannot_be_relied_on():
    """A hundred of a thousand draws share the largest weight: their share is kept, and there is no k-hat."""
    found = psis.smooth(np.where(np.arange(1000) < 100, 5.0, 0.0), np.zeros(1000))
    for number in (3, 24):  # too few for a tail
        assert np.isnan(psis.smooth(np.arange(float(number)), np.zeros(number)).pareto_k)
    assert np.isnan(found.pareto_k) and not found.is_reliable
    assert found.weights[:100].sum() == pytest.approx(100 * np.exp(5) / (100 * np.exp(5) + 900))
