"""Online training: simulate and step on the device, many steps per dispatch.

One dispatch is a jitted loop of

    key_s = fold_in(key, s);   batch ~ p(theta, z, y);   (phi, optimizer) <- step(phi, optimizer, batch)

so every simulated data set is used once and the result depends on the seed alone: a resumed training
equals an uninterrupted one, bit by bit. The loop never looks at the clock except to report speed.
A rare data set far in the tails of the flow has a finite loss whose gradient overflows: its batch changes
nothing and is counted. A loss that is not finite stops the training.
A batch is spread over all local devices.
"""

import csv
import json
import os
import signal
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from amortmix.bundle import load_bundle
from amortmix.cases import architecture
from amortmix.io import BadInput, git_commit
from amortmix.networks.estimator import build_estimator, training_example
from amortmix.particles import refined_example, weigh
from amortmix.progress import progress

WARMUP_STEPS = 500
CLIP_NORM = 5.0
ADAM_RATE = 1.5e-3  # of what Muon leaves to Adam: biases and arrays that are not matrices
HELD_OUT = 512
REPORTS = 40  # rows of the learning curve, unless the schedule says otherwise


class Training(NamedTuple):
    """What a training returns."""

    estimator: keras.Model
    history: list
    seconds: float
    datasets: int
    start: dict | None
    commit: str | None  # of the code as this process began


class TrainingDiverged(RuntimeError):
    """The loss is no longer finite; the last good checkpoint is kept."""


def _optimizer(schedule):
    """Adam, or Muon, which orthogonalizes the update of every weight matrix."""
    total = sum(steps for steps, *_ in schedule["phases"])
    warmup = min(WARMUP_STEPS, max(1, total // 10))
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=total - warmup,
        warmup_target=schedule["learning_rate"],
        warmup_steps=warmup,
    )
    if schedule.get("optimizer", "adam") == "adam":
        return keras.optimizers.Adam(rate, global_clipnorm=CLIP_NORM)
    return keras.optimizers.Muon(
        rate,
        weight_decay=None,
        adam_weight_decay=None,
        adam_lr_ratio=ADAM_RATE / schedule["learning_rate"],
        ns_steps=4,
        global_clipnorm=CLIP_NORM,
    )


def phases_of(schedule):
    """Phases as (steps, batch, particles): without a third number theta* is the only particle."""
    return [(steps, batch, *(particles or [1])) for steps, batch, *particles in schedule["phases"]]


def _plan(schedule):
    """Dispatches (steps, batch, particles): the budget in about ``reports`` pieces, no piece across two phases."""
    phases = phases_of(schedule)
    size = max(1, sum(steps for steps, *_ in phases) // schedule.get("reports", REPORTS))
    for steps, *kind in phases:
        whole, rest = divmod(steps, size)
        yield from [(n, *kind) for n in [size] * whole + [rest] * (rest > 0)]


def _spread(keys):
    """The keys of a batch spread over all local devices, where it divides: simulation and gradient follow.

    The compiler keeps the networks on every device and sums the gradients: data parallelism with the same
    global batch, so the result is that of one device within float error.
    """
    devices = jax.local_devices()
    if len(devices) == 1 or len(keys) % len(devices):
        return keys
    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
    return jax.lax.with_sharding_constraint(keys, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch")))


def _all_finite(arrays):
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(a)) for a in arrays]))


def _run_steps(estimator, simulation):
    """A jitted function (state, key, first step, n, batch, particles) -> state, mean metrics and how many were skipped.

    ``simulation`` gives for a number of particles two functions: one simulates a data set from a key, the other
    adds to a batch what depends on the networks.

    Compiled once for each batch size and number, whatever the number of steps. The key is an argument, not a
    constant: the compilation cache then serves every seed.
    """

    def one_batch(example, complete, state, keys):
        batch = complete(state, jax.vmap(example)(keys))
        metrics, trained = estimator.stateless_train_step(state, batch)
        overflow = jnp.isfinite(metrics["loss"]) & ~_all_finite(trained[0])
        state = jax.tree.map(lambda old, new: jnp.where(overflow, old, new), state, trained)
        return {**{k: jnp.where(overflow, 0.0, v) for k, v in metrics.items()}, "skipped": overflow * 1.0}, state

    def run(state, key, first, n, batch, particles):
        train_step = partial(one_batch, *simulation(particles))

        def step(s, carry):
            state, sums = carry
            metrics, state = train_step(state, _spread(jax.random.split(jax.random.fold_in(key, s), batch)))
            return state, jax.tree.map(jnp.add, sums, metrics)

        metrics = jax.eval_shape(train_step, state, jax.random.split(key, batch))[0]
        zeros = jax.tree.map(lambda m: jnp.zeros(m.shape, m.dtype), metrics)
        state, sums = jax.lax.fori_loop(first, first + n, step, (state, zeros))
        skipped = sums.pop("skipped")
        return state, {**{k: v / (n - skipped) for k, v in sums.items()}, "skipped": skipped}

    return jax.jit(run, static_argnums=(4, 5), donate_argnums=0)


