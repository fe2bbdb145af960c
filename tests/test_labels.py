"""Models without an order of their states: recognized, and draws put in order."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import simulate, smoke_recipe
from numpyro import distributions as dist
from numpyro import sample

import amortmix as am
from amortmix.model import labels
from amortmix.storage.files import BadInput


def mixture_prior():
    pi = sample("pi", dist.Dirichlet(jnp.full(3, 2.0)))
    mu = sample("mu", dist.Normal(0, 3).expand([3]).to_event(1))
    return {"pi": pi, "mu": mu, "sd": sample("sd", dist.LogNormal(0, 0.3))}


def chain_prior():
    rows = sample("rows", dist.Dirichlet(jnp.full((3, 3), 2.0)).to_event(1))
    return {"rows": rows, "rate": sample("rate", dist.LogNormal(1, 1).expand([3]).to_event(1))}


STATES = ("a", "b", "c")
MIXTURE = am.Mixture(
    states=STATES,
    prior=mixture_prior,
    weights=lambda p: p["pi"],
    emission=lambda p: dist.Normal(p["mu"], p["sd"]),
    units=(30, 40),
)
CHAIN = am.HiddenMarkov(
    states=STATES,
    prior=chain_prior,
    transitions=lambda p: p["rows"],
    emission=lambda p: dist.Poisson(p["rate"]),
    columns={"count": am.NonNegativeInteger()},
    units=(20, 30),
)
#: One rate that is known to be that of a state tells it from the others.
NAMED = CHAIN.changed(emission=lambda p: dist.Poisson(p["rate"].at[0].set(2.0)))


def test_every_site_is_permuted_along_its_axes_of_states():
    """Rows and columns of a matrix together; what has no axis of length K stays."""
    order = np.array([2, 0, 1])
    theta = MIXTURE.sample_prior(jax.random.key(1))
    old, new = (MIXTURE.natural(t) for t in (theta, labels.permuted(MIXTURE, theta, order)))
    np.testing.assert_array_equal(new["pi"], old["pi"][order])
    np.testing.assert_array_equal(new["mu"], old["mu"][order])
    assert new["sd"] == old["sd"]
    theta = jax.vmap(CHAIN.sample_prior)(jax.random.split(jax.random.key(2), 5))
    orders = np.array([[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2], [0, 2, 1]])
    new = labels.permuted(CHAIN, theta, orders)
    for i, o in enumerate(orders):
        a, b = CHAIN.natural(theta[i]), CHAIN.natural(new[i])
        np.testing.assert_array_equal(b["rows"], np.asarray(a["rows"])[np.ix_(o, o)])
        np.testing.assert_array_equal(b["rate"], np.asarray(a["rate"])[o])


@pytest.mark.parametrize(("model", "expected"), [(MIXTURE, True), (CHAIN, True), (NAMED, False)])
def test_labels_are_identified_or_not(model, expected):
    theta, data, _ = simulate(model, 3)
    draws = jax.vmap(model.sample_prior)(jax.random.split(jax.random.key(4), 3))
    assert labels.exchangeable(model, draws, data) == expected


def test_the_library_orders_its_states(model):
    _, data, _ = simulate(model, 3)
    draws = jax.vmap(model.sample_prior)(jax.random.split(jax.random.key(4), 3))
    assert not labels.exchangeable(model, draws, data)


def test_a_check_says_so():
    row = next(row for row in am.check(MIXTURE).rows if row.name == "labels")
    assert row.passed and "not identified" in row.sentence and "fit.relabel" in row.sentence


def test_a_fit_is_put_in_order(tmp_path):
    """The same entries and densities, increasing; probabilities of the states are those of the ordered draws."""
    nets = am.train(MIXTURE, steps=20, recipe=smoke_recipe(MIXTURE), folder=tmp_path, assess=False)
    y = np.concatenate([np.random.default_rng(1).normal(m, 0.5, 12) for m in (-3, 0, 3)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = nets.fit(y, draws=200)
    found = fit.relabel("mu")
    place = [MIXTURE.parameter_names.index(f"mu_{k}") for k in (1, 2, 3)]
    assert (np.diff(found.theta[:, place], axis=1) >= 0).all()
    np.testing.assert_array_equal(np.sort(fit.theta[:, place], axis=1), found.theta[:, place])
    data = am.Data(y[:, None, None].astype(np.float32), np.ones((len(y), 1), np.float32))
    before, after = (nets.amortized.log_joint(data, f.theta) for f in (fit, found))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-3)
    by_hand = fit.relabel(lambda theta: theta[:, place])
    np.testing.assert_array_equal(by_hand.states(), found.states())
    u = nets.amortized.run("unconstrain", nets.amortized.frame(data), found.theta)
    p = nets.amortized.probabilities(data, u)["classification"]
    np.testing.assert_allclose(found.states()[[f"P({s})" for s in STATES]], p.mean(0), atol=1e-5)
    with pytest.raises(BadInput, match="order by 'sd'; expected pi, mu: one value for each of 3 states"):
        fit.relabel("sd")


def test_states_that_have_an_order_are_left():
    fit = am.load("gaussian_hmm", design="paper").fit(np.random.default_rng(1).normal(size=(100, 3)), draws=100)
    with pytest.raises(BadInput, match="another order of the states has another density"):
        fit.relabel("mu")
