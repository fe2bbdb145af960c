"""A population from fits: against closed forms and quadrature, where draws cannot carry it, and what is refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro import sample
from numpyro.infer.util import log_density
from scipy import stats
from scipy.special import logsumexp

import amortmix as am
from amortmix import populations as module
from amortmix.inference import hierarchy
from amortmix.inference.fit import Fit
from amortmix.inference.working_prior import log_normal, moved
from amortmix.model import tables
from amortmix.storage import tree as trees
from amortmix.storage.files import BadInput

SCALE = 2.0  # of the prior of each mean


def prior():
    return {"mu": sample("mu", dist.Normal(0, SCALE).expand([1]).to_event(1))}


MODEL = am.Mixture(
    name="one_mean",
    states=("all",),
    prior=prior,
    weights=None,
    emission=lambda p: dist.Normal(p["mu"], 1.0),
    units=(5, 60),
)


#: Chains of a thousand steps over ten thousand draws.
pytestmark = pytest.mark.usefixtures("optimized")


def fit_of(y, seed, draws=4000):
    """A fit whose draws are those of the exact posterior of mu."""
    variance = 1 / (len(y) + 1 / SCALE**2)
    theta = stats.norm(variance * y.sum(), np.sqrt(variance)).rvs((draws, 1), random_state=seed)
    table = tables.read(MODEL, np.asarray(y, np.float32)[:, None])
    latent = {"classification": np.ones((6, len(y), 1), np.float32)}
    attrs = {"verdict": "PSIS", "reason": "exact", "warnings": []}
    return Fit(trees.build(MODEL, table, theta[None], {"log_q": np.zeros((1, draws))}, latent, attrs), MODEL)


def simulated(means, units, seed):
    rng = np.random.default_rng(seed)
    return {f"person {i}": rng.normal(mean, 1.0, units) for i, mean in enumerate(means)}


def by_quadrature(data, prior_mean, prior_sd):
    """Mean and sd of m and of s where mean y_i ~ Normal(m, s^2 + 1 / n_i), under the priors of `population`."""
    m = np.linspace(-6, 6, 601)[:, None]
    s = np.linspace(1e-3, 6, 600)[None]
    log_p = stats.norm.logpdf(m, prior_mean, prior_sd) + stats.halfnorm.logpdf(s, scale=prior_sd)
    for y in data.values():
        log_p = log_p + stats.norm.logpdf(y.mean(), m, np.sqrt(s**2 + 1 / len(y)))
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    moments = [((p * v).sum(), np.sqrt((p * v**2).sum() - (p * v).sum() ** 2)) for v in (m, s)]
    return moments


@pytest.mark.parametrize("units", [40, 8])
def test_mean_and_spread_are_those_of_quadrature(units):
    """Twelve people; errors of chains and of draws are below 0.15 posterior standard deviations."""
    data = simulated(np.random.default_rng(1).normal(1.0, 0.7, 12), units, 2)
    found = am.population({name: fit_of(y, i) for i, (name, y) in enumerate(data.items())})
    assert found.verdict == "CONVERGED", found.reason
    (mean, sd), (spread, spread_sd) = by_quadrature(data, *(float(v[0]) for v in module.prior_of(MODEL, 1)))
    row = found.summary().loc[("all", "mu_1")]
    assert abs(row["mean"] - mean) < 0.15 * sd and row["sd"] == pytest.approx(sd, rel=0.15)
    drawn = np.sqrt(found.draws.covariance[:, 0, 0])
    assert abs(drawn.mean() - spread) < 0.15 * spread_sd and drawn.std() == pytest.approx(spread_sd, rel=0.2)
    assert row["typical"] == pytest.approx(np.median(found.draws.mu[:, 0, 0]), rel=1e-5)


def test_people_are_drawn_towards_the_population():
    """Given mu and Sigma a person's posterior is normal; over their draws its mean is the average of these."""
    data = simulated(np.random.default_rng(3).normal(0.5, 0.3, 8), 6, 4)
    found = am.population({name: fit_of(y, i) for i, (name, y) in enumerate(data.items())})
    for name, y in data.items():
        precision = 1 / found.draws.covariance[:, 0, 0]
        expected = (precision * found.draws.mu[:, 0, 0] + y.sum()) / (precision + len(y))
        theta = found.person(name)[:, 0]
        assert abs(theta.mean() - expected.mean()) < 0.2 * theta.std()
        assert found.people().loc[name, "mu_1 mean"] == pytest.approx(theta.mean())
    with pytest.raises(BadInput, match="no person 'nobody'; expected one of "):
        found.person("nobody")


def test_groups_differ_by_what_they_differ():
    """Means 2 apart: the difference, with its sd from quadrature of each group under a common spread, is found."""
    rng = np.random.default_rng(5)
    data = simulated(np.r_[rng.normal(-1, 0.4, 8), rng.normal(1, 0.4, 8)], 30, 6)
    by = {name: "first" if i < 8 else "second" for i, name in enumerate(data)}
    found = am.population({name: fit_of(y, i) for i, (name, y) in enumerate(data.items())}, by=by)
    row = found.differences().iloc[0]
    means = np.array([y.mean() for y in data.values()])
    expected = means[:8].mean() - means[8:].mean()
    assert (row["first"], row["second"]) == ("first", "second")
    assert abs(row["mean"] - expected) < 0.3 * row["sd"] and row["P(larger)"] < 0.01
    assert set(found.summary().index.get_level_values("group")) == {"first", "second"}


