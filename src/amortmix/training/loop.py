"""Online training: new networks, a plan of dispatches (`amortmix.training.step`), checkpoints and a learning curve.

Every simulated data set is used once and the result depends on the seed and the number of steps alone: a resumed
training equals an uninterrupted one, bit by bit. The clock decides nothing but, where a budget of minutes is given,
that number, which is recorded. A loss that is not finite stops the training.
"""

import signal
import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from amortmix.model.identity import fingerprint
from amortmix.networks.build import build_estimator
from amortmix.networks.estimator import training_example
from amortmix.progress import progress
from amortmix.storage.files import BadInput, git_commit, plain
from amortmix.training import schedule as schedules
from amortmix.training.checkpoint import load_checkpoint, save_checkpoint, write_history
from amortmix.training.density import with_density
from amortmix.training.phases import phases_of, with_steps
from amortmix.training.recipes import designed
from amortmix.training.start import start_from
from amortmix.training.step import TURN, assign, in_turn, run_steps, simulation_of, state_of, turns_of

HELD_OUT = 512  # data sets of the held-out curves
MOMENTS = 4096  # data sets from which u is standardized
TRIAL_STEPS = 20  # by which a budget of minutes becomes a number of steps


class Training(NamedTuple):
    """What a training returns.

    Attributes
    ----------
    estimator : MixtureEstimator
    recipe : dict
        As it was carried out: a budget of minutes has become numbers of steps.
    history : list of dict
        The learning curve.
    seconds : float
        By the clock, of the steps alone.
    cpu_seconds : float
        Of the process, everything included; NaN where a checkpoint does not say what came before it.
    datasets : int
    start : dict or None
        Card of the networks that it started from.
    commit : str or None
        Of the code as the process began.
    model : Model
        With the design of the recipe.
    """

    estimator: keras.Model
    recipe: dict
    history: list
    seconds: float
    cpu_seconds: float
    datasets: int
    start: dict | None
    commit: str | None
    model: Any


class TrainingDiverged(RuntimeError):
    """The loss is no longer finite; the last good checkpoint is kept."""


def prepare(model, recipe, seed):
    """New networks, the function that trains them, the key of its simulations, and a held-out batch.

    Returns
    -------
    estimator : MixtureEstimator
        Built, with its optimizer.
    run : callable
        See `run_steps`.
    key : jax.Array
    held_out : dict of arrays
    """
    schedule, model = recipe["schedule"], designed(model, recipe)
    schedules.check(model, schedule)
    key_init, key_held, key_train = jax.random.split(jax.random.key(seed), 3)
    example = partial(training_example, model)
    held_out = jax.jit(jax.vmap(example))(jax.random.split(key_held, HELD_OUT))
    moments = jax.jit(jax.vmap(lambda k: example(k)["inference_variables"]))(jax.random.split(key_init, MOMENTS))
    _check_finite(model, moments, held_out)
    shapes = {k: v[:1] for k, v in held_out.items()} | {"inference_variables": moments}
    estimator = build_estimator(model, recipe, shapes, seed)
    estimator.compile(optimizer=schedules.optimizer_of(schedule))
    estimator.optimizer.build(estimator.trainable_variables)
    known = plain(model.hyperparameters)
    proposal = {k: v for k, v in schedule.get("proposal", {}).items() if plain(v) != known[k]} or None
    simulation = partial(simulation_of, model, proposal, schedule.get("misfit"), estimator)
    return estimator, run_steps(estimator, simulation), key_train, held_out


def _check_finite(model, u, held_out):
    """Refuse a model whose simulations the networks cannot take, before any time is spent on it."""
    if not np.all(np.isfinite(u)):
        name = model.parameter_names[model.free_columns[int(np.argmin(np.all(np.isfinite(u), axis=0)))]]
        raise BadInput(
            f"{model.name}: draws of {name} from the prior are not finite or lie on the edge of their support"
        )
    for key in ("summary_variables", "inference_conditions", "classifier_conditions"):
        if not np.all(np.isfinite(held_out[key])):
            raise BadInput(f"{model.name}: simulated data sets give values that are not finite ({key}); see am.check")


def fit_to_budget(run, state, key, recipe, seconds, design):
    """The recipe with as many steps as fit into a time, its phases keeping their shares of the steps.

    The speed is measured on a copy of the networks, so what is trained depends on the number of steps alone.

    Parameters
    ----------
    seconds : float
        Compilation included.
    design : Design
        Each of its frames is a program of its own.
    """
    began, phases = time.perf_counter(), phases_of(recipe["schedule"])
    total = sum(p.steps for p in phases)
    per_step = 0.0
    for phase in phases:
        for place in turns_of(design):
            for _ in range(2):  # the first call compiles
                started = time.perf_counter()
                copy = jax.tree.map(jnp.copy, state)
                jax.block_until_ready(run(copy, key, 0, TRIAL_STEPS, total, phase.batch, phase.particles, place))
                spent = time.perf_counter() - started
            per_step += phase.steps / total * spent / TRIAL_STEPS / len(design.frames)
    spent = time.perf_counter() - began
    steps = max(len(phases), (seconds - spent) / per_step)
    kept = "; what is compiled is kept, the same command goes on with it" if spent > seconds / 2 else ""
    print(f"compiled in {spent:.0f} s; {steps:,.0f} steps fit into the rest of the budget{kept}", flush=True)
    return with_steps(recipe, steps)


