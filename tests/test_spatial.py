"""The spatial example: likelihood, simulator and scores are what they say; reverse KL goes to the posterior."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import distributions as dist
from scipy.stats import norm

from amortmix.diagnostics.intervals import TAIL, interval_scores, scores
from amortmix_paper.spatial import METHODS, RESTS_ON, SHOWN, networks
from amortmix_paper.spatial.field import SIDE, UPPER, cholesky, knots, log_likelihoods, simulate
from amortmix_paper.spatial.methods import TRAINERS, train
from amortmix_paper.spatial.tables import Answers, between, of_table


def covariance(theta):
    """Entry by entry, from the definition."""
    place = [((i + 0.5) / SIDE, (j + 0.5) / SIDE) for j in range(SIDE) for i in range(SIDE)]
    return np.exp(-np.array([[np.hypot(a - c, b - d) for c, d in place] for a, b in place]) / theta)


def test_the_table_is_the_likelihood(float64):
    """Of NumPyro, with a covariance from the definition; in single precision within a hundredth of a nat."""
    _, fields = simulate(1, 4)
    columns = [3, 60, 127]
    expected = np.stack(
        [
            dist.MultivariateNormal(jnp.zeros(SIDE**2), covariance(knots()[c])).log_prob(fields.reshape(4, -1))
            for c in columns
        ],
        axis=1,
    )
    np.testing.assert_allclose(np.asarray(log_likelihoods(fields.astype(np.float64)))[:, columns], expected, rtol=1e-9)
    single = np.asarray(log_likelihoods(fields.astype(np.float32)))[:, columns]
    np.testing.assert_allclose(single - single[:, :1], expected - expected[:, :1], atol=0.02)


@pytest.mark.parametrize("theta", [0.05, 0.5])
def test_fields_have_the_covariance_of_the_model(theta):
    """The squared length of L^-1 Z is chi-squared, and products of neighbours have the mean exp(-h / theta)."""
    n = 2000
    _, fields = simulate(2, n, np.full(n, theta))
    white = np.linalg.solve(np.linalg.cholesky(covariance(theta)), fields.reshape(n, -1).T)
    squares = np.sum(white**2, axis=0)
    # four standard errors each: a false alarm in 10,000 seeds
    assert abs(squares.mean() - SIDE**2) < 4 * np.sqrt(2 * SIDE**2 / n)
    products = fields[:, 4, 4, 0] * fields[:, 4, 5, 0]
    rho = np.exp(-1 / SIDE / theta)
    assert abs(products.mean() - rho) < 4 * np.sqrt((1 + rho**2) / n)


def test_parameters_are_those_of_the_prior():
    theta, fields = simulate(3, 500)
    assert fields.shape == (500, SIDE, SIDE, 1) and theta.shape == (500, 1)
    assert abs(theta.mean() - UPPER / 2) < 4 * UPPER / np.sqrt(12 * 500) and theta.min() > 0 and theta.max() < UPPER


def test_between_knots_is_the_likelihood():
    """Some hundredths of a nat from what the model says, inside the range and at its upper end."""
    _, fields = simulate(4, 3, SHOWN)
    theta = jnp.array([0.0123, 0.07, 0.234, 0.41, 0.5999])
    expected = np.stack(
        [dist.MultivariateNormal(scale_tril=cholesky(t)).log_prob(fields.reshape(3, -1)) for t in theta], 1
    )
    found = np.asarray(between(log_likelihoods(fields), jnp.broadcast_to(jnp.sqrt(theta / UPPER), (3, 5))))
    np.testing.assert_allclose(found - found[:, 1:2], expected - expected[:, 1:2], atol=0.03)


def test_answers_of_a_table_are_those_of_its_density():
    """A normal likelihood well inside the range: mean and quantiles are known."""
    mean, sd = np.array([0.2, 0.35]), np.array([0.02, 0.04])
    found = of_table(norm.logpdf(knots(), mean[:, None], sd[:, None]))
    np.testing.assert_allclose(found.mean, mean, atol=1e-4)
    np.testing.assert_allclose(found.lower, norm.ppf(TAIL, mean, sd), atol=1e-3)
    np.testing.assert_allclose(found.upper, norm.ppf(1 - TAIL, mean, sd), atol=1e-3)
    flat = of_table(np.zeros((1, len(knots()))))
    np.testing.assert_allclose(np.ravel(flat), UPPER * np.array([0.5, TAIL, 1 - TAIL]), atol=1e-3)


def test_the_interval_score_is_smallest_at_the_quantiles():
    """Of many draws, over a grid of shifts of either end; and the width alone where nothing is missed."""
    draws = np.random.default_rng(5).gamma(3.0, 0.05, 200_000)
    low, high = np.quantile(draws, [TAIL, 1 - TAIL])
    shifts = np.linspace(-0.04, 0.04, 9)
    risk = [[interval_scores(low + a, high + b, draws).mean() for b in shifts] for a in shifts]
    assert np.unravel_index(np.argmin(risk), (9, 9)) == (4, 4)
    assert interval_scores(0.1, 0.3, 0.2) == pytest.approx(0.2)
    assert interval_scores(0.1, 0.3, 0.05) == pytest.approx(0.2 + 0.05 * 2 / (2 * TAIL))


def test_scores_by_hand():
    theta = np.array([0.1, 0.2, 0.5])
    found = scores(theta + 0.03, theta - 0.05, theta + np.array([0.05, -0.01, 0.05]), theta)
    assert found["RMSE"] == pytest.approx(0.03) and found["coverage"] == pytest.approx(2 / 3)
    assert found["interval score"] == pytest.approx((0.1 + 0.04 + 0.01 / TAIL + 0.1) / 3)


def test_reverse_kl_goes_to_the_posterior(monkeypatch):
    """With the exact likelihood of two fields, each many times: mean and interval become those of the table."""
    monkeypatch.setattr(networks, "RATE", 1e-3)
    theta, fields = simulate(6, 2, (0.1, 0.3))
    theta, many = np.tile(theta, (256, 1)), np.tile(fields, (256, 1, 1, 1))
    trained = train("reverse_kl_exact", {"theta": theta, "field": many}, 80, 7, np.asarray(log_likelihoods(many)))
    exact, found = of_table(log_likelihoods(fields)), trained.answer(fields)
    for name in Answers._fields:
        error = np.abs(getattr(found, name) - getattr(exact, name))
        assert (error < 0.15 * (exact.upper - exact.lower)).all(), name


def test_draws_of_reverse_kl_have_the_gradient_of_the_flow():
    """Where the noise is fixed, u moves with what the flow depends on as its inverse does, by finite differences."""
    estimator = networks.reverse_kl()
    estimator.build({"inference_variables": (4, 1), "summary_variables": (4, SIDE, SIDE, 1)})
    noise, conditions = (jax.random.normal(jax.random.key(k), (4, d)) for k, d in ((1, 1), (2, networks.SUMMARY)))

    def inverse(step):
        return estimator.inference_network(noise, conditions=conditions + step, inverse=True)

    (u, log_q), (slope, _) = jax.jvp(lambda step: estimator.draws(noise, conditions + step), (0.0,), (1.0,))
    np.testing.assert_allclose(u, inverse(0.0), rtol=1e-6)
    np.testing.assert_allclose(slope, (inverse(1e-2) - inverse(-1e-2)) / 2e-2, rtol=0.02, atol=1e-3)
    np.testing.assert_allclose(log_q, estimator.inference_network.log_prob(u, conditions=conditions), rtol=1e-4)


def test_every_method_has_a_name_and_a_trainer():
    assert list(METHODS) == list(TRAINERS) and set(RESTS_ON) | set(RESTS_ON.values()) <= set(METHODS)
