"""Columns with distributions of their own: densities by integration and other programs, missing parts, refusals."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from conftest import smoke_recipe
from numpyro import sample
from scipy import stats

import amortmix as am
from amortmix.model import streams, tables
from amortmix.model.data import as_numpy
from amortmix.storage.files import BadInput
from amortmix.storage.tree import observed

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data" / "fields"
ELK = am.find(ROOT / "models" / "elk.py")


def elk_table():
    frame, known = pd.read_csv(DATA / "elk.csv"), json.loads((DATA / "elk.json").read_text())
    mean, sd = known["standardize"]
    frame["water"] = (frame["water_km"] - mean) / sd
    return frame, known


def test_elk_declared_are_as_other_programs_say(float64):
    """Zero-inflated steps, turns of which some are missing, transitions by distance, four tracks."""
    frame, known = elk_table()
    names = {"step": "step_km", "turn": "turn_rad"}
    data = as_numpy(tables.read(ELK, frame, sequence="elk", columns=names).data, np.float64)
    y = np.stack([frame["step_km"], ELK.columns["turn"].usual(frame["turn_rad"].fillna(0))], axis=-1)
    data = data._replace(y=y[:, None], x=frame[["water"]].to_numpy())
    p = {name: np.array(value) for name, value in known["parameters"].items()}
    p["ratio"], p["still"] = p["sd"] / p["mean"], p["zero"]
    p["drift"] = np.ravel(np.stack([p["kappa"] * np.cos(p["turn"]), p["kappa"] * np.sin(p["turn"])], axis=-1))
    theta = jnp.concatenate([p[site.name] for site in ELK.sites])
    assert data.components.sum(0)[0].tolist() == [len(frame), frame["turn_rad"].notna().sum()]
    assert float(ELK.log_likelihood(theta, data)) == pytest.approx(known["log_likelihood"], abs=1e-5)
    smoothed = np.exp(ELK.state_log_probs(theta, data)["smoothing"][:, 1])
    np.testing.assert_allclose(smoothed, known["smoothed_p_state_2"], atol=1e-5)


def test_a_normal_of_what_is_there(float64):
    """Its marginal by SciPy, for every pattern of missing components."""
    rng = np.random.default_rng(1)
    loc, root = rng.normal(size=(2, 4)), rng.normal(size=(2, 4, 4))
    covariance = root @ root.swapaxes(1, 2) + np.eye(4)
    y = rng.normal(size=(16, 4))
    there = np.array([[i >> j & 1 for j in range(4)] for i in range(16)]) > 0
    found = streams.normal_log_density(loc, covariance, y[:, None], there[:, None])
    for i, (row, some) in enumerate(zip(y, there)):
        for k in range(2):
            marginal = (
                stats.multivariate_normal(loc[k][some], covariance[k][np.ix_(some, some)]) if some.any() else None
            )
            expected = marginal.logpdf(row[some]) if some.any() else 0.0
            assert found[i, k] == pytest.approx(expected, abs=1e-10)
    whole = dist.MultivariateNormal(loc, covariance).log_prob(y[:, None])
    np.testing.assert_allclose(streams.normal_log_density(loc, covariance, y[:, None]), whole, atol=1e-10)


def test_zeros_and_a_density(float64):
    step = am.ZeroInflated(dist.Gamma(2.0, 3.0), gate=jnp.array([0.2, 0.0]))
    assert np.allclose(np.exp(step.log_prob(0.0)), [0.2, 0.0])
    assert step.log_prob(0.7)[0] == pytest.approx(np.log(0.8) + stats.gamma.logpdf(0.7, 2, scale=1 / 3))
    drawn = np.asarray(step.sample(jax.random.key(1), (4000,)))
    # 4.5 standard errors
    assert abs((drawn[:, 0] == 0).mean() - 0.2) < 4.5 * np.sqrt(0.16 / 4000)
    assert (drawn[:, 1] > 0).all()


def kinds_prior():
    return {
        "mu": sample("mu", am.ordered(dist.Normal(0, 2), 2)),
        "q": sample("q", dist.Beta(2, 2).expand([2]).to_event(1)),
    }


def pair_and_choice(p):
    loc = jnp.stack([p["mu"], -p["mu"]], axis=-1)
    three = jnp.stack([p["q"], 0.4 * (1 - p["q"]), 0.6 * (1 - p["q"])], axis=-1)
    covariance = jnp.array([[1.0, 0.6], [0.6, 1.0]])
    return {
        "kind": dist.Categorical(three),
        ("b", "a"): dist.MultivariateNormal(loc, covariance),
        "n": [dist.Poisson(2.0 + 0 * p["q"][:1]), dist.Geometric(0.3 + 0 * p["q"][:1])],
    }


MIXED = am.Mixture(
    name="mixed",
    states=("low", "high"),
    prior=kinds_prior,
    emission=pair_and_choice,
    columns={
        "a": am.Real(),
        "kind": am.Choice({0: 0, 1: 1, 2: 2}),
        "b": am.Real(),
        "n": am.NonNegativeInteger(),
    },
    units=(30, 50),
    observations=(1, 3),
)


def test_streams_are_the_product_of_their_densities(float64):
    theta = jnp.array([-0.5, 0.7, 0.3, 0.6])
    y, mask = np.array([[[0.1, 2, 0.4, 3]], [[1.0, 0, -0.3, 0]]]), np.ones((2, 1))
    there = np.array([[[1, 1, 1, 1.0]], [[1, 0, 0, 1.0]]])
    found = MIXED.log_densities(theta, am.Data(y, mask, components=there))
    mu, q = [-0.5, 0.7], [0.3, 0.6]
    for k in range(2):
        count = (stats.poisson(2).logpmf([3, 0]), stats.geom(0.3, loc=-1).logpmf([3, 0]))[k]
        pair = stats.multivariate_normal([mu[k], -mu[k]], [[1, 0.6], [0.6, 1]]).logpdf([0.4, 0.1])
        expected = [np.log(0.6 * (1 - q[k])) + pair + count[0], stats.norm(-mu[k]).logpdf(1.0) + count[1]]
        np.testing.assert_allclose(found[:, k], expected, atol=1e-6)


@pytest.mark.parametrize("model", [ELK.changed(units=(60, 80)), MIXED], ids=["elk", "mixed"])
def test_every_check_passes(model):
    report = am.check(model)
    assert report.passed, str(report)


def test_a_table_keeps_what_is_there():
    frame = pd.DataFrame(
        {"a": [1.0, None, 2.0], "b": [None, None, 0.5], "kind": [0, None, None], "n": [1, None, 3], "unit": [1, 2, 3]},
        index=[2, 3, 4],
    )
    table = tables.read(MIXED, frame)
    np.testing.assert_array_equal(table.data.components[:, 0], [[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 1]])
    assert table.data.mask[:, 0].tolist() == [1, 0, 1]
    assert np.isfinite(table.data.y).all()
    array = tables.read(MIXED, np.array([[1.0, 0, np.nan, 1], [np.nan] * 4, [2, np.nan, 0.5, 3]])[:, None])
    np.testing.assert_array_equal(array.data.components, table.data.components)
    with pytest.raises(BadInput, match="no row is an observation; expected at least one with b$"):
        tables.read(MIXED, frame.assign(b=None))


def test_a_column_without_a_distribution_is_refused():
    model = MIXED.changed(emission=lambda p: {"a": dist.Normal(p["mu"], 1), "kind": dist.Bernoulli(p["q"])})
    with pytest.raises(BadInput, match="mixed: the emission is of a, kind; expected a, kind, b, n, once each"):
        model.simulate_dataset(jax.random.key(1))


def test_networks_see_what_is_missing():
    """Values beneath a hole change nothing that networks see, and a recipe trains with holes in every column."""
    from amortmix.networks.estimator import pack
    from amortmix.training.recipes import default_recipe, designed

    recipe = default_recipe(MIXED)
    model = designed(MIXED, recipe)
    assert recipe["design"]["parts"] == 0.2
    simulated = jax.jit(jax.vmap(model.simulate_dataset))(jax.random.split(jax.random.key(1), 200))[1]
    lacking = np.asarray(1 - simulated.components.sum((1, 2)) / simulated.mask.sum((1, 2))[:, None])
    assert (lacking < 0.2 + 4.5 * np.sqrt(0.16 / 30)).all()
    assert 0.3 < (lacking.sum(1) > 0).mean() < 0.7
    assert (np.asarray(simulated.components.max(-1)) == np.asarray(simulated.mask)).all()
    data = jax.tree.map(lambda a: a[lacking.sum(1).argmax()], simulated)
    others = data._replace(y=jnp.where(data.components > 0, data.y, jnp.array([7.0, 1.0, 3.0, 5.0])))
    theta = model.sample_prior(jax.random.key(2))
    for f in (lambda d: pack(model, d) * d.mask[..., None], lambda d: model.log_densities(theta, d)):
        np.testing.assert_allclose(f(data), f(others), atol=1e-5)


def test_a_fit_with_parts_missing(tmp_path):
    """Trained for twenty steps: the exact weights belong to the density of what is there, and a file keeps it."""
    nets = am.train(MIXED, steps=20, recipe=smoke_recipe(MIXED), folder=tmp_path / "nets", assess=False)
    frame = pd.DataFrame({"unit": range(40), "a": np.linspace(-2, 2, 40), "b": 0.5, "kind": [0, 1] * 20, "n": 1})
    frame.loc[[3, 5, 8], "b"] = np.nan
    fit = nets.fit(frame, draws=100, seed=1)
    assert observed(fit.tree).components.sum() == 4 * 40 - 3
    data, theta = observed(fit.tree), jax.vmap(MIXED.sample_prior)(jax.random.split(jax.random.key(3), 20))
    expected = jax.vmap(lambda t: MIXED.log_likelihood(t, data) + MIXED.log_prior(t))(theta)
    np.testing.assert_allclose(nets.amortized.log_joint(data, theta), expected, rtol=1e-4)
    fit.save(tmp_path / "fit.nc")
    np.testing.assert_array_equal(
        observed(am.load_fit(tmp_path / "fit.nc").tree).components, observed(fit.tree).components
    )
    assert not [w for w in fit.warnings if "missing where others" in w]


def test_zeros_among_counts_need_another_distribution():
    with pytest.raises(BadInput, match="ZeroInflated of a Poisson; .* for counts there is .*ZeroInflatedDistribution"):
        am.ZeroInflated(dist.Poisson(2.0), gate=0.1)
