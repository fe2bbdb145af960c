"""Diagnostics on cases whose answer is known."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from bayesflow.diagnostics import plots as bayesflow_plots
from bayesflow.metrics.functional.kernels import inverse_multiquadratic
from scipy import stats

from amortmix.diagnostics import comparison, simulated, states
from amortmix.diagnostics.quality import quality_of
from amortmix.inference import psis
from amortmix.inference.reference import MmdTest
from amortmix.inference.verdict import Facts, judge
from amortmix.mcmc.engine import McmcFit
from amortmix.model import registry
from amortmix.model.data import Data, as_numpy
from amortmix.plots import quality


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
        (0.5, 0.9, {"adapted": psis.Psis(np.zeros(4000), 0.4)}, "PSIS"),
        (0.5, 0.9, {"adapted": psis.Psis(np.zeros(4000), 0.4), "states": "states are off"}, "MCMC"),
    ],
)
def test_verdict_with_a_density(p, k, options, expected):
    verdict = judge(Facts(True, psis.Psis(np.zeros(4000), k), p, **options))
    assert verdict.word == expected
    for words in (
        *options.get("concerns", ()),
        options.get("states", ""),
        "" if "states" in options or k != k or not options.get("finite", True) else f"{k:.2f}",
    ):
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
    verdict = judge(Facts(False, None, p, **options))
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

    def flow(self, data, noise):
        theta = jnp.broadcast_to(self.theta, (len(noise), len(self.theta)))
        return theta, theta, None

    def heads(self, data, theta):
        exact = jax.vmap(lambda t: self.model.state_log_probs(t, data))(theta)
        return {head: jax.nn.log_softmax(self.sharpness * p, axis=-1) for head, p in exact.items()}


@pytest.mark.parametrize("name", ["gaussian_mixture", "gaussian_hmm"])
def test_paths_are_calibrated_where_the_indicators_are(name):
    """Known theta and exact probabilities: inside the bands (false-alarm rate 5 %, fixed seed), the share of units, the
    number of switches and the longest run. Three times the log odds: outside, all of them.
    """
    model = registry.find(name)
    theta = jnp.array(
        {"gaussian_mixture": [0.3, 0.4, 0.3, -0.6, 0.0, 0.6], "gaussian_hmm": [0.7, 0.6, -0.4, 0.4]}[name]
    )

    def simulate(key):
        key_design, key_data = jax.random.split(key)
        mask, _ = model.sample_design(key_design)
        y, z = model.simulate(key_data, theta, mask)
        return Data(y, mask), z

    data, z = jax.jit(jax.vmap(simulate))(jax.random.split(jax.random.key(8), 300))
    data, z = as_numpy(data), np.asarray(z)
    for sharpness, inside in ((1.0, True), (3.0, False)):
        stub = ExactAtOnePoint(model, theta, sharpness)
        found = states.path_calibration(stub, data, z, 100, seed=1)
        assert len(found) == (3 if model.dependent else 1)
        assert all(entry["inside"] is inside for entry in found.values())


def shifted_draws(model, data_sets, draws, seed):
    """Truths (M, D) and draws (M, S, D), off by a part of their standard deviations, which differ."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(data_sets, len(model.parameters))).astype(np.float32)
    noise = rng.normal(0.2, rng.uniform(0.1, 0.9, theta.shape)[:, None], (data_sets, draws, theta.shape[1]))
    return theta, (theta[:, None] + noise).astype(np.float32)


def test_statistics_are_those_of_the_draws():
    model = registry.find("gaussian_hmm")
    theta, draws = shifted_draws(model, 30, 101, seed=9)
    found = simulated.statistics(model.parameter_names, theta, draws)
    # the 51st of 101 sorted draws is their median
    np.testing.assert_array_equal(found["median"], np.sort(draws, axis=1)[:, 50])
    np.testing.assert_array_equal(found["rank"], (draws < theta[:, None]).sum(1))
    for name, expected in (("mean", draws.mean(1, float)), ("sd", draws.std(1, float, ddof=1))):
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)
    for name, share in (("lower", 0.025), ("upper", 0.975)):
        np.testing.assert_allclose(found[name], np.quantile(draws.astype(float), share, axis=1), rtol=1e-6)
    assert found.attrs["draws"] == 101 and not found["not_finite"].any()


def test_figures_from_statistics_are_bayesflows_from_draws():
    """The ECDF of the ranks exactly, z-score and contraction but for rounding."""
    model = registry.find("gaussian_hmm")
    theta, draws = shifted_draws(model, 40, 60, seed=10)
    found = simulated.statistics(model.parameter_names, theta, draws)
    np.random.seed(1)
    for ours, theirs in (
        (quality.calibration(model, found), bayesflow_plots.calibration_ecdf(draws, theta, difference=True)),
        (quality.z_score_contraction(model, found), bayesflow_plots.z_score_contraction(draws, theta)),
    ):
        for axis, other in zip(ours.axes, theirs.axes):
            for line, expected in zip(axis.lines, other.lines, strict=True):
                np.testing.assert_array_equal(line.get_xydata(), expected.get_xydata())
            points = [np.concatenate([c.get_offsets() for c in a.collections]) for a in (axis, other)]
            np.testing.assert_allclose(*points, rtol=1e-4, atol=1e-4)
        plt.close(ours)
        plt.close(theirs)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_draws_that_are_not_finite_are_counted_and_figures_say_so(share):
    """Hardly trained networks overflow on some data sets: of none, some and all."""
    model = registry.find("gaussian_hmm")
    rng = np.random.default_rng(8)
    theta = rng.normal(size=(20, 4))
    draws = (theta[:, None] + rng.normal(size=(20, 50, 4))).astype(np.float32)
    overflown = int(share * 20)
    draws[:overflown, :3, 2], draws[:overflown, 3, 3] = np.inf, np.nan
    found = simulated.statistics(model.parameter_names, theta, draws)
    assert found["not_finite"].values.tolist() == [4] * overflown + [0] * (20 - overflown)
    assert all(np.isfinite(found[name]).all() for name in found)
    words = f"draws of {overflown} of 20 data sets are not finite"
    for plot in (quality.recovery, quality.z_score_contraction):
        figure = plot(model, found)
        title = figure.get_suptitle()
        assert title.startswith(words) if overflown else title == ""
        plt.close(figure)
    metrics = {"datasets": 20, "not_finite": overflown, "sbc": {"inside": True}}
    said = quality_of(metrics, found)
    assert said.good == (overflown == 0) and (words in said.sentence) == (overflown > 0)
