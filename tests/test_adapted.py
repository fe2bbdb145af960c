"""Proposals adapted to a data set: against densities that are known, and from networks that are hardly trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from conftest import simulate
from scipy import stats

import amortmix as am
from amortmix.inference import noise, states_check
from amortmix.inference.adapted import Adapted, Flow, tempered
from amortmix.inference.engine import Answer, Draws
from amortmix.inference.fitting import Fitter
from amortmix.inference.states_check import difference
from amortmix.inference.weighted import weigh
from amortmix.storage import tree as trees

DRAWS, EVIDENCE = 2000, -7.5


class Identity:
    """Networks whose flow is the identity, theta = u = eps, whatever the data: log p(theta, y) is ``log_joint``."""

    def __init__(self, log_joint, dimensions):
        self.log_joint, self.dimensions, self.asked = log_joint, dimensions, 0

    def noise(self, draws, seed):
        return noise.normal(seed, (draws, self.dimensions))

    def answer(self, data, draws, seed):
        return self.answer_to(data, self.noise(draws, seed))

    def answer_to(self, data, eps):
        self.asked += 1
        density = Flow().log_density(eps)
        return Answer(Draws(eps, eps, density), self.log_joint(eps.astype(float)), np.zeros(1))


def weighed(log_joint, dimensions, proposals=(DRAWS, 4 * DRAWS), seed=1):
    engine = Identity(log_joint, dimensions)
    eps = engine.noise(DRAWS, seed)
    return weigh(engine, None, engine.answer_to(None, eps), eps, proposals, seed), engine


def gaussian(dimensions, seed=0):
    """A normal density far from N(0, I): mean 3, sd from 0.1 to 0.5, correlated."""
    random = np.random.default_rng(seed)
    factor = np.tril(random.normal(0, 0.5, (dimensions, dimensions)), -1) + np.eye(dimensions)
    scale = np.linspace(0.1, 0.5, dimensions)
    covariance = scale[:, None] * stats.Covariance.from_cholesky(factor).covariance * scale
    return np.full(dimensions, 3.0) * random.choice([-1, 1], dimensions) / np.sqrt(dimensions), covariance


@pytest.mark.parametrize("dimensions", [1, 4, 12])
def test_a_normal_posterior_far_from_the_flow_is_found(dimensions):
    """Means, covariances and evidence within 5 Monte Carlo errors; the flow's own weights cannot be relied on."""
    mean, covariance = gaussian(dimensions)
    target = stats.multivariate_normal(mean, covariance)
    found, _ = weighed(lambda x: target.logpdf(x).reshape(len(x)) + EVIDENCE, dimensions)
    attrs, sd = found.attrs, np.sqrt(np.diag(covariance))
    assert not found.flow.is_reliable and found.adapted.is_reliable and attrs["adapted"] == 1
    z = (found.best.theta - mean) / sd
    few = min(attrs["proposals_ess"], DRAWS)
    assert np.abs(z.mean(0)).max() < 5 / np.sqrt(few)
    correlation = covariance / np.outer(sd, sd)
    assert np.abs(np.atleast_2d(np.cov(z.T)) - correlation).max() < 5 * np.sqrt(2 / few)
    assert abs(attrs["log_evidence"] - EVIDENCE) < 5 * attrs["log_evidence_se"] and attrs["log_evidence_se"] < 0.1


def test_a_skewed_posterior_keeps_its_shape():
    """Independent log gamma marginals far out: a Kolmogorov-Smirnov test of each, false alarm 1e-4 in all."""
    shapes = np.array([0.7, 2.0, 5.0])

    def log_joint(x):
        return stats.loggamma.logpdf(x - 4, shapes).sum(-1)

    found, _ = weighed(log_joint, 3, proposals=(20 * DRAWS, 20 * DRAWS))
    assert found.adapted.is_reliable
    theta = found.best.theta[:: max(1, int(DRAWS / found.used.ess))]
    p = [stats.kstest(theta[:, i] - 4, stats.loggamma(c).cdf).pvalue for i, c in enumerate(shapes)]
    assert min(p) > 1e-4 / 3


def test_a_flow_that_is_right_is_asked_no_more():
    found, engine = weighed(lambda x: Flow().log_density(x) + EVIDENCE, 3)
    assert engine.asked == 1 and found.attrs["adapted"] == 0 and found.adapted is None
    assert found.attrs["log_evidence"] == pytest.approx(EVIDENCE, abs=1e-5)


@pytest.mark.parametrize("worth", [-np.inf, np.nan])
def test_where_no_draw_has_a_weight_there_is_no_proposal(worth):
    found, _ = weighed(lambda x: np.full(len(x), worth), 3)
    assert found.adapted is None and found.attrs["posterior"] == "flow"


def test_draws_that_are_not_finite_have_no_weight():
    """Half of the space has a density that is not a number: the draws are those of the other half."""
    mean, covariance = np.array([2.5, 0.0]), np.diag([0.04, 1.0])
    target = stats.multivariate_normal(mean, covariance)
    found, _ = weighed(lambda x: np.where(x[:, 1] > 0, target.logpdf(x), np.nan), 2)
    assert found.adapted.is_reliable and (found.best.theta[:, 1] > 0).all()
    assert found.attrs["log_evidence"] == pytest.approx(np.log(0.5), abs=5 * found.attrs["log_evidence_se"])


