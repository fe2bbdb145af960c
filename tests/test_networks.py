"""What the networks may see: masks, causality, exchangeability; and the density of the flow."""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from bayesflow.networks.inference.coupling.transforms import SplineTransform
from conftest import simulate

from amortmix.model import registry
from amortmix.networks.classifiers import EmissionClassifier
from amortmix.networks.estimator import chain_of, pack, training_example
from amortmix.networks.flow import Spline
from amortmix.networks.layers import Places
from amortmix.networks.summaries import MixtureSummary
from amortmix.training.recipes import default_recipe

TOLERANCE = 2e-5


def batch_of_one(model, seed):
    example = training_example(model, jax.random.key(seed))
    return {k: np.asarray(v)[None] for k, v in example.items()}


@functools.cache
def compiled(estimator):
    """Jitted classification and summary of an estimator: op by op they are slow."""
    return jax.jit(estimator.classify), jax.jit(lambda packed: estimator.summary_network(packed))


def heads(estimator, batch):
    found = compiled(estimator)[0](batch["summary_variables"], batch["classifier_conditions"], batch.get("chain"))
    return {k: np.asarray(v) for k, v in found.items()}


def summary(estimator, batch):
    return np.asarray(compiled(estimator)[1](batch["summary_variables"]))


def test_padding_leaves_no_trace(known, trained):
    """Other values in masked places change neither the summary nor any probability of an existing unit."""
    _, amortized = trained(known.name)
    batch = batch_of_one(known, 3)
    changed = {k: v.copy() for k, v in batch.items()}
    packed = changed["summary_variables"]
    hidden = packed[..., -1] == 0
    packed[hidden, :-1] = packed[hidden, :-1] * 0 + 1.7
    n = int(batch["summary_variables"][0, ..., -1].max(-1).sum())
    changed["classifier_conditions"][0, n:] = 0.3
    estimator = amortized.estimator
    np.testing.assert_allclose(summary(estimator, batch), summary(estimator, changed), atol=TOLERANCE)
    before, after = heads(amortized.estimator, batch), heads(amortized.estimator, changed)
    for head in before:
        np.testing.assert_allclose(before[head][:, :n], after[head][:, :n], atol=TOLERANCE, err_msg=head)


def test_padding_leaves_no_trace_in_summaries_with_a_rough_fit():
    recipe = {"kind": "states", "width": 8, "blocks": 2, "states": 4, "rough": 2, "mix": [16], "dim": 6}
    network = MixtureSummary(None, recipe)
    network.build((1, 30, 1, 3))
    units = np.random.default_rng(1).normal(size=(1, 20, 1, 2))
    packed = np.concatenate([units, np.ones((1, 20, 1, 1))], axis=-1)
    padded = np.concatenate([packed, np.full((1, 10, 1, 3), [0.7, -3.0, 0.0])], axis=1)
    np.testing.assert_allclose(jax.jit(network)(padded), jax.jit(network)(packed), atol=1e-4)


@pytest.mark.parametrize("name", ["gaussian_hmm", "evidence_accumulation"])
def test_each_head_sees_only_its_side(name, trained):
    """Filtering at t sees y_1:t, backward filtering y_t+1:N, reversed y_t:N, the marginal no observation at all."""
    training, amortized = trained(name)
    batch = batch_of_one(amortized.model, 4)
    t = 40
    changed = {k: v.copy() for k, v in batch.items()}
    changed["summary_variables"][0, t, :, 0] += 0.4
    changed["classifier_conditions"][0, t, 0] += 0.4 * (name == "evidence_accumulation")
    before, after = heads(amortized.estimator, batch), heads(amortized.estimator, changed)
    difference = {k: np.abs(before[k] - after[k])[0].max(-1) for k in before}
    assert difference["marginal"].max() == 0
    assert difference["filtering"][:t].max() == 0 and difference["filtering"][t] > 1e-6
    assert difference["reversed"][t + 1 :].max() == 0 and difference["reversed"][t] > 1e-6
    assert difference["backward_filtering"][t:].max() == 0 and difference["backward_filtering"][t - 1] > 1e-7


