"""Priors in a range: power scaling is exact, networks are told the prior, and sensitivity agrees with NUTS."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import simulate, smoke_recipe
from numpyro import distributions as dist
from numpyro import sample
from scipy import integrate, stats

import amortmix as am
from amortmix.inference import psis
from amortmix.inference.amortized import Amortized
from amortmix.inference.fitting import Fitter
from amortmix.model import registry, varied
from amortmix.model.distributions import OrderedNormal
from amortmix.model.powered import powered
from amortmix.networks.estimator import training_example
from amortmix.storage.bundle import Bundle, save_bundle
from amortmix.storage.files import BadInput
from amortmix.training.loop import prepare, train
from amortmix.training.recipes import designed
from amortmix.training.start import start_from

RANGES = {"stay": [1.0, 20.0], "power": [0.5, 2.0]}
SCALARS = {
    "Normal": (dist.Normal(0.3, 1.7), (-np.inf, np.inf)),
    "HalfNormal": (dist.HalfNormal(0.8), (0, np.inf)),
    "Laplace": (dist.Laplace(0.2, 0.7), (-30, 30)),
    "LogNormal": (dist.LogNormal(0.4, 0.6), (0, np.inf)),
    "Exponential": (dist.Exponential(3.0), (0, np.inf)),
    "Gamma": (dist.Gamma(3.0, 2.0), (0, np.inf)),
    "InverseGamma": (dist.InverseGamma(3.0, 2.0), (0, np.inf)),
    "Beta": (dist.Beta(2.0, 5.0), (0, 1)),
    "Uniform": (dist.Uniform(-1.0, 3.0), (-1, 3)),
    "above": (dist.TruncatedNormal(0.5, 0.8, low=0.0), (0, np.inf)),
    "between": (dist.TruncatedNormal(0.5, 0.8, low=0.0, high=1.0), (0, 1)),
}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Networks of the hidden Markov model for many priors after twenty steps, in a folder."""
    model = registry.find("gaussian_hmm")
    recipe = smoke_recipe(model) | {"design": {"varied": RANGES | {"mu_loc": [[-2.0, 0.5], [-0.5, 2.0]]}}}
    folder = tmp_path_factory.mktemp("varied")
    save_bundle(folder, train(model, recipe, seed=1, max_steps=20), 1, meaningful=False)
    return am.load(folder)


@pytest.mark.parametrize("power", [0.6, 1.8])
@pytest.mark.parametrize("name", SCALARS)
def test_a_power_is_the_density_raised_and_normalized(name, power, float64):
    fn, (low, high) = SCALARS[name]
    found = powered(fn, power, name)
    total = integrate.quad(lambda x: np.exp(float(found.log_prob(x))), low, high, limit=200)[0]
    assert total == pytest.approx(1, abs=1e-6)
    x = fn.sample(jax.random.key(1), (50,))
    difference = np.asarray(found.log_prob(x) - power * fn.log_prob(x))
    np.testing.assert_allclose(difference, difference[0], atol=1e-8)


@pytest.mark.parametrize("power", [0.6, 1.8])
@pytest.mark.parametrize(
    "fn",
    [
        dist.Dirichlet(jnp.array([2.0, 3.0, 4.0])),
        OrderedNormal([-1.0, 0.0, 0.5], 0.7),
        am.ordered(dist.Gamma(2.0, 1.0), 3),
        am.Increments(dist.HalfNormal(1.0), dist.Gamma(2.0, 2.0)),
        dist.Normal(jnp.array([0.0, 1.0]), 2.0).to_event(1),
        dist.Beta(2.0, 2.0).expand([2]).to_event(1),
    ],
    ids=["dirichlet", "ordered normal", "ordered", "increments", "independent", "expanded"],
)
def test_a_power_of_vectors_is_sampled_as_its_density_says(fn, power, float64):
    """E_p[p^power] / Z: the mean of any function under the power is the weighted one; here of the first component."""
    found = powered(fn, power, "x")
    assert type(found) is type(fn) and found.event_shape == fn.event_shape
    x = fn.sample(jax.random.key(1), (40_000,))
    difference = np.asarray(found.log_prob(x) - power * fn.log_prob(x))
    np.testing.assert_allclose(difference, difference[0], atol=1e-6)
    weights = np.exp(np.asarray(found.log_prob(x) - fn.log_prob(x)))
    # normalized: the mean weight is one; five standard errors, a false alarm in 2e6
    assert abs(weights.mean() - 1) < 5 * weights.std() / np.sqrt(len(weights))
    drawn = np.asarray(found.sample(jax.random.key(2), (40_000,)))[:, 0]
    expected, error = np.average(x[:, 0], weights=weights), drawn.std() / np.sqrt(len(drawn) / 10)
    assert abs(drawn.mean() - expected) < 5 * error


