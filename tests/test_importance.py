"""The gradient with less noise: unbiased, exact where q is the posterior, and made of the densities it claims."""

from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from conftest import smoke_recipe
from jax.scipy.stats import norm

from amortmix.inference.amortized import Amortized, log_joint
from amortmix.model import registry
from amortmix.model.supports import identity
from amortmix.storage import pretrained
from amortmix.storage.bundle import load_bundle
from amortmix.training import importance, loop


class _Normal:
    """q(u | y) = Normal(m, s) in the place of networks; ``broken`` lists draws of its flow that overflow."""

    trainable_variables, non_trainable_variables = [], []

    def __init__(self, m, s, broken=()):
        self.m, self.s, self.broken = m, s, list(broken)

    def moments(self):
        return jnp.zeros(1), jnp.ones(1)

    def particles(self, noise, truth, context, packed):
        v = jnp.concatenate([truth[:, None], self.m + self.s * noise], axis=1)
        log_q = norm.logpdf(v[..., 0], self.m, self.s)
        return v.at[:, self.broken].set(jnp.inf), log_q.at[:, self.broken].set(jnp.nan)

    def gradient(self, v):
        """Of -log q(v) with respect to m and log s: (..., 2)."""
        z = (v[..., 0] - self.m) / self.s
        return jnp.stack([-z / self.s, 1 - z**2], axis=-1)


def weighed(q, y, truth, number, key, proposal=None, modelled=None):
    """One batch of the conjugate model u ~ Normal(0, scale), y ~ Normal(u, 1) with scale 1, completed by `weigh`."""

    def model(scale):
        def log_prior(u):
            return norm.logpdf(u[0], scale=scale)

        return SimpleNamespace(
            log_likelihoods=lambda theta, y: norm.logpdf(y, theta[:, 0]),
            bijection=lambda data: identity,
            log_prior=log_prior,
            with_prior=lambda other: model(other["scale"]),
            under=lambda data: model(scale),
        )

    noise = jax.random.normal(key, (len(y), number - 1, 1))
    if proposal:
        noise = jnp.concatenate([noise, jnp.zeros((len(y), 1, 1))], axis=1)
    inputs = {"inference_variables": truth[:, None], "inference_conditions": None, "summary_variables": None}
    inputs |= {} if modelled is None else {"modelled": modelled}
    return importance.weigh(model(1.0), proposal, q, ([], []), {"data": y, "noise": noise, **inputs})


@pytest.mark.parametrize("number", [2, 5])
def test_gradient_is_unbiased_for_the_divergence_from_the_posterior(number):
    """Mean over 100,000 truths drawn from the posterior, for a q far from it; false alarms: 2 in 100,000 per number."""
    y, m, s, repeats = 1.3, 0.1, 0.9, 100_000
    key_truth, key_noise = jax.random.split(jax.random.key(number))
    truth = y / 2 + jnp.sqrt(0.5) * jax.random.normal(key_truth, (repeats,))
    q = _Normal(m, s)
    batch = weighed(q, jnp.full(repeats, y), truth, number, key_noise)
    found = np.asarray(jnp.sum(batch["coefficients"][..., None] * q.gradient(batch["particles"]), axis=1))
    exact = [-(y / 2 - m) / s**2, 1 - (0.5 + (y / 2 - m) ** 2) / s**2]
    standard_error = found.std(0) / np.sqrt(repeats)
    assert np.all(np.abs(found.mean(0) - exact) < 4.42 * standard_error)