def state_of(estimator):
    """Weights, other variables, optimizer and metrics, as `run` takes them."""

    def values(variables):
        return [jnp.array(v.value) for v in variables]

    return (
        values(estimator.trainable_variables),
        values(estimator.non_trainable_variables),
        values(estimator.optimizer.variables),
        values(estimator.metrics_variables),
    )


def _assign(estimator, state):
    groups = (
        estimator.trainable_variables,
        estimator.non_trainable_variables,
        estimator.optimizer.variables,
        estimator.metrics_variables,
    )
    for variables, values in zip(groups, state):
        for variable, value in zip(variables, values):
            variable.assign(value)


def _save_checkpoint(path, state, spec, done, history, seconds):
    """Write all state to a temporary file, then rename it: a kill leaves the previous checkpoint."""
    leaves = jax.tree.leaves(state)
    meta = json.dumps({"spec": spec, "done": done, "history": history, "seconds": seconds})
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "wb") as file:
        np.savez(file, meta=np.array(meta), **{f"leaf_{i}": np.asarray(x) for i, x in enumerate(leaves)})
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _load_checkpoint(path, state, spec):
    """State, dispatches done, history and seconds of a checkpoint of the same training; else None."""
    if path is None or not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            meta = json.loads(str(file["meta"]))
            if meta["spec"] != json.loads(json.dumps(spec)):
                return None
            old, tree = jax.tree.flatten(state)
            leaves = [jnp.asarray(file[f"leaf_{i}"]) for i in range(len(old))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path}: damaged checkpoint ({error}); delete it to start over") from error
    return jax.tree.unflatten(tree, leaves), meta["done"], meta["history"], meta["seconds"]


def prepare(case, prior, recipe, seed):
    """New networks, the function that trains them, the key of its simulations, and a held-out batch.

    Returns
    -------
    estimator : MixtureEstimator
        Built, with its optimizer.
    run : callable
        See `_run_steps`.
    key : jax.Array
    held_out : dict of arrays
    """
    key_init, key_held, key_train = jax.random.split(jax.random.key(seed), 3)

    def example(key):
        return training_example(case, prior, key)

    held_out = jax.jit(jax.vmap(example))(jax.random.split(key_held, HELD_OUT))
    moments = jax.jit(jax.vmap(lambda k: example(k)["inference_variables"]))(jax.random.split(key_init, 4096))
    shapes = {k: v[:1] for k, v in held_out.items()} | {"inference_variables": moments}
    estimator = build_estimator(case, recipe, shapes, seed)
    estimator.compile(optimizer=_optimizer(recipe["schedule"]))
    estimator.optimizer.build(estimator.trainable_variables)
    _check_density(case, prior, recipe["schedule"])
    proposal = {**prior, **recipe["schedule"].get("proposal", {})}
    proposal = None if proposal == dict(prior) else proposal
    simulation = partial(_simulation, case, prior, proposal, recipe["schedule"].get("misfit"), estimator)
    return estimator, _run_steps(estimator, simulation), key_train, held_out


def _simulation(case, prior, proposal, misfit, estimator, particles):
    """The two functions that `_run_steps` takes, those of `amortmix.particles` where the density is needed.

    Without draws beside theta* no data set is spoilt: theta* would be wrong.
    """
    if particles == 1 and proposal is None:
        return partial(training_example, case, prior), lambda state, batch: batch
    example = partial(refined_example, case, prior, particles, proposal, misfit if particles > 1 else None)
    return example, partial(weigh, case, prior, proposal, estimator)


def _check_density(case, prior, schedule):
    """Refuse a schedule that needs a density which the case study lacks, a proposal of another prior, or no share."""
    particles, proposal = max(number for *_, number in phases_of(schedule)), schedule.get("proposal")
    for key, value in (("particles", particles if particles > 1 else None), ("proposal", proposal)):
        if value and case.exact is None:
            raise BadInput(f"{case.name}: {key} is {value}; expected none, for want of `exact` in the case study")
    if not 0 <= (misfit := schedule.get("misfit", 0)) <= 1:
        raise BadInput(f"{case.name}: misfit is {misfit}; expected a share between 0 and 1")
    unknown = set(proposal or ()) - set(prior)
    if unknown:
        raise BadInput(f"{case.name}: proposal has {', '.join(sorted(unknown))}; expected some of {', '.join(prior)}")


