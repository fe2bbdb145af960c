"""Point estimates: against closed forms, beside the draws, kept and loaded, and what is refused."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro import sample
from scipy import stats

import amortmix as am
from amortmix import points as module
from amortmix.model.data import as_numpy, existing
from amortmix.networks import points as networks
from amortmix.storage.files import BadInput
from amortmix.training.recipes import default_recipe
from amortmix.training.rounds import train_in_rounds

SCALE = 2.0  # of the prior of a scale


def one_class():
    """y_i ~ Normal(mu, 1), mu ~ Normal(0, 2): the posterior is normal."""
    return am.Mixture(
        name="one_class",
        states=("all",),
        prior=lambda: {"mu": sample("mu", dist.Normal(0, SCALE).expand([1]).to_event(1))},
        weights=None,
        emission=lambda p: dist.Normal(p["mu"], 1.0),
        units=(10, 40),
    )


MODEL = one_class()


#: Trainings of a thousand steps.
pytestmark = pytest.mark.usefixtures("optimized")


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one_class")
    return am.train(MODEL, steps=600, folder=folder, recipe=default_recipe(MODEL, smoke=True), assess=False)


@pytest.fixture(scope="module")
def points(nets):
    return am.train_points(nets, steps=1500)


def simulated(number, first=0):
    draw = jax.jit(MODEL.simulate_dataset)
    return [as_numpy(existing(draw(jax.random.key(first + i))[1]), np.float32) for i in range(number)]


def exact(y):
    """Posterior of mu."""
    variance = 1 / (len(y) + 1 / SCALE**2)
    return stats.norm(variance * y.sum(), np.sqrt(variance))


def test_estimators_learn_mean_and_quantiles():
    """theta = x + exp(x) e, e ~ Exponential: mean x + exp(x), quantile at p x - exp(x) log(1 - p).

    The exponential is skewed: a normal would have its median at its mean.
    """

    def example(key):
        key_x, key_e = jax.random.split(key)
        x = 0.5 * jax.random.normal(key_x, (1,))
        return {"inference_variables": x + jnp.exp(x) * jax.random.exponential(key_e, (1,)), "inference_conditions": x}

    estimator = networks.build(1, 1, seed=1)
    train_in_rounds(estimator, lambda *_: (example, lambda state, batch: batch), 3000, 64, 2e-3, 1, "a test")
    x = np.linspace(-0.8, 0.8, 9)[:, None]
    mean, *quantiles = np.moveaxis(np.asarray(networks.estimates(estimator, x))[..., 0], 1, 0)
    scale = np.exp(x[:, 0])
    np.testing.assert_allclose(mean / scale, x[:, 0] / scale + 1, atol=0.08)
    for p, found in zip(networks.QUANTILES[:2], quantiles):
        np.testing.assert_allclose(found / scale, x[:, 0] / scale - np.log1p(-p), atol=0.08)
    # three scales from the mean: 8 % of that
    np.testing.assert_allclose(quantiles[2] / scale, x[:, 0] / scale - np.log(0.05), atol=0.24)


def test_location_and_scale_of_a_linear_flow(monkeypatch):
    """theta = m + A xi has mean m and covariance A A'."""
    a, m = jnp.array([[2.0, 0.0], [-1.0, 0.5], [0.3, 0.1]]), jnp.array([1.0, -2.0, 3.0])
    monkeypatch.setattr(module, "drawn", lambda *arguments: (m + arguments[-1] @ a.T, None, None))
    amortized = SimpleNamespace(model=SimpleNamespace(free=2), estimator=None, conditions=lambda data: jnp.ones((1, 4)))
    told, centre, scale = module.Located(amortized)(None)
    np.testing.assert_allclose(centre, m)
    np.testing.assert_allclose(scale, np.sqrt(np.diag(a @ a.T)), rtol=1e-6)
    assert told.shape == (4,)


