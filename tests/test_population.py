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

import amortmix as am
from amortmix import populations
from amortmix.inference import hierarchy, person
from amortmix.inference.fit import Fit
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


def scale():
    return person.scale_of(MODEL, 1)


@pytest.fixture
def no_density(monkeypatch):
    """The model as if nothing but its simulator were known."""
    monkeypatch.setattr(type(MODEL), "has_density", False)


@pytest.mark.parametrize(("units", "known"), [(40, True), (8, True), (40, False)])
def test_mean_and_spread_are_those_of_quadrature(units, known, request):
    """Twelve people; errors of chains and of draws are below 0.15 posterior standard deviations."""
    if not known:
        request.getfixturevalue("no_density")
    data = simulated(np.random.default_rng(1).normal(1.0, 0.7, 12), units, 2)
    found = am.population({name: fit_of(y, i) for i, (name, y) in enumerate(data.items())})
    assert found.verdict == "CONVERGED", found.reason
    (mean, sd), (spread, spread_sd) = by_quadrature(data, float(scale().mean[0]), float(scale().sd[0]))
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


def test_people_far_from_the_prior_are_found():
    """Hardly a draw of the fits is near: normal likelihoods and the exact one are."""
    data = simulated(np.random.default_rng(7).normal(5.0, 0.1, 8), 3, 8)
    fits = {name: fit_of(y, i) for i, (name, y) in enumerate(data.items())}
    found = am.population(fits)
    (mean, sd), _ = by_quadrature(data, float(scale().mean[0]), float(scale().sd[0]))
    assert found.verdict == "CONVERGED", found.reason
    assert abs(found.summary()["mean"].iloc[0] - mean) < 0.2 * sd


def known_person(units=9, mean=1.0):
    """Data with this mean, the normal likelihood of x that they are, and a `Person` of exact draws."""
    fit = fit_of(np.full(units, mean, np.float32), 1)
    known = person.person_of(scale(), MODEL.log_prior, trees.observed(fit.tree), fit.theta)
    (m,), (s,) = scale().mean, scale().sd
    return known, person.Normal(np.array([[np.sqrt(units) * s]]), np.array([(mean - m) / s]))


def test_normal_likelihoods_are_those_of_normal_data():
    """From 4,000 draws of the fit, precision within four standard errors; and anew from a wrong one."""
    known, exact = known_person()
    found = person.likelihood_of_draws(known, np.zeros(1), np.eye(1))
    wrong = person.Normal(np.array([[1.0]]), np.array([-1.0]))
    for _ in range(2):
        wrong = person.refined(MODEL, scale(), known.data, wrong, np.zeros(1), np.eye(1), 2)
    for normal, draws in ((found, 4000), (wrong, person.REFINED / 2)):
        error = 4 * np.sqrt(2 / draws)
        assert normal.root[0, 0] ** 2 == pytest.approx(exact.root[0, 0] ** 2, rel=error * (1 + 0.1))
        assert abs(normal.m - exact.m) < error / exact.root[0, 0]


def test_weights_of_draws_bring_the_exact_likelihood():
    """Of normal data L(mu, Sigma) = Normal(mean y; mu, Sigma + 1 / n): for two populations, from a wrong likelihood."""
    known, exact = known_person()
    wrong = person.Normal(0.8 * exact.root, exact.m + 0.1)
    mu, factor = np.array([[[0.2]], [[0.6]]]), np.array([[[0.5]], [[0.9]]])
    many = [person.weigh(MODEL, scale(), known.data, wrong, mu[:, 0], factor, seed) for seed in range(1000)]
    x, ratio = (np.concatenate(values) for values in zip(*many))
    likelihoods = hierarchy._likelihoods([wrong])
    with jax.enable_x64(True):
        rough = [float(hierarchy._log_likelihoods(likelihoods, np.zeros(1, int), m, f)[0]) for m, f in zip(mu, factor)]
    weights = np.exp(ratio - ratio.max())
    found = np.log(weights.mean(0)) + rough
    variance = factor[:, 0, 0] ** 2 + 1 / exact.root[0, 0] ** 2
    expected = stats.norm.logpdf(exact.m, mu[:, 0, 0], np.sqrt(variance))
    error = np.sqrt(np.sum(weights.var(0) / weights.mean(0) ** 2 / len(weights)))
    assert abs(np.diff(found) - np.diff(expected)) < 4 * error
    precision = 1 / factor[:, 0, 0] ** 2 + exact.root[0, 0] ** 2
    mean = (mu[:, 0, 0] / factor[:, 0, 0] ** 2 + exact.root[0, 0] ** 2 * exact.m) / precision
    np.testing.assert_array_less(
        abs((weights * x[..., 0]).sum(0) / weights.sum(0) - mean), 4 / np.sqrt(precision * len(x) / 4)
    )


