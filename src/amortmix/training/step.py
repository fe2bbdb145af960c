"""The compiled part of a training: simulate a batch, complete it, take a gradient step, many times per dispatch.

    key_s = fold_in(key, s);   batch ~ p(theta, z, y);   (phi, optimizer) <- step(phi, optimizer, batch)

A rare data set far in the tails of the flow has a finite loss whose gradient overflows: its batch changes nothing and
is counted. A batch is spread over all local devices.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.networks.estimator import training_example
from amortmix.training.importance import refined_example, weigh
from amortmix.training.schedule import Annealing

TURN = 25  # steps in one frame before the next has its turn


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


def run_steps(estimator, simulation):
    """A jitted function (state, key, first step, n, total, batch, particles, place) -> state, mean metrics.

    The metrics count batches that were left out as ``skipped``.

    ``simulation`` gives for a number of particles and the place of a frame two functions: one simulates a data set
    from a key, the other adds to a batch what depends on the networks.

    Compiled once for each batch size, number and place, whatever the number of steps and their total. The key is an
    argument, not a constant: the compilation cache then serves every seed.
    """
    rate = getattr(getattr(estimator, "optimizer", None), "_learning_rate", None)

    def one_batch(example, complete, state, keys):
        batch = complete(state, jax.vmap(example)(keys))
        metrics, trained = estimator.stateless_train_step(state, batch)
        overflow = jnp.isfinite(metrics["loss"]) & ~_all_finite(trained[0])
        state = jax.tree.map(lambda old, new: jnp.where(overflow, old, new), state, trained)
        return {**{k: jnp.where(overflow, 0.0, v) for k, v in metrics.items()}, "skipped": overflow * 1.0}, state

    def run(state, key, first, n, total, batch, particles, place=None):
        if isinstance(rate, Annealing):
            rate.total = total  # traced with the step that reads it
        train_step = partial(one_batch, *simulation(particles, place))

        def step(s, carry):
            state, sums = carry
            metrics, state = train_step(state, _spread(jax.random.split(jax.random.fold_in(key, s), batch)))
            return state, jax.tree.map(jnp.add, sums, metrics)

        metrics = jax.eval_shape(train_step, state, jax.random.split(key, batch))[0]
        zeros = jax.tree.map(lambda m: jnp.zeros(m.shape, m.dtype), metrics)
        state, sums = jax.lax.fori_loop(first, first + n, step, (state, zeros))
        skipped = sums.pop("skipped")
        return state, {**{k: v / (n - skipped) for k, v in sums.items()}, "skipped": skipped}

    return jax.jit(run, static_argnums=(5, 6, 7), donate_argnums=0)


def in_turn(run, places, state, key, first, n, total, batch, particles):
    """``run`` with frames in turn, those at ``places`` or the one of None, `TURN` steps each, as the step says."""
    if places == [None]:
        return run(state, key, first, n, total, batch, particles)
    found, step = [], first
    while step < first + n:
        turn = min(TURN - step % TURN, first + n - step)
        place = places[step // TURN % len(places)]
        state, metrics = run(state, key, step, turn, total, batch, particles, place)
        found.append((turn, metrics))
        step += turn
    skipped = sum(m["skipped"] for _, m in found)
    # a mean over no step is not a number
    means = [(turn - m["skipped"], m) for turn, m in found if m["skipped"] < turn]
    mean = {k: sum(w * m[k] for w, m in means) / (n - skipped) for k in found[0][1]} if means else found[0][1]
    return state, mean | {"skipped": skipped}


def turns_of(design):
    """Places of the frames in which a training simulates, or None alone where there is one."""
    return list(range(len(design.frames))) if len(design.frames) > 1 else [None]


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


def assign(estimator, state):
    groups = (
        estimator.trainable_variables,
        estimator.non_trainable_variables,
        estimator.optimizer.variables,
        estimator.metrics_variables,
    )
    for variables, values in zip(groups, state):
        for variable, value in zip(variables, values):
            variable.assign(value)


def simulation_of(model, proposal, misfit, estimator, particles, place=None):
    """The two functions that `_run_steps` takes, those of `amortmix.training.importance` where the density is needed.

    Without draws beside theta* no data set is corrupted: theta* would be wrong.
    """
    model = model if place is None else model.in_frame(place)
    if particles == 1 and proposal is None:
        return partial(training_example, model), lambda state, batch: batch
    example = partial(refined_example, model, particles, proposal, misfit if particles > 1 else None)
    return example, partial(weigh, model, proposal, estimator)