def test_a_family_without_powers_is_refused_in_one_line():
    with pytest.raises(BadInput, match="site 'x' of the prior is a Cauchy, whose density has no power"):
        powered(dist.Cauchy(0.0, 1.0), 0.5, "x")


@pytest.mark.parametrize("loc", [[-2.0, 0.0, 2.0], [-1.0, 1.0], [0.5, -0.5]])
def test_ordered_normals_are_normalized_for_hyperparameters_that_are_traced(loc, float64):
    """Against the share of independent draws that are in order: five standard errors."""
    x = np.random.default_rng(1).normal(loc, 1.0, (400_000, len(loc)))
    ordered = (np.diff(x) > 0).all(1)
    log_p = jax.jit(lambda loc, scale: OrderedNormal(loc, scale).log_prob(jnp.sort(jnp.array(loc))))
    at = np.sort(loc)
    implied = np.exp(stats.norm.logpdf(at, loc, 1.0).sum() - float(log_p(jnp.array(loc), 1.0)))
    assert abs(implied - ordered.mean()) < 5 * np.sqrt(implied / len(x))


def test_coordinates_are_those_of_the_range_and_invert():
    model = registry.find("evidence_accumulation")
    ours = model.hyperparameters
    low, high = varied.bounds(RANGES, ours)
    np.testing.assert_allclose(varied.coordinates(RANGES, ours, low), -1, atol=1e-12)
    np.testing.assert_allclose(varied.coordinates(RANGES, ours, high), 1, atol=1e-12)
    flat = varied.vector(RANGES, ours)
    np.testing.assert_allclose(flat, [2, 2, 1])
    back = varied.from_coordinates(RANGES, ours, varied.coordinates(RANGES, ours, flat))
    np.testing.assert_allclose(back, flat, rtol=1e-6)


def test_half_of_the_data_sets_have_a_declared_prior_and_the_others_any_in_the_range():
    model = designed(registry.find("evidence_accumulation"), {"design": {"varied": RANGES}})
    draw = jax.jit(jax.vmap(lambda key: training_example(model, key)["inference_conditions"][2:]))
    c = np.asarray(draw(jax.random.split(jax.random.key(1), 2000)))
    assert np.all(np.abs(c) <= 1 + 1e-6)
    variants = [
        varied.coordinates(RANGES, model.hyperparameters, varied.vector(RANGES, v)) for v in model.variants.values()
    ]
    counts = [int(np.isclose(c, v, atol=1e-5).all(1).sum()) for v in variants]
    # each a quarter of 2,000: a false alarm in 1e6
    assert all(abs(n - 500) < 5 * np.sqrt(2000 * 0.25 * 0.75) for n in counts)
    others = c[~np.any([np.isclose(c, v, atol=1e-5).all(1) for v in variants], axis=0)]
    assert all(stats.kstest(others[:, j], "uniform", (-1, 2)).pvalue > 1e-4 for j in range(c.shape[1]))


def test_parameters_are_drawn_from_the_prior_that_the_data_set_carries():
    """E[stay | Beta(a, b)] = a / (a + b), so that stay - a / (a + b) has mean zero over data sets."""
    model = designed(registry.find("evidence_accumulation"), {"design": {"varied": {"stay": [1.0, 20.0]}}})

    def one(key):
        theta, data, _ = model.under_any_prior(key).simulate_dataset(key)
        return theta[:2], data.prior

    theta, prior = map(np.asarray, jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(2), 2000)))
    excess = theta - (prior[:, 0] / prior.sum(1))[:, None]
    assert np.all(np.abs(excess.mean(0)) < 5 * excess.std(0) / np.sqrt(len(excess)))


