"""Diagnostics on cases whose answer is known."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from bayesflow.metrics.functional.kernels import inverse_multiquadratic
from scipy import stats

from amortmix.diagnostics import comparison, simulated, states
from amortmix.diagnostics.quality import quality_of
from amortmix.inference import psis
from amortmix.inference.reference import MmdTest
from amortmix.inference.verdict import judge
from amortmix.mcmc.engine import McmcFit
from amortmix.model import registry
from amortmix.model.data import Data, as_numpy
from amortmix.plots import quality


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


def test_calibration_accepts_truth_and_rejects_overconfidence():
    """Exact conjugate posterior: inside the bands. The same with half the sd: outside.

    False-alarm rate of the first assertion: 5 % over seeds; this seed is fixed.
    """
    rng = np.random.default_rng(3)
    theta = rng.normal(size=(400, 2))
    y = theta + rng.normal(size=theta.shape)
    mean, sd = y / 2, np.sqrt(0.5)
    noise = rng.normal(size=(400, 200, 2))
    assert simulated.calibration(theta, mean[:, None] + sd * noise, seed=1)["inside"]
    assert not simulated.calibration(theta, mean[:, None] + 0.5 * sd * noise, seed=1)["inside"]


def test_c2st_of_equal_and_of_shifted_draws():
    """Equal distributions stay below chance plus 5 standard errors of 600 test points; distant ones do not."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 300, 3))
    assert comparison.c2st(a, b, epochs=5, seed=1) < 0.5 + 5 * np.sqrt(0.25 / 600)
    assert comparison.c2st(a, b + 5, epochs=60, seed=1) > 0.95
    assert comparison.c2st_null(a, b + 5, epochs=5, seed=1) < 0.5 + 5 * np.sqrt(0.25 / 600)


def test_mmd_test_separates_typical_from_distant():
    rng = np.random.default_rng(5)
    test = MmdTest(rng.normal(size=(300, 4)))
    typical, distant = test(np.zeros(4)), test(np.full(4, 6.0))
    assert typical[1] > 0.5 and distant[1] == 1 / 301 and distant[0] > typical[0]


def test_p_of_the_mmd_test_is_uniform_for_data_from_the_model():
    """Kolmogorov and Smirnov's test of 500 p-values, fixed seed; a right test fails once in 1,000 seeds."""
    rng = np.random.default_rng(6)
    test = MmdTest(rng.normal(size=(2000, 3)))
    p = [test(s)[1] for s in rng.normal(size=(500, 3))]
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_mmd_is_that_of_its_definition():
    """The MMD of one point against many, from the kernel of all pairs."""
    rng = np.random.default_rng(7)
    many, one = rng.normal(size=(50, 3)).astype(np.float32), rng.normal(size=(1, 3)).astype(np.float32)
    kernel = [np.asarray(inverse_multiquadratic(a, b)).mean() for a, b in ((one, one), (many, many), (one, many))]
    assert MmdTest(many)(one[0])[0] == pytest.approx(np.sqrt(kernel[0] + kernel[1] - 2 * kernel[2]), rel=1e-4)


@pytest.mark.parametrize(
    ("p", "k", "options", "expected"),
    [
        (0.5, 0.3, {}, "ABI"),
        (0.05, 0.3, {}, "PSIS"),
        (None, 0.3, {}, "PSIS"),
        (0.5, 0.3, {"concerns": ["N = 3 is outside"]}, "PSIS"),
        (0.5, 0.9, {}, "MCMC"),
        (0.01, 2.0, {}, "MCMC"),
        (0.5, float("nan"), {}, "MCMC"),
        (0.5, 0.3, {"finite": False}, "MCMC"),
        (0.5, 0.9, {"concerns": ["N = 3 is outside"]}, "MCMC"),
    ],
)
def test_verdict_with_a_density(p, k, options, expected):
    verdict = judge(True, psis.Psis(np.zeros(4000), k), p, **options)
    assert verdict.word == expected
    for words in (*options.get("concerns", ()), "" if k != k or not options.get("finite", True) else f"{k:.2f}"):
        assert words in verdict.reason


@pytest.mark.parametrize(
    ("p", "options", "expected"),
    [
        (0.5, {}, "ABI"),
        (0.05, {}, "UNRELIABLE"),
        (None, {}, "UNRELIABLE"),
        (0.5, {"concerns": ["far outside"]}, "UNRELIABLE"),
        (0.5, {"finite": False}, "UNRELIABLE"),
        (0.5, {"meaningful": False}, "UNRELIABLE"),
    ],
)
def test_verdict_without_a_density(p, options, expected):
    verdict = judge(False, None, p, **options)
    assert verdict.word == expected and "no density" in verdict.reason


def rhat_of(theta):
    return McmcFit(theta, {}, "", 0.0, 0.0, []).rhat_max


def test_rhat_sees_chains_that_disagree():
    rng = np.random.default_rng(6)
    good = rng.normal(size=(4, 500, 2))
    assert rhat_of(good) < 1.01
    bad = good + np.array([0, 0, 0, 3.0])[:, None, None]
    assert rhat_of(bad) > 1.2