def test_the_likelihood_of_a_population_is_that_of_scipy():
    """Normal(m; mu, Sigma + P^-1), but for what does not depend on the population."""
    rng = np.random.default_rng(13)
    normals = [person.Normal(rng.normal(size=(3, 3)), rng.normal(size=3)) for _ in range(5)]
    groups = np.array([0, 1, 1, 0, 1])
    mu, factor = rng.normal(size=(2, 3)), np.tril(rng.normal(size=(3, 3))) + 2 * np.eye(3)
    with jax.enable_x64(True):
        found = hierarchy._log_likelihoods(hierarchy._likelihoods(normals), groups, mu, jnp.asarray(factor))
    for (root, m), group, value in zip(normals, groups, np.asarray(found)):
        own = np.linalg.inv(root @ root.T)
        expected = stats.multivariate_normal(mu[group], factor @ factor.T + own).logpdf(m)
        expected -= stats.multivariate_normal(cov=own).logpdf(np.zeros(3))
        assert value == pytest.approx(expected, rel=1e-8)


def test_a_normal_density_is_linear_in_its_features():
    rng = np.random.default_rng(9)
    w, mean, sd = rng.normal(size=(2, 7, 3)), rng.normal(size=3), rng.uniform(0.5, 2, 3)
    factor, mu = np.tril(rng.normal(size=(3, 3))) + 2 * np.eye(3), rng.normal(size=(2, 3))
    features = np.stack([hierarchy._features((one - mean) / sd) for one in w])
    found = np.einsum("isf,if->is", features, np.asarray(hierarchy._coefficients(jnp.asarray(mu), jnp.asarray(factor))))
    for i in range(2):
        expected = stats.multivariate_normal(mu[i], factor @ factor.T).logpdf((w[i] - mean) / sd)
        np.testing.assert_allclose(found[i] - 1.5 * np.log(2 * np.pi), expected, rtol=2e-4, atol=2e-4)
        np.testing.assert_allclose(person.log_normal((w[i] - mean) / sd, mu[i], factor @ factor.T), expected, rtol=1e-8)


def test_draws_that_cannot_carry_a_population_are_said_to_be(no_density):
    """Without a density the far fits above are their draws, and single ones of these lie near the population."""
    data = simulated(np.full(5, 8.0), 1, 10)
    found = am.population({name: fit_of(y, i, draws=60) for i, (name, y) in enumerate(data.items())})
    assert found.verdict == "UNRELIABLE" and "fewer than 100: person 0" in found.reason


def test_what_is_refused():
    fits = {str(i): fit_of(np.zeros(5), i) for i in range(4)}
    with pytest.raises(BadInput, match="there is one group"):
        am.population(fits).differences()
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
    w = person.scale_of(race, 1).bijection.inverse(theta)
    np.testing.assert_allclose(w[:, -1], np.log(theta[:, -1]), rtol=1e-6)


@pytest.mark.parametrize("spread", [1.0, 1e-4])
def test_the_density_of_a_population_keeps_its_precision_where_people_hardly_differ(spread):
    """In single precision, against SciPy in double: a spread of 1e-4 divides distances by squares of 1e-8."""
    rng = np.random.default_rng(11)
    normals = [person.Normal(rng.normal(size=(2, 2)) * 30, rng.normal(size=2)) for _ in range(3)]
    params = {
        "mu": np.array([[0.3, -0.2]], np.float32),
        "spread": np.array([spread, 0.5], np.float32),
        "correlations": np.linalg.cholesky([[1, 0.3], [0.3, 1]]).astype(np.float32),
    }
    known = jax.tree.map(lambda v: jnp.asarray(v, jnp.float32), hierarchy._likelihoods(normals)), jnp.zeros(3, int)
    both, prior = (
        log_density(f, arguments, {}, params)[0]
        for f, arguments in (
            (partial(hierarchy._population, 1), known),
            (partial(hierarchy.population_prior, 1, 2), ()),
        )
    )
    factor = (params["spread"][:, None] * params["correlations"]).astype(float)
    expected = 0.0
    for root, m in normals:
        own = np.linalg.inv(root @ root.T)
        expected += stats.multivariate_normal(params["mu"][0], factor @ factor.T + own).logpdf(m)
        expected -= stats.multivariate_normal(cov=own).logpdf(np.zeros(2))
    assert float(both - prior) == pytest.approx(expected, rel=1e-4)


def test_a_person_whom_nothing_explains_leaves_an_unreliable_population(monkeypatch):
    """No draw of one person has a likelihood: the population says that it cannot be relied on."""
    data = simulated(np.full(4, 1.0), 20, 12)
    fits = {name: fit_of(y, i) for i, (name, y) in enumerate(data.items())}
    exact, none = person.weigh, iter([True] * 2)

    def weigh(*known):
        x, log_weights = exact(*known)
        return x, np.full_like(log_weights, -np.inf) if next(none, False) else log_weights

    monkeypatch.setattr(person, "weigh", weigh)
    monkeypatch.setattr(populations, "ROUNDS", 0)
    monkeypatch.setattr(hierarchy, "TIMES", 2)
    found = am.population(fits)
    assert found.verdict == "UNRELIABLE" and found.effective.iloc[0] == 0