def test_estimates_are_those_of_the_posterior(points):
    """Mean distance from the closed form, in posterior standard deviations, of 60 data sets."""
    errors, sets = [], simulated(60)
    for data, found in zip(sets, points.estimate_many(dict(enumerate(sets))).to_numpy()):
        known = exact(data.y[data.mask > 0][:, 0])
        errors.append((found[: len(module.NAMES)].astype(float) - known.mean()) / known.std())
        errors[-1] -= np.array([0.0, *stats.norm.ppf(networks.QUANTILES)])
    assert (np.abs(errors).mean(0) < 0.2).all()
    assert (np.abs(np.mean(errors, axis=0)) < 0.15).all()


def test_quality_stands_on_the_card(points):
    """Coverage of 1,000 intervals, within 3.5 standard errors and 2 % for what is not learned; and the sentence."""
    quality = points.card["quality"]
    assert abs(quality["points"]["coverage"][0] - 0.9) < 3.5 * np.sqrt(0.09 / module.HELD_OUT) + 0.02
    ratio = quality["points"]["RMSE"][0] / quality["draws"]["RMSE"][0]
    assert f"{ratio:.3f}" in points.sentence and quality["parameters"] == list(MODEL.parameter_names)


def test_many_are_estimated_as_each_by_itself(points, monkeypatch):
    """Also in batches, and in their order whatever their frames."""
    monkeypatch.setattr(module, "AT_A_TIME", 4)
    sets = {f"person {i}": pd.DataFrame({"y": data.y[:, 0, 0]}) for i, data in enumerate(simulated(7, first=100))}
    many = points.estimate_many(sets)
    assert list(many.index) == list(sets)
    for name, frame in sets.items():
        alone = points.estimate(frame)[list(module.NAMES)]
        found = many.loc[name].iloc[: alone.size].astype(float)
        np.testing.assert_allclose(found, alone.to_numpy().ravel(), rtol=2e-4, atol=1e-5)


def test_quantiles_are_in_order(points):
    found = points.estimate_many(dict(enumerate(simulated(20, first=200))))
    for parameter in MODEL.parameter_names:
        low, median, high = (found[f"{parameter} {what}"] for what in module.NAMES[1:])
        assert (low < median).all() and (median < high).all()


def test_odd_data_are_not_reliable(points):
    with pytest.warns(UserWarning, match="far outside"):
        assert not points.estimate(np.full(20, 500.0))["reliable"].any()
    many = points.estimate_many({"odd": np.full(20, 500.0)})
    assert not many.loc["odd", "reliable"] and "far outside" in many.loc["odd", "reason"]


def test_unreadable_data_sets_do_not_stop_the_others(points):
    sets = {"good": simulated(1)[0], "bad": pd.DataFrame({"y": ["a", "b"]})}
    with pytest.warns(UserWarning, match="not fitted: 1"):
        assert list(points.estimate_many(sets).index) == ["good"]
    with pytest.raises(BadInput, match="bad"):
        points.estimate_many({"bad": sets["bad"]})


def test_what_was_kept_answers_the_same(points, nets, tmp_path):
    data = simulated(1)[0]
    loaded = am.load_points(am.load(nets.folder, model=MODEL))
    pd.testing.assert_frame_equal(loaded.estimate(data), points.estimate(data))
    assert loaded.sentence == points.sentence
    nets.save(tmp_path)  # a copy of networks has what is made from them
    assert am.load_points(am.load(tmp_path, model=MODEL)).card == points.card


def test_what_is_refused(points, nets, tmp_path):
    with pytest.raises(BadInput, match="part of the library"):
        am.train_points("gaussian_hmm")
    nets.save(tmp_path)
    copy = am.load(tmp_path, model=MODEL)
    (tmp_path / "points.keras").write_bytes(b"other")
    with pytest.raises(BadInput, match="points.keras: missing, truncated or changed"):
        am.load_points(copy)
    (tmp_path / "points.json").write_text('{"networks": "others"}')
    with pytest.raises(BadInput, match="of other networks"):
        am.load_points(copy)
    (tmp_path / "points.json").unlink()
    with pytest.raises(BadInput, match="expected amortmix.train_points"):
        am.load_points(copy)


def test_short_trainings_say_so(nets, tmp_path):
    nets.save(tmp_path)
    hardly = am.train_points(am.load(tmp_path, model=MODEL), steps=5)
    with pytest.warns(UserWarning, match="hardly trained"):
        assert not hardly.estimate(simulated(1)[0])["reliable"].any()