@pytest.mark.parametrize("observations", [(1, 1), (3, 5)])
def test_chains_whose_densities_are_known_start_from_the_exact_answer(observations):
    """The untrained classifier of the default recipe has the state probabilities of the model."""
    model = registry.find("gaussian_hmm").changed(conditions=None, observations=observations)
    theta, data, _ = simulate(model, 5, np.float32)
    n = len(data.y)
    conditions = model.unit_conditions(model.bijection(data).inverse(theta), data)[None]
    known = default_recipe(model)["classifier"]["known"]
    classifier = EmissionClassifier(n_states=2, widths=[4], known=known)
    classifier.build((1, n, 2), conditions.shape, model.free)
    units, places = jnp.ones((1, n, 2)), Places(jnp.ones((1, n)), jnp.ones((1, n)))
    found = classifier(units, conditions=conditions, places=places, chain=chain_of(model, theta, data)[None])
    exact = model.state_log_probs(theta, data)
    for head in ("filtering", "backward_filtering"):
        # differences of log densities beyond 15 are cut off
        np.testing.assert_allclose(np.exp(found[head][0]), np.exp(exact[head]), atol=1e-4, err_msg=head)


@pytest.mark.parametrize("name", ["gaussian_hmm", "evidence_accumulation"])
def test_emission_classifier_with_the_true_emissions_is_exact(name):
    """All heads equal the exact ones once the unit network is the likelihood of a unit, up to any constant in k."""
    model = registry.find(name)
    theta, data, _ = model.simulate_dataset(jax.random.key(8))
    n = int(data.exists.sum())
    log_lik = model.log_densities(theta, data)
    classifier = EmissionClassifier(n_states=2, widths=[4])
    classifier.unit = lambda inputs: inputs
    classifier.emission = lambda inputs: inputs[..., :2] + 3.0
    found = classifier.call(
        log_lik[None, :, :1],
        conditions=log_lik[None, :, 1:],
        places=Places(data.observed[None], data.exists[None]),
        chain=chain_of(model, theta, data)[None],
    )
    exact = model.state_log_probs(theta, data)
    for head, log_probs in found.items():
        np.testing.assert_allclose(log_probs[0, :n], exact[head][:n], atol=2e-4, err_msg=head)


def test_mixture_networks_are_exchangeable(trained):
    _, amortized = trained("gaussian_mixture")
    batch = batch_of_one(amortized.model, 5)
    order = np.random.default_rng(1).permutation(batch["summary_variables"].shape[1])
    shuffled = {k: v[:, order] if v.ndim > 2 else v for k, v in batch.items()}
    estimator = amortized.estimator
    np.testing.assert_allclose(summary(estimator, batch), summary(estimator, shuffled), atol=TOLERANCE)
    before = heads(estimator, batch)["classification"]
    np.testing.assert_allclose(before[:, order], heads(amortized.estimator, shuffled)["classification"], atol=TOLERANCE)


def test_flow_density_is_its_jacobian(known, trained):
    """log q(u) = log Normal(xi) + log |det d xi / d u|, and the inverse returns to u."""
    flow = trained(known.name)[1].estimator.inference_network
    d = known.free
    rng = np.random.default_rng(2)
    x = jnp.array(rng.normal(size=d), dtype=jnp.float32)
    width = flow.trunk.blocks[0].dense.kernel.shape[0]
    conditions = jnp.array(rng.normal(size=(1, width)), dtype=jnp.float32)

    @jax.jit
    def forward(v):
        return flow(v[None], conditions=conditions, density=True)

    z, log_density = forward(x)
    _, log_det = jnp.linalg.slogdet(jax.jit(jax.jacfwd(lambda v: forward(v)[0][0]))(x))
    expected = jax.scipy.stats.norm.logpdf(z[0]).sum() + log_det
    np.testing.assert_allclose(log_density[0], expected, atol=1e-3)
    inverse = jax.jit(lambda v: flow(v, conditions=conditions, inverse=True, density=True))
    back, log_density_back = inverse(z)
    np.testing.assert_allclose(back[0], x, atol=1e-3)
    np.testing.assert_allclose(log_density_back[0], log_density[0], atol=1e-3)