@pytest.mark.parametrize("number", [1, 4])
def test_a_proposal_changes_how_much_a_data_set_counts_and_nothing_else(number):
    """Truths from the posterior under r = (p + p') / 2, in closed form; false alarms: 2 in 100,000 per number."""
    y, m, s, scale, repeats = 1.3, 0.1, 0.9, 2.0, 100_000
    key_half, key_truth, key_noise = jax.random.split(jax.random.key(11), 3)
    evidence = norm.pdf(y, scale=jnp.sqrt(1 + jnp.array([1.0, scale**2])))  # p(y), p'(y)
    half = jax.random.bernoulli(key_half, evidence[1] / evidence.sum(), (repeats,))
    shrinkage = jnp.where(half, scale**2 / (1 + scale**2), 0.5)
    truth = shrinkage * y + jnp.sqrt(shrinkage) * jax.random.normal(key_truth, (repeats,))
    q = _Normal(m, s)
    batch = weighed(q, jnp.full(repeats, y), truth, number, key_noise, {"scale": scale})
    found = np.asarray(jnp.sum(batch["coefficients"][..., None] * q.gradient(batch["particles"]), axis=1))
    counts = (norm.pdf(m) + norm.pdf(m, scale=scale)) / norm.pdf(m) * evidence[0] / evidence.sum()
    exact = counts * np.array([-(y / 2 - m) / s**2, 1 - (0.5 + (y / 2 - m) ** 2) / s**2])
    standard_error = found.std(0) / np.sqrt(repeats)
    assert np.all(np.abs(found.mean(0) - exact) < 4.42 * standard_error)


@pytest.mark.parametrize("proposal", [None, {"scale": 2.0}])
def test_without_a_truth_the_draws_give_the_gradient(proposal):
    """50,000 draws for one y that no theta made; false alarms: 2 in 100,000 per number. The truth plays no part."""
    y, m, s, number = 4.0, 1.7, 0.8, 50_000
    q = _Normal(m, s)
    truth, modelled = jnp.array([30.0]), jnp.zeros(1)
    batch = weighed(q, jnp.array([y]), truth, number, jax.random.key(12), proposal, modelled)
    c, gradient = np.asarray(batch["coefficients"][0]), np.asarray(q.gradient(batch["particles"]))[0]
    assert c[0] == 0 and abs(c.sum()) < 1e-4
    exact = np.array([-(y / 2 - m) / s**2, 1 - (0.5 + (y / 2 - m) ** 2) / s**2])
    weights = c[1:, None] + 1 / (number - 1)
    terms = weights * (gradient[1:] - exact) - gradient[1:] / (number - 1)
    standard_error = np.sqrt((terms**2).sum(0))
    assert np.all(np.abs((c[:, None] * gradient).sum(0) - exact) < 4.26 * standard_error)


def test_no_data_set_counts_without_bound():
    """An untrained flow may put theta_0 where p' is many times p; here the truth has all the weight."""
    batch = weighed(_Normal(60.0, 1.0), jnp.zeros(1), jnp.zeros(1), 2, jax.random.key(5), {"scale": 2.0})
    expected = importance.LARGEST_RATIO * norm.pdf(0.0) / ((norm.pdf(0.0) + norm.pdf(0.0, scale=2.0)) / 2)
    assert float(batch["coefficients"][0, 0]) == pytest.approx(float(expected), rel=1e-5)


def test_half_of_the_data_sets_are_from_the_proposal():
    """Without it the stay probabilities have mean 1/2, with it (1/2 + 4/5) / 2; false alarms: 2 in 100,000."""
    model, number = registry.find("evidence_accumulation"), 4000
    keys = jax.random.split(jax.random.key(4), number)
    for proposal, mean in ((None, 0.5), ({"stay": [16.0, 4.0]}, 0.65)):
        draw = jax.jit(jax.vmap(partial(importance.refined_example, model, 2, proposal, None)))
        u = draw(keys)["inference_variables"][:, :2]
        rho = np.asarray(jax.nn.sigmoid(u)).mean(axis=1)
        assert abs(rho.mean() - mean) < 4.26 * rho.std() / np.sqrt(number)


def test_at_the_posterior_only_a_share_of_the_truth_is_left():
    """Where q is the posterior all weights are equal, and the draws from q cancel one by one."""
    q = _Normal(0.6, jnp.sqrt(0.5))
    batch = weighed(q, jnp.array([1.2, 1.2]), jnp.array([0.4, -2.0]), 8, jax.random.key(1))
    np.testing.assert_allclose(batch["coefficients"], [[1 / 8] + [0] * 7] * 2, atol=1e-6)
    modelled = jnp.array([1, 1, 0])
    batch = weighed(q, jnp.full(3, 1.2), jnp.array([0.4, -2.0, 9.0]), 8, jax.random.key(1), modelled=modelled)
    np.testing.assert_allclose(batch["coefficients"], [[1 / 8] + [0] * 7] * 2 + [[0] * 8], atol=1e-6)