def test_what_cannot_vary_is_refused_in_one_line():
    model = registry.find("evidence_accumulation")
    for ranges, words in (
        ({"nothing": [0, 1]}, "varied has nothing; expected some of stay, alpha_1"),
        ({"stay": [20.0, 1.0]}, "the range of stay is 20 to 1; expected low < high"),
        ({"stay": [4.0, 20.0]}, r"stay = \(2, 2\), in training 4 to 20"),
        ({"stay": [[1.0, 1.0, 1.0], 20.0]}, "the range of stay is"),
    ):
        with pytest.raises(BadInput, match=words):
            designed(model, {"design": {"varied": ranges}})

    def prior(top):
        return {"mean": sample("mean", dist.Normal(0, 1)), "top": top}

    with pytest.raises(BadInput, match="what the prior returns, or the support of a site, depends on top"):
        am.Mixture(
            states=("a", "b"),
            prior=prior,
            weights=lambda p: jnp.array([0.5, 0.5]),
            emission=lambda p: dist.Normal(p["mean"] + jnp.array([0.0, p["top"]]), 1),
            variants={"default": {"top": 1.0}},
            varied={"top": am.Between(0.5, 2)},
            units=(10, 20),
        )


def test_networks_that_learn_of_the_prior_start_with_the_answers_of_the_known_ones(trained):
    training, known = trained("evidence_accumulation")
    recipe = training.recipe | {"design": {"varied": RANGES}}
    estimator, *_ = prepare(registry.find("evidence_accumulation"), recipe, 3)
    card = {"recipe": training.recipe, "sha256": "", "data_sets": 0, "seconds": 0.0}
    start_from(estimator, recipe, Bundle(training.model, training.estimator, card, None))
    model = designed(registry.find("evidence_accumulation"), recipe)
    theirs = Amortized(model, estimator, known.card)
    _, data, _ = simulate(training.model, 1, np.float32)
    for prior in ("paper", {"stay": [16.0, 4.0], "power": 0.6}):
        a, b = known.sample(data, 50, 1), theirs.under(prior).sample(data, 50, 1)
        np.testing.assert_allclose(a.theta, b.theta, rtol=1e-4)
        np.testing.assert_allclose(a.log_q, b.log_q, atol=1e-3)


def test_one_program_serves_every_prior_and_densities_are_those_of_the_prior(networks):
    """log p(theta, y) under h minus the likelihood is log p(theta | h), for the engine and its copies."""
    amortized = networks.amortized
    _, data, _ = simulate(amortized.model, 4, np.float32)
    for prior in ("paper", "reference", {"power": 0.5}, {"stay": [16.0, 4.0], "power": 1.5}):
        engine = amortized.under(prior)
        assert engine.run.__func__ is amortized.run.__func__ and engine._compiled is amortized._compiled
        (drawn, log_joint, _) = engine.answer(data, 40, 1)
        model = networks.model.with_prior(prior)
        framed = engine.frame(data)._replace(prior=None)
        expected = [model.log_prior(t) + model.log_likelihood(t, framed) for t in drawn.theta]
        np.testing.assert_allclose(log_joint, np.asarray(expected), atol=2e-3)
    other = amortized.under({"power": 0.5}).answer(data, 40, 1)
    assert not np.allclose(other.draws.theta, amortized.answer(data, 40, 1).draws.theta)


def test_a_fit_says_its_prior_and_is_read_again_under_it(networks, tmp_path):
    model = networks.model
    _, data, _ = simulate(model, 4, np.float32)
    prior = {"stay": [16.0, 4.0], "power": 0.5}
    fit = networks.fit(data, draws=50, prior=prior)
    assert fit.tree.attrs["priors"] == "paper, stay = (16, 4), power = 0.5"
    fit.save(tmp_path / "fit.nc")
    assert am.load_fit(tmp_path / "fit.nc").model.hyperparameters == model.hyperparameters | prior


def test_priors_that_networks_do_not_know_are_refused_or_said(networks, trained):
    _, data, _ = simulate(networks.model, 4, np.float32)
    with pytest.raises(BadInput, match="another mu_scale; these networks know another stay, power, mu_loc"):
        networks.fit(data, prior={"mu_scale": 2.0})
    with pytest.raises(BadInput, match=r"stay is 3\.0; expected numbers as in"):
        networks.fit(data, prior={"stay": 3.0})
    with pytest.raises(BadInput, match="no prior variant 'nobody'"):
        networks.fit(data, prior="nobody")
    with pytest.raises(BadInput, match="these networks know the prior of their training alone"):
        trained("gaussian_hmm")[1].under("reference")
    sentence = networks.amortized.under({"power": 4.0}).warnings(data)
    assert "the prior lies outside its range: power = 4, in training 0.5 to 2" in sentence


