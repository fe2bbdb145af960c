"""Amortized inference: densities, ranges, and independence from any likelihood."""

import warnings

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from conftest import simulate
from numpyro import distributions as dist
from numpyro import sample

from amortmix.inference.amortized import Amortized
from amortmix.model import emissions, registry, streams
from amortmix.model.data import Data, as_numpy, existing
from amortmix.model.distributions import OrderedNormal
from amortmix.networks.classifiers import RULES, smoothing
from amortmix.storage import files
from amortmix.storage.bundle import described, load_bundle, save_bundle
from amortmix.storage.files import BadInput
from amortmix.training.loop import train
from amortmix.training.recipes import default_recipe


def test_log_density_of_draws(known, trained):
    """log_q of a draw = log density at that point = density on the real space minus the log-Jacobian."""
    _, amortized = trained(known.name)
    _, data, _ = simulate(known, 1, dtype=np.float32)
    drawn = amortized.sample(data, 30, seed=2)
    np.testing.assert_allclose(amortized.log_prob(data, drawn.u), drawn.log_q, atol=2e-3)
    framed = amortized.frame(data)
    bijection = known.bijection(framed)
    np.testing.assert_allclose(bijection.forward(jnp.array(drawn.u)), drawn.theta, rtol=1e-5)
    jacobian = jax.jacobian(lambda u: bijection.forward(u)[known.free_columns])(jnp.array(drawn.u[0]))
    np.testing.assert_allclose(jnp.linalg.slogdet(jacobian)[1], bijection.log_det(jnp.array(drawn.u[0])), atol=1e-3)


def test_draws_are_reproducible(trained):
    _, amortized = trained("gaussian_hmm")
    _, data, _ = simulate(amortized.model, 1, dtype=np.float32)
    a, b, c = (amortized.sample(data, 20, seed=s).theta for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0


@pytest.mark.parametrize("units", [1, 40, 750])
def test_any_number_of_units_with_a_warning_outside_training(units, trained):
    _, amortized = trained("gaussian_hmm")
    rng = np.random.default_rng(units)
    data = Data(rng.normal(size=(units, 7, 1)).astype(np.float32), np.ones((units, 7), dtype=np.float32))
    drawn = amortized.sample(data, 10, seed=1)
    assert np.isfinite(drawn.theta).all() and np.isfinite(drawn.log_q).all()
    for head, p in amortized.probabilities(data, drawn.u).items():
        assert p.shape == (10, units, 2), head
        np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)
    words = amortized.warnings(data)
    assert f"N = {units} units lies outside 100," in words[0]
    assert "P = 7 observations per unit lies outside 2 to 5" in words[1]


def test_no_warning_inside_the_range(known, trained):
    _, data, _ = simulate(known, 2, dtype=np.float32)
    assert trained(known.name)[1].warnings(data) == []


def without_density(model):
    """The same model declared by a simulator of one unit in the place of its emission."""

    def simulate_unit(key, p, z):
        found = streams.streams(model.emission(p), tuple(model.columns))
        y = emissions.draw(found, key, z[None], (1, model.observations[1]))
        return y[0]

    return model.changed(emission=None, simulate_unit=simulate_unit, stan=None)


def test_probabilities_need_no_likelihood(known, trained):
    """A model without a density gives the same draws and probabilities: they are the networks'."""
    training, amortized = trained(known.name)
    blind = Amortized(without_density(known), training.estimator, amortized.card)
    assert not blind.model.has_density
    _, data, _ = simulate(known, 3, dtype=np.float32)
    drawn = blind.sample(data, 15, seed=4)
    np.testing.assert_array_equal(drawn.theta, amortized.sample(data, 15, seed=4).theta)
    expected = amortized.probabilities(data, drawn.u)
    for head, p in blind.probabilities(data, drawn.u).items():
        np.testing.assert_array_equal(p, expected[head])


def test_theta_in_the_place_of_u_is_refused(trained):
    """The share that the others decide makes theta longer than u."""
    _, amortized = trained("gaussian_mixture")
    theta, data, _ = simulate(amortized.model, 3, dtype=np.float32)
    with pytest.raises(BadInput, match=r"u of shape \(1, 6\); expected \(draws, 5\), the unconstrained parameters"):
        amortized.log_prob(data, theta[None])