def test_densities_of_proposals_are_normalized():
    """By importance: the mean of p_r / N(0, I) over N(0, I), and of N(0, I) / p_r over p_r, is one (5 errors)."""
    proposal = Adapted(np.array([0.3, -0.2]), np.array([[0.5, 0.1], [0.1, 0.4]]))
    ours, theirs = proposal.sample(100_000, 1), noise.normal(2, (100_000, 2))
    for eps, over, under in ((ours, Flow(), proposal), (theirs, proposal, Flow())):
        ratio = np.exp(over.log_density(eps) - under.log_density(eps))
        assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(len(ratio))


@pytest.mark.parametrize("fewest", [2, 50, 399])
def test_tempered_weights_have_the_effective_number_that_is_asked_for(fewest):
    log_weights = np.random.default_rng(1).normal(0, 20, 400)
    weights = tempered(log_weights, fewest)
    assert 1 / np.sum(weights**2) == pytest.approx(fewest, rel=1e-3) and weights.sum() == pytest.approx(1)
    assert (np.argsort(weights) == np.argsort(log_weights)).all()
    assert tempered(log_weights, 400) is None


class Paths:
    """Networks whose exact draws of states are independent, with these probabilities (N, L)."""

    def __init__(self, p):
        self.p = p

    def paths(self, data, theta, seed):
        z = np.random.default_rng(seed).random((len(theta), len(self.p), 1))
        return (z > np.cumsum(self.p, axis=-1)[:, :-1]).sum(-1)


def test_states_are_held_against_exact_draws():
    """Right probabilities pass, those of rare states too; a difference of 0.2 is found where it is."""
    p = np.random.default_rng(1).dirichlet([0.3, 0.3, 0.3], 200)
    theta = np.zeros((1000, 2))
    assert not difference(Paths(p), None, theta, p, seed=3).matters
    wrong = p.copy()
    wrong[70] = np.where(p[70] == p[70].max(), p[70] - 0.2, p[70] + 0.1)
    found = difference(Paths(p), None, theta, wrong, seed=3)
    assert found.matters and found.unit == 70 and "at unit b70" in found.sentence([f"b{i}" for i in range(200)])


@pytest.fixture(scope="module")
def hardly(trained):
    """Networks of case study 2 after a few steps, without simulations to compare with, and a data set of theirs."""
    _, amortized = trained("gaussian_hmm")
    return Fitter(amortized, 200, 2000), simulate(amortized.model, 5, dtype=np.float32)[1]


def test_networks_that_are_hardly_trained_say_so_and_their_parameters_are_corrected(hardly):
    """Adapted proposals have the means of good networks within 5 Monte Carlo errors; the flow's own draws do not."""
    fitter, data = hardly
    fit, other = fitter.fit(data, seed=1), am.load("gaussian_hmm", design="paper").fit(data, draws=1000, seed=2)
    attrs = fit.tree.attrs
    assert attrs["adapted"] == 1 and attrs["posterior"] == "psis" and "k-hat" in fit.reason
    assert any("hardly trained" in w for w in fit.warnings)
    mean, sd = other.theta.mean(0), other.theta.std(0)
    error = sd * np.sqrt(1 / min(attrs["proposals_ess"], 200) + 1 / 500)
    assert (np.abs(fit.theta.mean(0) - mean) < 5 * error).all()
    assert (np.abs(trees.draws(fit.tree, "flow").mean(0) - mean) > 5 * error).any()
    assert abs(fit.log_evidence - other.log_evidence) < 5 * np.hypot(fit.log_evidence_error, other.log_evidence_error)


def test_states_of_networks_that_are_hardly_trained_are_exact_ones(hardly, monkeypatch):
    """Weights correct no state. Where exact draws of states say otherwise the recursions answer, averaged over draws of
    theta (1e-4); an install without JAX says MCMC, and why."""
    fitter, data = hardly
    fit, model = fitter.fit(data, seed=1), fitter.amortized.model
    assert fit.verdict == "PSIS" and any("exact ones stand in their place" in w for w in fit.warnings)
    exact = jax.vmap(lambda t: jnp.exp(model.state_log_probs(t, data)["smoothing"]))(jnp.asarray(fit.theta))
    np.testing.assert_allclose(fit.states()["P(state 2)"], np.asarray(exact).mean(0)[:, 1], atol=1e-4)
    monkeypatch.setattr(states_check, "missing", lambda: "jax")
    fit = fitter.fit(data, seed=1)
    assert fit.verdict == "MCMC" and "the networks' state probabilities are off" in fit.reason


def test_states_of_exported_programs_are_held_against_exact_draws():
    """So too by programs, which know a description of the model alone: a mixture far from all simulations."""
    random = np.random.default_rng(3)
    y = random.normal(random.choice([-7.2, -4.9], (100, 1)), 1, (100, 3))
    networks = am.load("gaussian_mixture", engine="exported")
    fit = networks.fit(pd.DataFrame({"unit": np.repeat(np.arange(1, 101), 3), "y": y.ravel()}), draws=1000)
    assert fit.verdict == "PSIS" and any("exact ones stand in their place" in w for w in fit.warnings)
    model, data = networks.model, trees.observed(fit.tree)
    exact = jax.jit(jax.vmap(lambda t: jnp.exp(model.state_log_probs(t, data)["classification"])))(
        jnp.asarray(fit.theta)
    )
    np.testing.assert_allclose(fit.states()["P(class 2)"], np.asarray(exact).mean(0)[:, 1], atol=1e-4)