def test_draws_that_overflow_change_nothing():
    batch = weighed(_Normal(0.0, 1.0, broken=[2]), jnp.zeros(1), jnp.array([0.4]), 4, jax.random.key(2))
    assert batch["coefficients"][0, 2] == 0 and batch["particles"][0, 2] == batch["particles"][0, 0]
    assert np.all(np.isfinite(batch["coefficients"])) and np.all(np.isfinite(batch["particles"]))
    batch = weighed(
        _Normal(0.0, 1.0, broken=[0, 1, 2, 3]), jnp.zeros(1), jnp.zeros(1), 4, jax.random.key(2), modelled=jnp.zeros(1)
    )
    assert not np.any(batch["coefficients"]) and np.all(np.isfinite(batch["particles"]))


@pytest.mark.parametrize("modelled", [0.0, 1.0])
def test_draws_far_from_everything_are_left_out(modelled):
    """No coefficient, no place that could overflow; the weights of the others are as if there were no such draws."""
    y, m, s, number = 0.7, 0.2, importance.FARTHEST, 64
    truth, q = jnp.array([0.4]), _Normal(m, s)
    batch = weighed(q, jnp.array([y]), truth, number, jax.random.key(6), modelled=jnp.array([modelled]))
    v = np.asarray(jnp.concatenate([truth, m + s * jax.random.normal(jax.random.key(6), (1, number - 1, 1))[0, :, 0]]))
    near = np.abs(v) <= importance.FARTHEST
    assert 5 < np.sum(~near) < 40
    near[0] = modelled
    found = np.asarray(batch["coefficients"][0])
    assert np.all(found[~near] == 0) and np.abs(batch["particles"]).max() <= importance.FARTHEST
    log_weights = norm.logpdf(v) + norm.logpdf(y, v) - norm.logpdf(v, m, s)
    weights = np.where(near, np.exp(log_weights - log_weights[near].max()), 0)
    # one data set alone has no others that could tell the c of one with a truth
    c = 0 if modelled else 1 / (number - 1)
    expected = np.where(near, weights / weights.sum() - c * (np.arange(number) > 0), 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    left_out = np.sum(~near[1:]) / (number - 1)
    assert modelled or abs(found.sum() - left_out) < 1e-5


def test_weights_where_a_density_is_not_known():
    """A draw outside the space has weight zero; a truth whose density overflows has all the weight."""
    found = importance.coefficients(jnp.array([[0.0, -jnp.inf, 0.0], [jnp.nan, 1e4, 0.0]]), jnp.ones(2, bool))
    # the draws have half of the weight in the first data set, none in the second, so c is none and a quarter
    np.testing.assert_allclose(found, [[0.5, 0, 0.5], [1, -0.25, -0.25]], atol=1e-6)


def test_weights_are_those_of_importance_sampling_from_the_networks():
    """Standardization and Jacobians: the same weights as from the densities of the constrained parameters."""
    model, estimator, card, _ = load_bundle(pretrained.folder_of("gaussian_mixture", "paper", "paper"))
    number = 16
    keys = jax.random.split(jax.random.key(3), 4)
    batch = jax.vmap(partial(importance.refined_example, model, number, None, None))(keys)
    state = [[v.value for v in vs] for vs in (estimator.trainable_variables, estimator.non_trainable_variables)]
    found = importance.weigh(model, None, estimator, state, batch)
    mean, scale = estimator.moments()
    amortized, log_weights = Amortized(model, estimator, card), []
    for i in range(len(keys)):
        data = jax.tree.map(lambda a, i=i: a[i], batch["data"])
        u = mean + scale * found["particles"][i]
        np.testing.assert_allclose(u[0], batch["inference_variables"][i], rtol=1e-4, atol=1e-4)
        theta = model.bijection(data).forward(u)
        log_weights.append(log_joint(model, theta, data) - amortized.log_prob(data, u))
    expected = importance.coefficients(jnp.stack(log_weights), jnp.ones(len(keys), bool))
    np.testing.assert_allclose(found["coefficients"], expected, atol=2e-3)
    assert np.all(np.sum(expected > 0.01, axis=1) > 1)  # the weights are not all at the truth


def test_with_all_weight_at_the_truth_the_gradient_is_the_plain_one():
    """The loss is that at the truth, also where the density of a draw overflows."""
    model, number = registry.find("gaussian_mixture"), 3
    estimator, _, key, _ = loop.prepare(model, smoke_recipe(model), seed=1)
    example = partial(importance.refined_example, model, number, None, None)
    batch = jax.jit(jax.vmap(example))(jax.random.split(key, 4))
    weights = [jnp.array(v.value) for v in estimator.trainable_variables]
    others = [jnp.array(v.value) for v in estimator.non_trainable_variables]
    drawn = jax.jit(lambda data: importance.weigh(model, None, estimator, (weights, others), data))(batch)
    at_truth = drawn | {"coefficients": jnp.zeros((4, number)).at[:, 0].set(1.0)}
    plain = {k: v for k, v in drawn.items() if k not in ("particles", "coefficients")}

    @jax.jit
    def loss(values, data):
        with keras.StatelessScope(state_mapping=list(zip(estimator.trainable_variables, values))):
            return estimator.compute_metrics(**data)["posterior"]

    for data in (drawn, at_truth):
        assert loss(weights, data) == pytest.approx(float(loss(weights, plain)), rel=1e-4)
    far = drawn | {"particles": drawn["particles"].at[0, 1].set(1e30)}
    assert loss(weights, far) == pytest.approx(float(loss(weights, plain)), rel=1e-4)
    expected, found = (jax.jit(jax.grad(loss))(weights, data) for data in (plain, at_truth))
    for a, b in zip(expected, found):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-4)


