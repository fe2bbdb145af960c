"""The training loop: resumes bit by bit, stops on NaN, compiles once, and runs the paper's networks."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from conftest import smoke_recipe

import amortmix.networks.estimator as estimator_module
from amortmix.model import registry
from amortmix.storage import files as io
from amortmix.storage.bundle import load_bundle, save_bundle
from amortmix.training import checkpoint as checkpoints
from amortmix.training import loop, step
from amortmix.training.loop import TrainingDiverged, train
from amortmix.training.phases import phases_of, with_steps
from amortmix.training.recipes import default_recipe
from amortmix.training.schedule import Annealing, plan_of
from amortmix_paper.run import preset_recipes


def weights(training):
    return [np.asarray(v.value) for v in training.estimator.trainable_variables]


def short(model, steps, **options):
    """The smoke recipe with a report after every step, and a flow that compiles soon."""
    schedule = {"phases": [[steps, 16]], "learning_rate": 2e-3} | options
    recipe = smoke_recipe(model)
    return recipe | {"flow": recipe["flow"] | {"depth": 1}, "schedule": schedule}


PROPOSAL = {"proposal": {"mu_scale": 2.0}}


@pytest.mark.parametrize(
    "options",
    [{}, {"phases": [[5, 16], [15, 16, 4]], "learning_rate": 1e-4, "optimizer": "muon", **PROPOSAL}],
)
def test_resumed_equals_uninterrupted(options, tmp_path):
    """Network, optimizer, schedule and random key: a training stopped half-way ends in the same weights."""
    model = registry.find("gaussian_mixture")
    recipe = short(model, 20, **options)
    checkpoint = tmp_path / "checkpoint.npz"
    half = train(model, recipe, seed=3, checkpoint=checkpoint, max_steps=9)
    resumed = train(model, recipe, seed=3, checkpoint=checkpoint)
    assert resumed.cpu_seconds > half.cpu_seconds > 0
    straight = train(model, recipe, seed=3)
    assert resumed.history == straight.history
    for a, b in zip(weights(resumed), weights(straight)):
        np.testing.assert_array_equal(a, b)
    # another seed does not continue from it
    other = train(model, recipe, seed=4, checkpoint=checkpoint, max_steps=1)
    assert other.history[0]["step"] == 1 and other.history[0]["loss"] != straight.history[0]["loss"]


def test_a_training_goes_on_from_other_networks(tmp_path):
    """It starts with their loss and counts what they cost; another architecture is refused by name."""
    model = registry.find("gaussian_mixture")
    first = train(model, smoke_recipe(model), seed=1, max_steps=20)
    last = first.history[-1]["validation_posterior"]
    save_bundle(tmp_path, first, seed=1)
    recipe = smoke_recipe(model) | {"schedule": {"phases": [[2, 32]], "learning_rate": 1e-9}}
    second = train(model, recipe, seed=1, start=load_bundle(tmp_path))
    assert abs(second.history[0]["validation_posterior"] - last) < 1e-4
    before = io.read_json(tmp_path / "card.json")
    save_bundle(tmp_path / "second", second, seed=1)
    after = io.read_json(tmp_path / "second" / "card.json")
    assert after["data_sets"] == before["data_sets"] + 64 and after["started_from"] == before["sha256"]
    assert after["cpu_seconds"] == before["cpu_seconds"] + second.cpu_seconds
    # networks that have seen fewer data sets go on with other simulations; what they cost may not be known
    unknown = {k: v for k, v in before.items() if k != "cpu_seconds"}
    (tmp_path / "card.json").write_text(json.dumps(unknown | {"data_sets": 0}))
    third = train(model, recipe, seed=1, start=load_bundle(tmp_path))
    save_bundle(tmp_path / "third", third, seed=1)
    assert io.read_json(tmp_path / "third" / "card.json")["cpu_seconds"] is None
    assert abs(third.history[0]["validation_posterior"] - last) < 1e-4
    assert abs(third.history[0]["loss"] - second.history[0]["loss"]) > 1e-4
    other = recipe | {"flow": recipe["flow"] | {"depth": 3}}
    with pytest.raises(io.BadInput, match=r"card\.json: flow is .*'depth': 2.*; expected .*'depth': 3"):
        train(model, other, seed=1, start=load_bundle(tmp_path))


def test_damaged_checkpoint_is_named(tmp_path):
    checkpoint = tmp_path / "checkpoint.npz"
    checkpoint.write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(ValueError, match=r"checkpoint\.npz: damaged checkpoint"):
        checkpoints.load_checkpoint(checkpoint, (), {})


def test_nan_stops_training_and_keeps_the_last_good_state(tmp_path, monkeypatch):
    model = registry.find("gaussian_mixture")
    checkpoint = tmp_path / "checkpoint.npz"
    recipe = short(model, 20)
    good = train(model, recipe, seed=1, checkpoint=checkpoint, max_steps=5)
    before = checkpoint.read_bytes()

    def broken(self, **data):
        return {key: jnp.nan * value for key, value in original(self, **data).items()}

    original = estimator_module.MixtureEstimator.compute_metrics
    monkeypatch.setattr(estimator_module.MixtureEstimator, "compute_metrics", broken)
    with pytest.raises(TrainingDiverged, match="the loss is nan after step 6"):
        train(model, recipe, seed=1, checkpoint=checkpoint)
    assert checkpoint.read_bytes() == before and np.isfinite(good.history[-1]["loss"])


def test_cpu_seconds_that_a_checkpoint_does_not_have_are_not_known(tmp_path):
    checkpoint, state, spec = tmp_path / "checkpoint.npz", {"weights": jnp.ones(2)}, {"seed": 1}
    checkpoints.save_checkpoint(checkpoint, state, spec, 3, [], 5.0, 4.0)
    assert checkpoints.load_checkpoint(checkpoint, state, spec)[1:] == (3, [], 5.0, 4.0)
    meta = json.dumps({"spec": spec, "done": 3, "history": [], "seconds": 5.0})
    np.savez(checkpoint, meta=np.array(meta), leaf_0=np.ones(2))
    assert np.isnan(checkpoints.load_checkpoint(checkpoint, state, spec)[-1])


class _Overflowing:
    """Adds the mean of a batch to its only weight; above one half the step overflows, though the loss does not."""

    def stateless_train_step(self, state, data):
        weights, *rest = state
        mean = data["x"].mean()
        step = jnp.where(mean > 0.5, jnp.inf, mean)
        return {"loss": mean}, ([weights[0] + step], *rest)


def test_a_batch_whose_gradient_overflows_changes_nothing_and_is_counted():
    key, steps, batch = jax.random.key(4), 30, 4
    run = step.run_steps(
        _Overflowing(), lambda *_: (lambda k: {"x": jax.random.uniform(k)}, lambda state, batch: batch)
    )
    state, metrics = run(([jnp.zeros(())], [], [], []), key, 0, steps, steps, batch, 1)
    means = [
        jax.vmap(jax.random.uniform)(jax.random.split(jax.random.fold_in(key, s), batch)).mean() for s in range(steps)
    ]
    kept = [m for m in means if m <= 0.5]
    assert 0 < len(kept) < steps
    assert metrics["skipped"] == steps - len(kept)
    np.testing.assert_allclose(state[0][0], sum(kept), rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], np.mean(kept), rtol=1e-5)


def test_a_piece_without_any_batch_does_not_stop_the_training(monkeypatch):
    """Every gradient overflows: no loss to report, and the networks are as before; only a loss ends a training."""
    model = registry.find("gaussian_mixture")
    recipe = short(model, 3)

    def overflow(self, state, data):
        metrics, trained = original(self, state, data)
        return metrics, ([jnp.full_like(w, jnp.inf) for w in trained[0]], *trained[1:])

    original = estimator_module.MixtureEstimator.stateless_train_step
    monkeypatch.setattr(estimator_module.MixtureEstimator, "stateless_train_step", overflow)
    history = train(model, recipe, seed=1).history
    assert [row["skipped"] for row in history] == [1, 1, 1] and all(np.isnan(row["loss"]) for row in history)
    assert len({row["validation_loss"] for row in history}) == 1


def test_one_compilation_for_all_designs():
    """N and P vary in every batch, and pieces have a rest, yet the step compiles once per batch size."""
    model = registry.find("gaussian_mixture")
    compiled = []
    original = loop.run_steps

    def counting(*arguments):
        run = original(*arguments)
        compiled.append(run)
        return run

    loop.run_steps = counting
    try:
        recipe = short(model, 20)
        recipe["schedule"]["reports"] = 3  # pieces of 6, 6, 6 and 2 steps
        train(model, recipe, seed=1)
    finally:
        loop.run_steps = original
    assert compiled[0]._cache_size() == 1


DEVICES = """
import os, sys
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={sys.argv[1]}"
import amortmix, jax
from amortmix.model import registry
from amortmix_paper.job import cache_compilations
cache_compilations()
from amortmix.training.loop import train
from amortmix.training.recipes import default_recipe
model = registry.find("gaussian_mixture")
recipe = default_recipe(model, smoke=True) | {"schedule": {"phases": [[4, 16]], "learning_rate": 2e-3}}
recipe["flow"] = recipe["flow"] | {"depth": 1}  # what is compiled for each number of devices is small
history = train(model, recipe, seed=1).history
print(len(jax.local_devices()), *[row["loss"] for row in history])
"""


def test_two_devices_train_as_one():
    """Two forced host devices: the losses of one device for the same global batch, within float error."""
    found = {}
    for n in (1, 2):
        command, compiled_soon = [sys.executable, "-c", DEVICES, str(n)], {"JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}
        done = subprocess.run(command, env=os.environ | compiled_soon, capture_output=True, text=True, check=True)
        devices, *losses = done.stdout.splitlines()[-1].split()
        assert int(devices) == n
        found[n] = np.array(losses, dtype=float)
    np.testing.assert_allclose(found[1], found[2], rtol=1e-4)


def test_plan_covers_the_budget():
    for phases in ([[200, 32]], [[7, 8], [3, 16]], [[10_001, 32], [99, 64]], [[100, 32], [50, 32, 16]]):
        plan = list(plan_of({"phases": phases}))
        for phase in phases_of({"phases": phases}):
            alike = [p.steps for p in plan if p._replace(steps=phase.steps) == phase]
            assert sum(alike) == phase.steps, phases
        assert len(set(plan)) <= 2 * len(phases)


def test_phases_keep_their_shares_of_a_shorter_training():
    recipe = {"schedule": {"phases": [[300, 32], [100, 96, 16], [1, 8]], "optimizer": "muon"}}
    found = with_steps(recipe, 40)["schedule"]
    assert found == {"phases": [[30, 32], [10, 96, 16], [1, 8]], "optimizer": "muon"}
    assert with_steps(recipe, 401) == recipe


@pytest.mark.parametrize("name", ["gaussian_mixture", "gaussian_hmm", "evidence_accumulation"])
def test_paper_networks_have_a_loss_and_take_a_step(name):
    """The architecture of the paper preset, with two of its fourteen layers of splines, which take minutes to compile.

    Of case study 2 steps are taken and change the weights; of the others they are traced, with their gradient.
    """
    recipe = preset_recipes("paper")[name]
    recipe = recipe | {"flow": recipe["flow"] | {"depth": 2}}
    estimator, run, key, held_out = loop.prepare(registry.find(name), recipe, seed=1)
    state = step.state_of(estimator)
    few = {k: v[:4] for k, v in held_out.items()}
    metrics, _ = jax.jit(estimator.stateless_test_step)((state[0], state[1], state[3]), few)
    assert np.isfinite(metrics["loss"])
    after, _ = jax.eval_shape(lambda s: run(s, key, 0, 1, 2, 4, 1), state)
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)
    if name == "gaussian_hmm":
        before = [np.array(a) for a in state[0]]
        after, found = run(state, key, 0, 3, 3, 4, 1)
        assert np.isfinite(found["loss"]) and found["skipped"] == 0
        assert all(np.any(a != b) for a, b in zip(before, after[0]) if a.ndim > 1)


def test_same_seed_same_simulations(model):
    draw = jax.jit(model.simulate_dataset)
    first, again = draw(jax.random.key(5)), draw(jax.random.key(5))
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again)):
        np.testing.assert_array_equal(a, b)


def test_the_rate_is_keras_warm_up_and_cosine():
    """Keras' own schedule is the oracle, at every step and for several budgets."""
    for total in (20, 3000, 30_000):
        warmup = min(500, max(1, total // 10))
        oracle = keras.optimizers.schedules.CosineDecay(0.0, total - warmup, warmup_target=3e-3, warmup_steps=warmup)
        steps = np.unique(np.linspace(0, total, 200).astype(int))
        found = [float(Annealing(3e-3, total)(s)) for s in steps]
        np.testing.assert_allclose(found, [float(oracle(s)) for s in steps], rtol=1e-4, atol=1e-9)


def test_a_budget_of_minutes_is_a_number_of_steps_that_is_recorded():
    """The recipe that comes back trains the same networks without a clock."""
    model = registry.find("gaussian_mixture")
    recipe = default_recipe(model, smoke=True)
    timed = train(model, recipe, seed=1, minutes=0.001)
    phases = timed.recipe["schedule"]["phases"]
    assert [p[1:] for p in phases] == [p[1:] for p in recipe["schedule"]["phases"]] and phases[0][0] >= 1
    again = train(model, timed.recipe, seed=1)
    assert again.history == timed.history


def test_the_default_recipe_fits_every_model(model):
    """Networks of both sizes build, and the schedule uses the density where there is one."""
    recipe = default_recipe(model)
    schedule = recipe["schedule"]
    assert (len(schedule["phases"][-1]) == 3) == model.has_density
    assert recipe["classifier"]["kind"] == ("emission" if model.dependent else "unit")