def test_bundle_round_trip_and_damage(trained, tmp_path):
    training, amortized = trained("gaussian_mixture")
    save_bundle(tmp_path, training, seed=1, preset="smoke", meaningful=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, known, card, _ = load_bundle(tmp_path)
    for ours, theirs in zip(training.estimator.weights, known.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert model.name == "gaussian_mixture" and card["units"] == [150, 250] and card["meaningful"] is False
    whole = (tmp_path / "bundle.keras").read_bytes()
    (tmp_path / "bundle.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"bundle\.keras: truncated or changed"):
        load_bundle(tmp_path)
    (tmp_path / "bundle.keras").unlink()
    with pytest.raises(BadInput, match=r"bundle\.keras: no network file"):
        load_bundle(tmp_path)
    with pytest.raises(BadInput, match=r"nowhere/card\.json: no such file; expected a folder of trained networks"):
        load_bundle(tmp_path / "nowhere")


def test_networks_of_a_model_that_changed_are_refused(trained, tmp_path):
    """One line says what: ranges, prior, or a function of the declaration."""
    training, amortized = trained("gaussian_hmm")
    model = amortized.model
    save_bundle(tmp_path, training, seed=1)
    assert load_bundle(tmp_path, model).model.name == model.name
    for changed, words in (
        (model.changed(units=(50, 100)), r"units is \[100, 100\] there and \[50, 100\] here"),
        (model.with_prior({"mu_scale": 2.0}), "hyperparameters is .* there and .*'mu_scale': 2.0.* here"),
        (model.changed(prior=other_prior), "the declaration's .* changed"),
    ):
        with pytest.raises(BadInput, match=words) as raised:
            load_bundle(tmp_path, changed)
        assert "\n" not in str(raised.value)
    with pytest.raises(BadInput, match="networks of gaussian_hmm; expected those of gaussian_mixture"):
        load_bundle(tmp_path, registry.find("gaussian_mixture"))


def other_prior(stay, mu_loc, mu_scale):
    alpha = sample("stay", dist.Beta(stay[0], stay[1]).expand([2]).to_event(1))
    return {"stay": alpha, "mu": sample("mu", OrderedNormal(mu_loc, 2 * mu_scale))}


def test_own_networks_load_without_the_file(tmp_path):
    """The card keeps the declaration, as it was when the networks were trained."""
    path = tmp_path / "coin.py"
    path.write_text(COIN)
    model = registry.find(path)
    training = train(model, default_recipe(model, smoke=True), seed=1, max_steps=2)
    save_bundle(tmp_path / "networks", training, seed=1)
    path.unlink()
    loaded = load_bundle(tmp_path / "networks")
    assert loaded.model.name == "coin" and loaded.model.units == (20, 30)
    data = as_numpy(existing(jax.jit(model.simulate_dataset)(jax.random.key(1))[1]))
    ours = Amortized(training.model, training.estimator, loaded.card).sample(data, 5, seed=1)
    np.testing.assert_array_equal(Amortized.of(loaded).sample(data, 5, seed=1).theta, ours.theta)


COIN = """
import amortmix as am
from numpyro import distributions as dist, sample

def prior():
    return {"p": sample("p", am.ordered(dist.Beta(1, 1), 2))}

MODEL = am.Mixture(states=("a", "b"), prior=prior, emission=lambda p: dist.Normal(4 * p["p"], 1), units=(20, 30))
"""


def test_a_bundle_cannot_run_code_from_outside(tmp_path):
    """A network file with a Python function inside is refused, even if its card fits."""
    network = keras.Sequential([keras.layers.Input((1,)), keras.layers.Lambda(lambda x: x + 1)])
    network.save(tmp_path / "bundle.keras")
    card = described(registry.find("gaussian_hmm")) | {"sha256": files.sha256(tmp_path / "bundle.keras")}
    files.write_json(tmp_path / "card.json", card)
    with pytest.raises(ValueError, match="safe_mode"):
        load_bundle(tmp_path)


def test_only_the_shifted_rule_keeps_the_reversed_filter(trained):
    """Each rule's smoothing is that rule applied to the trained heads, draw by draw."""
    _, amortized = trained("gaussian_hmm")
    model = amortized.model
    data, _ = model.simulate_demo("hmm_demo")
    u = amortized.sample(data, 7, seed=1).u
    heads = amortized.heads(amortized.frame(data), u)
    for rule in RULES:
        p = Amortized(model, amortized.estimator, amortized.card, rule).probabilities(data, u)
        np.testing.assert_allclose(p["smoothing"], np.exp(smoothing(heads, rule)), atol=1e-5)
        assert ("reversed" in p) == (rule == "shifted")
