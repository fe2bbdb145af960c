"""Amortized inference: densities, ranges, and independence from any likelihood."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from amortmix import io
from amortmix.bundle import load_bundle, save_bundle
from amortmix.cases import Data
from amortmix.networks.classifiers import RULES, smoothing
from amortmix.posterior import Amortized
from conftest import simulate


def test_log_density_of_draws(case, trained):
    """log_q of a draw = log density at that point = density on the real space minus the log-Jacobian."""
    _, amortized = trained(case.name)
    _, data, _ = simulate(case, 1, dtype=np.float32)
    drawn = amortized.sample(data, 30, seed=2)
    np.testing.assert_allclose(amortized.log_prob(data, drawn.u), drawn.log_q, atol=2e-3)
    framed = amortized.frame(data)
    bijection = case.bijection(framed)
    np.testing.assert_allclose(bijection.forward(jnp.array(drawn.u)), drawn.theta, rtol=1e-5)
    free = [j for j, p in enumerate(case.parameters) if p.name != f"pi_{len(case.states)}"]
    jacobian = jax.jacobian(lambda u: bijection.forward(u)[jnp.array(free)])(jnp.array(drawn.u[0]))
    np.testing.assert_allclose(jnp.linalg.slogdet(jacobian)[1], bijection.log_det(jnp.array(drawn.u[0])), atol=1e-3)


def test_draws_are_reproducible(trained):
    _, amortized = trained("gaussian_hmm")
    _, data, _ = simulate(amortized.case, 1, dtype=np.float32)
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
    assert f"N = {units} units lies outside 100 to 100" in words[0]
    assert "P = 7 to 7 observations per unit lies outside 2 to 5" in words[1]


def test_no_warning_inside_the_range(case, trained):
    _, data, _ = simulate(case, 2, dtype=np.float32)
    assert trained(case.name)[1].warnings(data) == []


def test_probabilities_need_no_likelihood(case, trained):
    """A case study without exact functions gives the same draws and probabilities: they are the networks'."""
    training, amortized = trained(case.name)
    simulator_only = dataclasses.replace(case, exact=None, stan=None)
    blind = Amortized(simulator_only, training.estimator, amortized.card)
    _, data, _ = simulate(case, 3, dtype=np.float32)
    drawn = blind.sample(data, 15, seed=4)
    np.testing.assert_array_equal(drawn.theta, amortized.sample(data, 15, seed=4).theta)
    expected = amortized.probabilities(data, drawn.u)
    for head, p in blind.probabilities(data, drawn.u).items():
        np.testing.assert_array_equal(p, expected[head])


def test_bundle_round_trip_and_damage(trained, tmp_path):
    training, amortized = trained("gaussian_mixture")
    save_bundle(tmp_path, training, amortized.case, "smoke", "paper", seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        case, known, card = load_bundle(tmp_path)
    for ours, theirs in zip(training.estimator.weights, known.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert case.name == "gaussian_mixture" and card["units"] == [150, 250] and card["meaningful"] is False
    whole = (tmp_path / "bundle.keras").read_bytes()
    (tmp_path / "bundle.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"bundle\.keras: truncated or changed"):
        load_bundle(tmp_path)
    (tmp_path / "bundle.keras").unlink()
    with pytest.raises(ValueError, match=r"bundle\.keras: no network file"):
        load_bundle(tmp_path)


def test_a_bundle_cannot_run_code_from_outside(tmp_path):
    """A network file with a Python function inside is refused, even if its card fits."""
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "bundle.keras")
    card = {"case": "gaussian_hmm", "sha256": io.sha256(tmp_path / "bundle.keras")}
    io.write_json(tmp_path / "card.json", card)
    with pytest.raises(ValueError, match="safe_mode"):
        load_bundle(tmp_path)


def test_only_the_shifted_rule_keeps_the_reversed_filter(trained):
    """Each rule's smoothing is that rule applied to the trained heads, draw by draw."""
    _, amortized = trained("gaussian_hmm")
    case = amortized.case
    data, _ = case.simulate_demo("hmm_demo")
    u = amortized.sample(data, 7, seed=1).u
    heads = amortized._heads(amortized.frame(data), u)
    for rule in RULES:
        p = Amortized(case, amortized.estimator, amortized.card, rule).probabilities(data, u)
        np.testing.assert_allclose(p["smoothing"], np.exp(smoothing(heads, rule)), atol=1e-5)
        assert ("reversed" in p) == (rule == "shifted")