def test_a_data_set_without_a_truth_is_not_judged_by_one():
    """Neither its states nor its parameters change loss or gradient."""
    model = registry.find("gaussian_hmm")
    estimator, _, key, _ = loop.prepare(model, smoke_recipe(model), seed=1)
    example = partial(importance.refined_example, model, 3, None, 1.0)
    batch = jax.jit(jax.vmap(example))(jax.random.split(key, 8))
    assert not np.any(batch["modelled"])
    batch["modelled"] = jnp.arange(8) % 2.0
    state = [
        [jnp.array(v.value) for v in vs] for vs in (estimator.trainable_variables, estimator.non_trainable_variables)
    ]
    corrupted = (batch["modelled"] == 0)[:, None]
    other = batch | {
        "states": jnp.where(corrupted, 1 - batch["states"], batch["states"]),
        "inference_variables": jnp.where(corrupted, 5.0, batch["inference_variables"]),
    }

    def loss(values, data):
        with keras.StatelessScope(state_mapping=list(zip(estimator.trainable_variables, values))):
            return estimator.compute_metrics(**importance.weigh(model, None, estimator, state, data))["loss"]

    found = [jax.jit(jax.value_and_grad(loss))(state[0], data) for data in (batch, other)]
    for a, b in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("density", "options", "message"),
    [
        (
            False,
            {"phases": [[2, 16], [2, 16, 4]]},
            "gaussian_mixture: particles is 4; expected none, for want of a density",
        ),
        (True, {"proposal": {"stay": [16, 4]}}, "proposal has stay; expected some of .*mu_loc"),
        (True, {"misfit": 50}, "gaussian_mixture: misfit is 50; expected a share between 0 and 1"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(density, options, message):
    model = registry.find("gaussian_mixture")
    if not density:
        model = model.changed(emission=None, simulate_unit=lambda key, p, z: jnp.zeros((4, 1)))
    schedule = {"phases": [[2, 16]], "learning_rate": 1e-3, **options}
    with pytest.raises(ValueError, match=message):
        loop.prepare(model, smoke_recipe(model) | {"schedule": schedule}, seed=1)