@pytest.mark.parametrize("variant", ["paper", "reference"])
@pytest.mark.parametrize("name", ["gaussian_hmm", "evidence_accumulation"])
def test_only_the_exact_rule_has_no_error(name, variant):
    """With exact filters: no error but rounding; the printed and the shifted rule are wrong, the shifted most."""
    model = registry.find(name).with_prior(variant)
    table = states.exact_filter_errors(model, datasets=60, seed=1)
    errors = {rule: entry["networks"]["mean_absolute_error"] for rule, entry in table.items()}
    assert errors["exact"] < 1e-4
    assert 10 * errors["exact"] < min(errors["printed"], errors["filtering alone"])
    assert max(errors["printed"], errors["filtering alone"]) < errors["shifted"]
    assert table["exact"]["networks"]["flips"] < 1e-3 < table["shifted"]["networks"]["flips"]


def test_excess_cross_entropy_is_a_kl_divergence():
    """Zero for the exact probabilities, whose calibration error is that of chance; the KL divergence for others."""
    rng = np.random.default_rng(7)
    p = rng.dirichlet([1, 1, 1], size=(200, 50))
    z = (rng.uniform(size=(200, 50, 1)) > p.cumsum(-1)).sum(-1)
    mask = np.ones((200, 50))
    mask[:, 40:] = 0
    own = states.excess_cross_entropy(np.log(p), np.log(p), mask, z)
    assert own["mean"] == 0 and own["ece"] < 0.02
    uniform = states.excess_cross_entropy(np.log(p), np.log(np.full_like(p, 1 / 3)), mask, z)
    kl = stats.entropy(p[:, :40], np.full_like(p[:, :40], 1 / 3), axis=-1).mean()
    np.testing.assert_allclose(uniform["mean"], kl, rtol=1e-10)


class ExactAtOnePoint:
    """In place of networks: the exact answer where theta is known, log odds of the indicators times ``sharpness``."""

    def __init__(self, model, theta, sharpness):
        self.model, self.theta, self.sharpness = model, jnp.array(theta), sharpness

    def _sample_one(self, data, key, draws):
        theta = jnp.broadcast_to(self.theta, (draws, len(self.theta)))
        return theta, theta, None

    def _heads(self, data, theta):
        exact = jax.vmap(lambda t: self.model.state_log_probs(t, data))(theta)
        return {head: jax.nn.log_softmax(self.sharpness * p, axis=-1) for head, p in exact.items()}


@pytest.mark.parametrize("name", ["gaussian_mixture", "gaussian_hmm"])
def test_share_of_units_is_calibrated_where_the_indicators_are(name):
    """Known theta and exact probabilities: inside the bands (false-alarm rate 5 %, fixed seed). Three times the log
    odds: outside.
    """
    model = registry.find(name)
    theta = jnp.array(
        {"gaussian_mixture": [0.3, 0.4, 0.3, -0.6, 0.0, 0.6], "gaussian_hmm": [0.7, 0.6, -0.4, 0.4]}[name]
    )

    def simulate(key):
        key_design, key_data = jax.random.split(key)
        mask = model.sample_design(key_design)
        y, z = model.simulate(key_data, theta, mask)
        return Data(y, mask), z

    data, z = jax.jit(jax.vmap(simulate))(jax.random.split(jax.random.key(8), 300))
    data, z = as_numpy(data), np.asarray(z)
    for sharpness, inside in ((1.0, True), (3.0, False)):
        stub = ExactAtOnePoint(model, theta, sharpness)
        assert states.share_calibration(stub, data, z, 100, seed=1)["inside"] is inside


def test_draws_on_the_edge_have_no_weight():
    """alpha_1 rounded to zero or nu overflowed: density zero, weight zero, everything else unchanged."""
    model = registry.find("evidence_accumulation")
    theta, data, _ = model.simulate_dataset(jax.random.key(1))
    edge = jnp.stack([theta, theta.at[2].set(0.0), theta.at[6].set(jnp.inf)])
    log_joint = np.asarray(psis.log_joint(model, edge, data))
    assert np.isfinite(log_joint[0]) and np.isneginf(log_joint[1:]).all()
    x, target, proposal = gaussian_weights(1.5)
    with_edge = psis.smooth(np.append(target, -np.inf), np.append(proposal, -np.inf))
    without = psis.smooth(target, proposal)
    np.testing.assert_allclose(with_edge.log_weights[:-1], without.log_weights, atol=0.02)
    assert with_edge.weights[-1] == 0 and abs(with_edge.pareto_k - without.pareto_k) < 0.02


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_draws_that_are_not_finite_are_counted_and_figures_say_so(share):
    """Hardly trained networks overflow on some data sets: of none, some and all."""
    model = registry.find("gaussian_hmm")
    rng = np.random.default_rng(8)
    theta = rng.normal(size=(20, 4))
    draws = (theta[:, None] + rng.normal(size=(20, 50, 4))).astype(np.float32)
    overflown = int(share * 20)
    draws[:overflown, :3, 2], draws[:overflown, 3, 3] = np.inf, np.nan
    found = xr.Dataset({"theta": (("m", "d"), theta), "draws": (("m", "s", "d"), draws)})
    words = f"draws of {overflown} of 20 data sets are not finite"
    for plot in (quality.recovery, quality.z_score_contraction):
        figure = plot(model, found)
        title = figure.get_suptitle()
        assert title.startswith(words) if overflown else title == ""
        plt.close(figure)
    metrics = {"datasets": 20, "not_finite": overflown, "sbc": {"inside": True}}
    said = quality_of(metrics, found)
    assert said.good == (overflown == 0) and (words in said.sentence) == (overflown > 0)
