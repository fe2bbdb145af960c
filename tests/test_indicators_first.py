"""Networks that begin with the indicators (eqs. 22 and 23): what they may see, how they are kept, and the benchmark."""

from functools import cache, partial
from types import SimpleNamespace

import factorization
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import smoke_recipe

from amortmix.diagnostics.validation import simulate_held_out
from amortmix.inference import indicators_first
from amortmix.model import registry
from amortmix.model.data import as_numpy
from amortmix.networks.build import build_estimator
from amortmix.networks.estimator import as_example, training_example
from amortmix.storage.files import BadInput
from amortmix.training.loop import train
from amortmix_paper.factorization import QUANTITIES

MODEL = registry.find("gaussian_mixture")
#: Roundings of 32 bits that sums in another order may differ by.
ROUNDINGS = 8 * float(np.finfo(np.float32).eps)


def recipe(model=MODEL):
    """Small networks whose flow compiles soon."""
    small = smoke_recipe(model)
    return factorization.recipe_of("indicators first", small, [[2, 16]]) | {"flow": small["flow"] | {"depth": 1}}


@cache
def built():
    examples = jax.jit(jax.vmap(lambda key: training_example(MODEL, key)))(jax.random.split(jax.random.key(1), 64))
    return build_estimator(MODEL, recipe(), examples, seed=1)


@cache
def simulated(seed=2):
    theta, data, z = jax.jit(MODEL.simulate_dataset)(jax.random.key(seed))
    return np.asarray(theta), as_numpy(data), np.array(z)


#: As precise as any run: sums of exchangeable units differ by their order.
pytestmark = pytest.mark.usefixtures("optimized")


@cache
def compiled():
    estimator = built()
    return SimpleNamespace(
        marginal=jax.jit(lambda d: indicators_first.indicator_log_probs(MODEL, estimator, d)),
        told=jax.jit(lambda d, z: indicators_first._conditions(MODEL, estimator, d, z)),
        draw=jax.jit(lambda d, z, noise: indicators_first.parameters_given(MODEL, estimator, d, z, noise)),
        density=jax.jit(lambda d, z, u: indicators_first.log_density_given(MODEL, estimator, d, z, u)),
        metrics=jax.jit(lambda batch: estimator.compute_metrics(**batch, stage="validation")),
    )


def same(found, right):
    """Rows of log probabilities but for roundings.

    A row is logits minus one log-sum-exp, so each entry has roundings of the largest logit, however near zero it is.
    """
    atol = 2e-5 + ROUNDINGS * np.abs(right).max(-1, keepdims=True)
    assert (np.abs(found - right) <= atol).all(), np.max(np.abs(found - right) / atol)


def test_padding_leaves_no_trace_in_either_summary():
    """Other observations and other indicators in places where there is no unit change nothing."""
    _, data, z = simulated()
    padding = data.mask == 0
    other = data._replace(y=np.where(padding[..., None], data.y + 1.7, data.y))
    elsewhere = np.where(data.observed > 0, z, (z + 1) % 3)
    n, run = int(data.observed.sum()), compiled()
    assert n < len(z) and (elsewhere != z).any()
    np.testing.assert_allclose(run.told(data, z[None]), run.told(other, elsewhere[None]), atol=2e-5, rtol=ROUNDINGS)
    same(run.marginal(data)[:n], run.marginal(other)[:n])


def test_units_are_exchangeable_with_their_indicators_and_not_without():
    """h_xi is a function of the set of pairs {y_i, z_i}; which indicator belongs to which unit matters."""
    _, data, z = simulated()
    n, run = int(data.observed.sum()), compiled()
    order = np.arange(len(z))
    order[:n] = np.random.default_rng(3).permutation(n)
    moved, told = data._replace(y=data.y[order], mask=data.mask[order]), run.told(data, z[None])
    np.testing.assert_allclose(run.told(moved, z[order][None]), told, atol=2e-5, rtol=ROUNDINGS)
    assert np.abs(run.told(moved, z[None]) - told).max() > 1e-3
    same(run.marginal(moved)[:n], run.marginal(data)[order[:n]])


def test_the_indicators_are_judged_without_the_parameters():
    """Eq. 22 knows the data alone: another theta leaves the cross-entropy as it is, and eq. 23's loss is of theta."""
    theta, data, z = simulated()

    def batch(theta):
        return {k: jnp.asarray(v)[None] for k, v in {**as_example(MODEL, theta, data), "states": z}.items()}

    elsewhere = np.concatenate([np.roll(theta[:3], 1), [-2.0, 0.0, 2.0]]).astype(np.float32)
    ours, other = (compiled().metrics(batch(t)) for t in (theta, elsewhere))
    np.testing.assert_allclose(ours["classification"], other["classification"], rtol=1e-6)
    assert abs(ours["posterior"] - other["posterior"]) > 1e-3
    own = compiled().marginal(data)[np.arange(len(z)), z][data.observed > 0]
    np.testing.assert_allclose(ours["classification"], -own.mean(), rtol=1e-4)