def start_from(estimator, recipe, folder):
    """Give new networks the weights of a bundle with the same architecture; its card.

    Raises
    ------
    BadInput
        If the bundle is damaged or its networks are others.
    """
    _, known, card = load_bundle(folder)
    for key, value in json.loads(json.dumps(architecture(recipe))).items():
        if value != card["recipe"][key]:
            raise BadInput(f"{folder}/card.json: {key} is {card['recipe'][key]}; expected {value} to train on")
    for ours, theirs in (
        (estimator.trainable_variables, known.trainable_variables),
        (estimator.non_trainable_variables, known.non_trainable_variables),
    ):
        for variable, value in zip(ours, theirs, strict=True):
            variable.assign(value)
    return card


def train(case, prior, recipe, seed, checkpoint=None, max_steps=None, history_file=None, start=None):
    """Train the networks of a case study from simulations.

    Parameters
    ----------
    case : Case
    prior : mapping
        Hyperparameters of the prior.
    recipe : mapping
        One preset's entry of ``case.networks``. Its ``schedule`` has ``phases``, each [steps, batch size] or, with the
        known density, [steps, batch size, particles]; ``learning_rate``, the peak of a cosine; and maybe ``optimizer``
        ("adam" or "muon"), ``proposal`` and ``misfit`` (see `amortmix.particles`; the latter acts in phases with
        particles), and ``reports``, the rows of the learning curve.
    seed : int
        Decides initial weights and every simulated data set.
    checkpoint : Path, optional
        Written after each dispatch; a training with the same settings continues from it.
    max_steps : int, optional
        Stop after about so many steps, for dry runs of large recipes.
    history_file : Path, optional
        Learning curve as CSV, written as training runs.
    start : Path, optional
        Folder of a bundle whose weights the networks start from.

    Raises
    ------
    TrainingDiverged
        If the loss is not finite.
    BadInput
        If the checkpoint or the bundle to start from is damaged or another's.
    """
    spec, commit = {"case": case.name, "prior": prior, "recipe": recipe, "seed": seed}, git_commit()
    estimator, run, key_train, held_out = prepare(case, prior, recipe, seed)
    if start is not None:
        start = start_from(estimator, recipe, start)
        spec["start"] = start["sha256"]
        key_train = jax.random.fold_in(key_train, start["data_sets"])  # simulations that those networks have not seen
    evaluate = jax.jit(lambda state, data: estimator.stateless_test_step(state, data)[0])
    plan = list(_plan(recipe["schedule"]))
    state, history, seconds = state_of(estimator), [], 0.0
    resumed = _load_checkpoint(checkpoint, state, spec)
    done = 0
    if resumed:
        state, done, history, seconds = resumed

    datasets = sum(n * b for n, b, _ in plan)
    bar = progress(datasets, f"training {case.name}", unit="data sets", done=sum(n * b for n, b, _ in plan[:done]))
    for index in range(done, len(plan)):
        n, batch, particles = plan[index]
        first = sum(m for m, *_ in plan[:index])
        if max_steps is not None and first >= max_steps:
            break
        n = n if max_steps is None else min(n, max_steps - first)
        began = time.perf_counter()
        with _no_interrupts():
            state, metrics = run(state, key_train, first, n, batch, particles)
            validation = evaluate((state[0], state[1], state[3]), held_out)
            row = {"step": first + n, "batch": batch, **_floats(metrics, ""), **_floats(validation, "validation_")}
        seconds += time.perf_counter() - began
        # where all batches of a piece were left out there is no loss, and the networks are as before
        if not np.isfinite(row["loss"]) and row["skipped"] < n:
            raise TrainingDiverged(
                f"{case.name}: the loss is {row['loss']} after step {first + n}; "
                f"the last good state is in {checkpoint or 'memory only'}"
            )
        history.append(row)
        if checkpoint is not None:
            _save_checkpoint(checkpoint, state, spec, index + 1, history, seconds)
        if history_file is not None:
            write_history(history_file, history)
        bar.advance(n * batch, f"loss {row['validation_loss']:.3f}")
    bar.close()
    _assign(estimator, state)
    return Training(estimator, history, seconds, datasets, start, commit)


class _no_interrupts:
    """Hold Ctrl-C back until a dispatch is complete, so that state and checkpoint agree."""

    def __enter__(self):
        self.pending = False
        try:
            self.old = signal.signal(signal.SIGINT, self._note)
        except ValueError:  # not the main thread: nobody can press Ctrl-C here
            self.old = None
        return self

    def _note(self, *_):
        self.pending = True

    def __exit__(self, *_):
        if self.old is not None:
            signal.signal(signal.SIGINT, self.old)
        if self.pending:
            raise KeyboardInterrupt


def _floats(metrics, prefix):
    return {prefix + k: float(v) for k, v in metrics.items()}


def write_history(path, history):
    """Learning curve as CSV, replaced atomically."""
    temporary = Path(f"{path}.part")
    with open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
    os.replace(temporary, path)
