"""Probabilities of models from networks: against their closed form, kept and loaded, and what is refused."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from conftest import optimizations
from numpyro import sample
from scipy import stats
from scipy.special import expit

import amortmix as am
from amortmix.model.data import as_numpy, existing
from amortmix.networks.model_comparison import check, example, flat
from amortmix.storage.files import BadInput
from amortmix.training.recipes import default_recipe

#: Standard deviation of the mean under each model.
SDS = {"narrow": 0.3, "wide": 3.0}


def one_class(sd, units=(10, 20)):
    """y_i ~ Normal(mu, 1), mu ~ Normal(0, sd): the mean of n units is Normal(0, sqrt(sd^2 + 1 / n))."""

    def prior():
        return {"mu": sample("mu", dist.Normal(0, sd).expand([1]).to_event(1))}

    return am.Mixture(
        name="one_class",
        states=("all",),
        prior=prior,
        weights=None,
        emission=lambda p: dist.Normal(p["mu"], 1.0),
        units=units,
    )


MODELS = {name: one_class(sd) for name, sd in SDS.items()}


@pytest.fixture(scope="module")
def which(tmp_path_factory):
    recipe = default_recipe(MODELS["wide"], smoke=True)
    with optimizations():
        return am.train_comparison(MODELS, steps=1500, folder=tmp_path_factory.mktemp("which"), recipe=recipe)


def exact(y):
    """p(narrow | y): the mean is all that the models say different things about."""
    narrow, wide = (stats.norm.logpdf(y.mean(), 0, np.sqrt(sd**2 + 1 / len(y))) for sd in SDS.values())
    return expit(narrow - wide)


def simulated(model, number):
    draw = jax.jit(model.simulate_dataset)
    return [as_numpy(existing(draw(jax.random.key(i))[1]), np.float32) for i in range(number)]


def test_probabilities_are_those_of_bayes(which):
    """Mean distance from the closed form; equal probabilities would be off by 0.32 and 0.43."""
    for model in MODELS.values():
        found, known = [], []
        for data in simulated(model, 40):
            y = data.y[data.mask > 0][:, 0]
            found.append(which.log_probabilities(data)[0])
            known.append(exact(y))
        assert np.abs(np.exp(found) - known).mean() < 0.05


def test_a_prior_multiplies_the_odds(which):
    y = np.linspace(-1.0, 2.5, 12)
    equal = which.compare(y)["probability"]
    other = which.compare(y, prior={"narrow": 0.8, "wide": 0.2})["probability"]
    assert other["narrow"] / other["wide"] == pytest.approx(4 * equal["narrow"] / equal["wide"], rel=1e-4)
    assert list(equal.index) == list(equal.sort_values(ascending=False).index)


def test_what_was_kept_answers_the_same(which):
    y = np.linspace(-1.0, 2.5, 12)
    loaded = am.load_comparison(which.folder, MODELS)
    np.testing.assert_allclose(loaded.compare(y)["probability"], which.compare(y)["probability"], rtol=1e-5)
    assert loaded.sentence == which.sentence
    with pytest.raises(BadInput, match="networks that compare models; expected those of one"):
        am.load(which.folder)
    with pytest.raises(BadInput, match=r"units is \[10, 20\] there and \[10, 21\] here"):
        am.load_comparison(which.folder, MODELS | {"wide": one_class(4.0, units=(10, 21))})


def test_data_of_neither_model_are_said_to_be(which):
    with pytest.warns(UserWarning, match="far outside"):
        found = which.compare(np.linspace(200.0, 300.0, 12))
    assert not found["reliable"].any()


def test_an_example_has_every_model_once():
    batch = jax.vmap(lambda key: example(MODELS, key))(jax.random.split(jax.random.key(1), 3))
    rows = flat(batch)
    np.testing.assert_array_equal(rows["inference_variables"], np.tile(np.eye(2), (3, 1)))
    assert rows["summary_variables"].shape[:2] == (6, 20)
    np.testing.assert_array_equal(rows["summary_variables"][1], batch["summary_variables"][0, 1])


def test_covariates_are_the_same_if_they_are_simulated_the_same():
    models = [
        MODELS["wide"].changed(covariates={"x": dist.Normal(0, sd)}, emission=lambda p, x: dist.Normal(p["mu"], 1.0))
        for sd in (1.0, 1.0, 2.0)
    ]
    check(dict(zip("ab", models)))
    with pytest.raises(BadInput, match="c and b differ in covariates"):
        check(dict(zip("bc", models[1:])))


def test_models_of_different_data_are_refused():
    with pytest.raises(BadInput, match="1 models to compare; expected at least two"):
        am.train_comparison({"a": MODELS["wide"]})
    with pytest.raises(BadInput, match="b and a differ in units"):
        am.train_comparison({"a": MODELS["wide"], "b": one_class(1.0, units=(10, 30))})