def train(
    model,
    recipe,
    seed,
    checkpoint=None,
    max_steps=None,
    history_file=None,
    start=None,
    minutes=None,
    on_recipe=None,
):
    """Train the networks of a model from simulations.

    Parameters
    ----------
    model : Model
        Bound to its prior.
    recipe : mapping
        Networks, maybe ``design`` (`amortmix.training.recipes.designed`) and ``density``
        (`amortmix.training.density.with_density`), and ``schedule``, which has ``phases``
        (`amortmix.training.schedule`); ``learning_rate``, the peak of a cosine; and maybe ``optimizer`` ("adam" or
        "muon"), ``proposal`` and ``misfit`` (`amortmix.training.importance`; the latter acts in phases with
        particles), and ``reports``, the rows of the learning curve.
    seed : int
        Decides initial weights and every simulated data set.
    checkpoint : Path, optional
        Written after each dispatch; a training with the same settings continues from it.
    max_steps : int, optional
        Stop after about so many steps, for dry runs of large recipes.
    history_file : Path, optional
        Learning curve as CSV, written as training runs.
    start : Bundle, optional
        Networks whose weights these start from.
    minutes : float, optional
        As many steps as fit into this time, compilation included, in the proportions of the phases.
    on_recipe : callable, optional
        Called with the recipe once its numbers of steps are known.

    Raises
    ------
    TrainingDiverged
        If the loss is not finite.
    BadInput
        If the schedule does not go with the model, or the checkpoint or bundle is damaged or another's.
    """
    commit, began, cpu_began = git_commit(), time.perf_counter(), time.process_time()
    model = with_density(designed(model, recipe), recipe, seed)
    estimator, run, key_train, held_out = prepare(model, recipe, seed)
    if minutes is not None:
        left = 60 * minutes - (time.perf_counter() - began)
        recipe = fit_to_budget(run, state_of(estimator), key_train, recipe, left, model.design)
    if on_recipe is not None:
        on_recipe(recipe)
    spec = {"model": model.name, "fingerprint": fingerprint(model), "recipe": recipe, "seed": seed}
    card = None
    if start is not None:
        card = start_from(estimator, recipe, start)
        spec["start"] = card["sha256"]
        key_train = jax.random.fold_in(key_train, card["data_sets"])  # simulations that those networks have not seen
    evaluate = jax.jit(lambda state, data: estimator.stateless_test_step(state, data)[0])
    frames = len(model.design.frames)
    plan = list(schedules.plan_of(recipe["schedule"], 1 if frames == 1 else TURN * frames))
    total = sum(p.steps for p in plan)
    state, history, seconds, cpu_before, done = state_of(estimator), [], 0.0, 0.0, 0
    if resumed := load_checkpoint(checkpoint, state, spec):
        state, done, history, seconds, cpu_before = resumed

    datasets = sum(p.data_sets for p in plan)
    seen = sum(p.data_sets for p in plan[:done])
    bar = progress(datasets, f"training {model.name}", unit="data sets", done=seen)
    for index in range(done, len(plan)):
        n, batch, particles = plan[index]
        first = sum(p.steps for p in plan[:index])
        if max_steps is not None and first >= max_steps:
            break
        n = n if max_steps is None else min(n, max_steps - first)
        started = time.perf_counter()
        with _no_interrupts():
            state, metrics = in_turn(run, turns_of(model.design), state, key_train, first, n, total, batch, particles)
            validation = evaluate((state[0], state[1], state[3]), held_out)
            row = {"step": first + n, "batch": batch, **_floats(metrics, ""), **_floats(validation, "validation_")}
        seconds += time.perf_counter() - started
        # where all batches of a piece were left out there is no loss, and the networks are as before
        if not np.isfinite(row["loss"]) and row["skipped"] < n:
            raise TrainingDiverged(
                f"{model.name}: the loss is {row['loss']} after step {first + n}; "
                f"the last good state is in {checkpoint or 'memory only'}"
            )
        history.append(row)
        cpu_seconds = cpu_before + time.process_time() - cpu_began
        if checkpoint is not None:
            save_checkpoint(checkpoint, state, spec, index + 1, history, seconds, cpu_seconds)
        if history_file is not None:
            write_history(history_file, history)
        bar.advance(n * batch, f"loss {row['validation_loss']:.3f}")
    bar.close()
    assign(estimator, state)
    cpu_seconds = cpu_before + time.process_time() - cpu_began
    return Training(estimator, recipe, history, seconds, cpu_seconds, datasets, card, commit, model)


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