def test_working_priors_keep_the_population_exact():
    """Fits under a prior far from the people: hardly a draw is near them, until draws move with the likelihood."""
    data = simulated(np.random.default_rng(7).normal(5.0, 0.1, 8), 3, 8)
    fits = {name: fit_of(y, i) for i, (name, y) in enumerate(data.items())}
    found = am.population(fits)
    (mean, sd), _ = by_quadrature(data, *(float(v[0]) for v in module.prior_of(MODEL, 1)))
    assert found.verdict == "CONVERGED", found.reason
    assert abs(found.summary()["mean"].iloc[0] - mean) < 0.2 * sd


def test_moved_draws_are_those_of_the_working_prior():
    """y of 9 units with mean 1, working prior Normal(3, 0.25): conjugate; 2,000 draws, within four standard errors."""
    y = np.full(9, 1.0, np.float32)
    fit = fit_of(y, 1)
    person = module.person_of(MODEL, MODEL.log_prior, trees.observed(fit.tree), fit.theta)
    found = moved(MODEL, person, np.array([3.0]), np.array([[0.25]]), 2)
    variance = 1 / (9 + 4)
    mean = variance * (9 * 1.0 + 4 * 3.0)
    # steps leave draws that share ancestors: a fifth of them count
    assert abs(found.w.mean() - mean) < 4 * np.sqrt(variance / (len(found.w) / 5))
    assert found.w.std() == pytest.approx(np.sqrt(variance), rel=0.15)
    np.testing.assert_allclose(found.log_g, stats.norm.logpdf(found.w[:, 0], 3.0, 0.5), rtol=1e-5, atol=1e-5)


def test_a_normal_density_is_linear_in_its_features():
    rng = np.random.default_rng(9)
    w, mean, sd = rng.normal(size=(2, 7, 3)), rng.normal(size=3), rng.uniform(0.5, 2, 3)
    factor, mu = np.tril(rng.normal(size=(3, 3))) + 2 * np.eye(3), rng.normal(size=(2, 3))
    features = hierarchy._features((w - mean) / sd)
    found = np.einsum("isf,if->is", features, np.asarray(hierarchy._coefficients(jnp.asarray(mu), jnp.asarray(factor))))
    for i in range(2):
        expected = stats.multivariate_normal(mu[i], factor @ factor.T).logpdf((w[i] - mean) / sd)
        np.testing.assert_allclose(found[i] - 1.5 * np.log(2 * np.pi), expected, rtol=2e-4, atol=2e-4)
        np.testing.assert_allclose(log_normal((w[i] - mean) / sd, mu[i], factor @ factor.T), expected, rtol=1e-8)


def test_draws_that_cannot_carry_a_population_are_said_to_be(monkeypatch):
    """Without rounds of working priors the far fits above leave single draws."""
    monkeypatch.setattr(module, "ROUNDS", 0)
    data = simulated(np.full(5, 8.0), 1, 10)
    found = am.population({name: fit_of(y, i, draws=60) for i, (name, y) in enumerate(data.items())})
    assert found.verdict == "UNRELIABLE" and "fewer than 100: person 0" in found.reason


def test_what_is_refused():
    fits = {str(i): fit_of(np.zeros(5), i) for i in range(4)}
    with pytest.raises(BadInput, match="2 fits; expected at least 3 people"):
        am.population({name: fits[name] for name in "01"})
    with pytest.raises(BadInput, match="no group for 3; expected"):
        am.population(fits, by={"0": "a", "1": "a", "2": "b"})
    bad = fit_of(np.zeros(5), 9)
    bad.tree.attrs["verdict"] = "MCMC"
    with pytest.raises(BadInput, match="fits of 3 are not to be used"):
        am.population(fits | {"3": bad})
    other = Fit(fits["0"].tree.copy(), MODEL)
    other.tree.attrs["model"] = "another"
    with pytest.raises(BadInput, match="fits of several models"):
        am.population(fits | {"3": other})


def test_the_scale_is_the_same_for_all(float64):
    """A time below the fastest response of each person is a logarithm, not a logit of its share."""
    race = am.find("evidence_accumulation")
    theta = jax.vmap(race.sample_prior)(jax.random.split(jax.random.key(1), 5))
    w = module.scale_of(race).inverse(theta)
    np.testing.assert_allclose(w[:, -1], np.log(theta[:, -1]), rtol=1e-6)


@pytest.mark.parametrize("spread", [1.0, 1e-4])
def test_the_density_of_a_population_keeps_its_precision_where_people_hardly_differ(spread):
    """In single precision, against SciPy in double: a spread of 1e-4 divides distances by squares of 1e-8."""
    rng = np.random.default_rng(11)
    x, log_g = rng.normal(size=(3, 5, 2)).astype(np.float32), rng.normal(size=(3, 5)).astype(np.float32)
    params = {
        "mu": x[:1, 0],
        "spread": np.array([spread, 0.5]),
        "correlations": np.linalg.cholesky([[1, 0.3], [0.3, 1]]),
    }
    known = jnp.asarray(x), jnp.asarray(log_g), jnp.zeros(3, int)
    both, prior = (
        log_density(f, arguments, {}, params)[0]
        for f, arguments in (
            (partial(hierarchy._population, 1, 2), known),
            (partial(hierarchy.population_prior, 1, 2), ()),
        )
    )
    factor = params["spread"][:, None] * params["correlations"]
    normal = stats.multivariate_normal(x[0, 0], factor @ factor.T)
    expected = logsumexp(normal.logpdf(x) + np.log(2 * np.pi) - log_g, axis=1).sum()
    assert float(both - prior) == pytest.approx(expected, rel=1e-4)