def test_the_scale_of_the_whitening_is_bounded(trained):
    """Whatever the summary, also one unlike any in training; and |b tanh(x / b) - x| <= |x|^3 / (3 b^2)."""
    estimator = trained("evidence_accumulation")[1].estimator
    flow, bound = estimator.inference_network, estimator.inference_network.recipe["bound"]
    far = 1e6 * np.random.default_rng(3).normal(size=(64, flow.trunk.blocks[0].dense.kernel.shape[0]))
    _, log_diagonal, _ = flow._affine(jnp.array(far, dtype=jnp.float32), 8)
    assert bound * (1 - 1e-6) < np.abs(log_diagonal).max() <= bound
    free = type(flow)(**{k: v for k, v in flow.recipe.items() if k != "bound"})
    free.build((1, 8), (1, far.shape[1]))
    free.set_weights(flow.get_weights())
    near = jnp.array(far / 1e6, dtype=jnp.float32)
    bounded, x = flow._affine(near, 8)[1], free._affine(near, 8)[1]
    assert np.all(np.abs(bounded - x) <= np.abs(x) ** 3 / (3 * bound**2) + 1e-6)


def test_reloaded_networks_are_identical(known, trained, tmp_path):
    """`.keras` round trip: same draws, densities and probabilities, bit by bit."""
    training, amortized = trained(known.name)
    training.estimator.save(tmp_path / "bundle.keras")
    reloaded = keras.saving.load_model(tmp_path / "bundle.keras", safe_mode=True)
    other = type(amortized)(known, reloaded, amortized.card)
    _, data, _ = simulate(known, 6, dtype=np.float32)
    ours, theirs = amortized.sample(data, 50, seed=1), other.sample(data, 50, seed=1)
    for a, b in zip(ours, theirs):
        np.testing.assert_array_equal(a, b)
    p, q = amortized.probabilities(data, ours.u), other.probabilities(data, ours.u)
    for head in p:
        np.testing.assert_array_equal(p[head], q[head])


def test_bayesflow_interface_is_inherited(trained):
    """``sample``, ``log_prob`` and ``summarize`` of BayesFlow work on the estimator and agree with ours."""
    _, amortized = trained("gaussian_hmm")
    model = amortized.model
    _, data, _ = simulate(model, 7, dtype=np.float32)
    framed = amortized.frame(data)
    conditions = {
        "summary_variables": np.asarray(pack(model, framed))[None],
        "inference_conditions": np.asarray(model.context(framed))[None],
    }
    drawn = amortized.estimator.sample(num_samples=20, conditions=conditions, seed=1)["inference_variables"][0]
    repeated = {k: np.repeat(v, 20, axis=0) for k, v in conditions.items()}
    log_q = amortized.estimator.log_prob(repeated | {"inference_variables": drawn})
    bijection = model.bijection(framed)
    np.testing.assert_allclose(amortized.log_prob(data, drawn), log_q - np.asarray(bijection.log_det(drawn)), atol=1e-3)
    summaries = np.asarray(amortized.estimator.summarize(conditions))
    np.testing.assert_allclose(summaries[0], amortized.summarize(data), atol=TOLERANCE)


def test_a_spline_whose_slopes_underflow_has_a_gradient():
    """Values outside of the spline, where its logarithms are not part of the density; elsewhere it is BayesFlow's."""
    shape = {"bins": 4, "default_domain": (-4.0, 4.0, -4.0, 4.0)}
    ours, theirs = Spline(**shape), SplineTransform(**shape)
    x = jnp.array([[-60.0, 0.3, 60.0]])

    def log_det(transform, flat):
        parameters = transform.constrain_parameters(transform.split_parameters(flat))
        return jnp.sum(transform(x, parameters)[1])

    flat = jax.random.normal(jax.random.key(1), (1, 3 * ours.params_per_dim))
    np.testing.assert_array_equal(log_det(ours, flat), log_det(theirs, flat))
    steep = flat.reshape(3, -1).at[jnp.array([0, 2]), -3:].set(-200.0).reshape(1, -1)
    assert not np.isfinite(jax.grad(functools.partial(log_det, theirs))(steep)).all()
    assert np.isfinite(jax.grad(functools.partial(log_det, ours))(steep)).all()