def test_weights_for_other_priors_agree_with_nuts():
    """Pretrained networks of one prior: draws weighted for another have the means of NUTS under it."""
    nets = am.load("gaussian_mixture", design="paper")
    data, _ = nets.model.simulate_demo("gmm_demo")
    fit = nets.fit(data)
    found = fit.sensitivity([{"power": 1.0}, {"power": 4.0}], draws=4000)
    assert list(found.table["how"]) == ["weights", "weights"] and found.table["reliable"].all()
    model = nets.model.with_prior({"power": 4.0})
    from amortmix.mcmc.engine import sample as run_mcmc

    theta = run_mcmc(model, data, 1, 2, 500, 1500, 0.9).theta.reshape(-1, len(model.parameters))
    row = found.table.loc["power = 4"]
    for j, name in enumerate(model.parameter_names):
        assert abs(row[f"{name} mean"] - theta[:, j].mean()) < 0.1 * theta[:, j].std()
    assert found.moved().max() > 0.1  # the prior matters, so that the test can fail


def test_sensitivity_by_networks_is_the_fit_under_each_prior(networks):
    _, data, _ = simulate(networks.model, 4, np.float32)
    fit = networks.fit(data, draws=100)
    found = fit.sensitivity(draws=100)
    assert {"power = 0.5", "paper", "reference", "stay = (1, 1)", "stay = (20, 20)"} <= set(found.table.index)
    assert (found.table["how"] == "networks").all()
    one = Fitter(networks.amortized.under("reference"), 100, (100, 400), states=(64, 100)).numbers(data, 1)
    row = found.table.loc["reference"]
    means = [row[f"{n} mean"] for n in networks.model.parameter_names]
    np.testing.assert_allclose(means, one.best.theta.mean(0), rtol=1e-5)
    assert found.states.shape == (len(found.table), len(fit.labels), 2)
    with pytest.raises(BadInput, match="priors is 'reference'; expected a list"):
        fit.sensitivity("reference")


def test_stan_programs_do_not_know_powers():
    from amortmix.mcmc.engine import _beyond_stan

    model = registry.find("gaussian_mixture")
    _, data, _ = simulate(model, 1)
    assert _beyond_stan(model, data) == []
    assert _beyond_stan(model.with_prior({"power": 2.0}), data) == ["the prior is raised to a power"]
    assert model.with_prior({"power": 1.0}).hyperparameters == model.hyperparameters


def test_priors_of_the_command_line():
    assert varied.parsed(None) is None and varied.parsed("reference") == "reference"
    assert varied.parsed("stay=16,4; power=0.5") == {"stay": [16.0, 4.0], "power": 0.5}
    with pytest.raises(BadInput, match="prior 'power=half'; expected a variant, or NAME=NUMBER"):
        varied.parsed("power=half")


def test_a_prior_has_the_name_of_the_variant_that_it_is_nearest_to():
    model = registry.find("evidence_accumulation")
    for prior, name in (
        ({"stay": [16.0, 4.0]}, "reference"),
        ({"stay": [16.0, 4.0], "power": 0.5}, "reference, power = 0.5"),
        ({"power": 2.0}, "paper, power = 2"),
        ({"stay": [3.0, 4.0]}, "paper, stay = (3, 4)"),
    ):
        assert model.with_prior(prior).prior_name == name


def test_weights_are_relative_to_the_prior_of_the_fit(networks):
    """Under half the power of the prior: the effective number is that of p(theta | other) / p(theta | half)."""
    _, data, _ = simulate(networks.model, 4, np.float32)
    fit = networks.fit(data, draws=200, prior={"power": 0.5})
    row = fit.sensitivity([{"mu_scale": 1.2}], draws=200).table.iloc[0]
    half = networks.model.with_prior({"power": 0.5})
    known, other = (jax.vmap(m.log_prior)(fit.theta) for m in (half, half.with_prior({"mu_scale": 1.2})))
    assert row["how"] == "weights"
    assert row["ess"] == pytest.approx(psis.smooth(np.asarray(other), np.asarray(known)).ess, rel=1e-3)