def test_draws_have_the_density_that_comes_with_them():
    """And -log q(theta | z, y) at the truth is the loss of eq. 23, but for the scale and Jacobian of u."""
    theta, data, z = simulated()
    many = np.repeat(z[None], 5, axis=0)
    found, u, log_q = compiled().draw(data, many, jax.random.normal(jax.random.key(4), (5, MODEL.free)))
    assert (np.diff(found[:, 3:]) > 0).all() and np.allclose(found[:, :3].sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(compiled().density(data, many, u), log_q, atol=1e-3)
    batch = {k: jnp.asarray(v)[None] for k, v in {**as_example(MODEL, theta, data), "states": z}.items()}
    bijection = MODEL.bijection(data)
    truth = bijection.inverse(theta)[None]
    constant = jnp.log(built().moments()[1]).sum() + bijection.log_det(truth)[0]
    loss = -compiled().density(data, z[None], truth)[0] - constant
    np.testing.assert_allclose(compiled().metrics(batch)["posterior"], loss, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "changes"), [("gaussian_hmm", {}), ("gaussian_mixture", {"design": {"holes": 0.2, "padding": None}})]
)
def test_other_models_are_refused(name, changes):
    """Chains, and data sets with missing units, whose indicators h_xi would not see."""
    model = registry.find(name)
    if changes:
        model = model.changed(design=model.design._replace(**changes["design"]))
    with pytest.raises(BadInput, match=f"{name}: a labelled_summary; expected none"):
        build_estimator(model, recipe(model), {}, seed=1)


def test_particles_are_refused():
    with pytest.raises(BadInput, match="a schedule with particles; expected none"):
        built().particles(None, None, None, None)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """What the loop trained in two steps, and how `factorization.networks` finds it again: estimator, cost, folder."""
    folder, trained = tmp_path_factory.mktemp("indicators_first"), []

    def noted(*arguments):
        trained.append(train(*arguments))
        return trained[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factorization, "train", noted)
        found = [factorization.networks("indicators first", recipe(), folder) for _ in range(2)]
    assert len(trained) == 1 and found[0][1] == found[1][1]
    return trained[0], *found[1]


def test_the_same_loop_trains_them_and_files_keep_them(kept):
    """Loaded networks answer as the trained ones, and are not trained twice."""
    training, loaded, cost = kept
    last = training.history[-1]
    assert np.isfinite(last["loss"]) and last["step"] == 2 and cost["data sets"] == 32
    for a, b in zip(training.estimator.trainable_variables, loaded.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)
    found = [
        jax.jit(partial(indicators_first.indicator_log_probs, MODEL, estimator))(simulated()[1])
        for estimator in (training.estimator, loaded)
    ]
    np.testing.assert_array_equal(*found)


def test_every_table_of_the_benchmark_is_made(kept, trained, monkeypatch):
    """Two data sets, the remedies on one; hardly trained networks stand for all that there are."""
    amortized, estimator = trained(MODEL.name)[1], kept[1]
    monkeypatch.setattr(factorization, "PASSES", (1, 2))
    monkeypatch.setattr(factorization, "BLOCKS", (1, 4))
    nets = factorization.Networks(MODEL, amortized.estimator, estimator)
    held_out = simulate_held_out(MODEL, 2, seed=5)
    tables = factorization.measure(nets, amortized, held_out, factorization.Sizes(2, 1, 6), seed=5)
    assert {name: len(rows) for name, rows in tables.items()} == {
        "factorization": 2,
        "ranks": 2 * 4 + 2,
        "distances": 2 * 4 + 2 * 2,
        "blocks": 2,
    }
    ranks = tables["ranks"][list(QUANTITIES)]
    assert ranks.notna().all(axis=None) and ranks.min(axis=None) >= 0 and ranks.max(axis=None) <= 6
    assert (tables["factorization"]["indicators_22"] >= 0).all()
    seconds = factorization.sampling_seconds(nets, simulated()[1], 6)
    assert set(seconds) == {"parameters first", "indicators first", "Gibbs pass"}
    assert 0 <= factorization.unit_calibration(nets, held_out)["calibration error of eq. 22"] <= 1
