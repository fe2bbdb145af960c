"""Where the milliseconds of a training step go: `python benchmarks/profile_training.py`, one thread, an idle core.

Each part is compiled by itself, forward and backward, and run many times inside one dispatch, as a training runs it;
what the parts leave of a whole step is called the rest. Beside the time stands the share of the core's peak that the
part's operations reach, the peak being what a product of two matrices of 1,024 x 1,024 reaches here.
"""

import argparse
import os

# before JAX is imported: one thread, as a training has in a run
os.environ["NPROC"] = os.environ["OMP_NUM_THREADS"] = "1"

import time
from functools import partial
from pathlib import Path

import amortmix  # noqa: F401  sets the Keras backend, before Keras is imported

# isort: split
import jax
import jax.numpy as jnp
import keras
import pandas as pd
import yaml

from amortmix.model import registry
from amortmix.networks.estimator import training_example
from amortmix.training.importance import refined_example, weigh
from amortmix.training.loop import prepare
from amortmix.training.phases import phases_of
from amortmix.training.recipes import default_recipe
from amortmix.training.step import state_of

CASES = ("gaussian_mixture", "gaussian_hmm", "evidence_accumulation")


def per_call(function, argument, calls):
    """CPU seconds of one call among ``calls`` in one dispatch, and its operations as the compiler counts them.

    Each call depends on the one before, so that nothing is computed once for all.
    """

    def touched(x, previous):
        return x + (1e-30 * previous).astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

    def body(_, previous):
        result = function(jax.tree.map(lambda x: touched(x, previous), argument))
        leaves = [x.ravel()[0] for x in jax.tree.leaves(result) if jnp.issubdtype(x.dtype, jnp.floating)]
        # every output is used: the first number of each alone would let the compiler drop the others
        return sum(leaves) + sum(jnp.sum(x) for x in jax.tree.leaves(result) if x.dtype == jnp.float32) * 1e-30

    run = jax.jit(lambda: jax.lax.fori_loop(0, calls, body, jnp.float32(0)))
    jax.block_until_ready(run())
    began = time.process_time()
    jax.block_until_ready(run())
    seconds = (time.process_time() - began) / calls
    return seconds, jax.jit(function).lower(argument).compile().cost_analysis().get("flops", float("nan"))


def peak():
    """Operations per second of a product of two large matrices on this core."""
    a = jnp.ones((1024, 1024))
    seconds, _ = per_call(lambda x: x @ x / 1024, a, 20)
    return 2 * 1024**3 / seconds


class Parts:
    """The parts of a training step as functions of arrays."""

    def __init__(self, estimator, state, batch):
        self.estimator, self.state, self.batch = estimator, state, batch

    def _scoped(self, trainable):
        variables = (*self.estimator.trainable_variables, *self.estimator.non_trainable_variables)
        return keras.StatelessScope(state_mapping=list(zip(variables, (*trainable, *self.state[1]), strict=True)))

    def _gradient(self, loss):
        """Gradient of ``loss(arguments)`` in all weights and in the arguments."""

        def total(trainable, *arguments):
            with self._scoped(trainable):
                return loss(*arguments)

        def both(arguments):
            trainable, *others = arguments
            return jax.grad(total, argnums=tuple(range(len(arguments))))(trainable, *others)

        return both

    def _pooled(self, packed):
        units, mask = self.estimator.summary_network.embed(packed)
        return units, mask, self.estimator.summary_network.pool(units, mask, packed)

    def summary(self):
        def loss(packed):
            units, _, pooled = self._pooled(packed)
            return jnp.sum(pooled**2) + jnp.sum(units)

        return self._gradient(loss), [self.state[0], self.batch["summary_variables"]]

    def flow(self):
        with self._scoped(self.state[0]):
            pooled = self._pooled(self.batch["summary_variables"])[2]
        conditions = jnp.concatenate([self.batch["inference_conditions"], pooled], axis=-1)
        points = self.batch.get("particles", self.batch["inference_variables"][:, None])

        def loss(points, conditions):
            return -jnp.sum(self.estimator._per_particle(points, conditions)[1])

        return self._gradient(loss), [self.state[0], points, conditions]

    def classifier(self):
        batch, estimator = self.batch, self.estimator
        with self._scoped(self.state[0]):
            units, mask, _ = self._pooled(batch["summary_variables"])
        parts = estimator.classifier.part(
            estimator.classified_share, units, batch["classifier_conditions"], mask, batch["states"], batch.get("chain")
        )
        units, theta, present, z, chain = parts

        def loss(units, theta):
            heads = estimator.classifier(units, conditions=theta, present=present, chain=chain)
            return sum(jnp.sum(jnp.take_along_axis(h, z[..., None], axis=-1)) for h in heads.values())

        return self._gradient(loss), [self.state[0], units, theta]

    def optimizer(self):
        """The update of all weights from their gradients."""

        self.estimator.optimizer._learning_rate.total = 10_000  # a run traces it

        def apply(arguments):
            weights, state = arguments
            return self.estimator.optimizer.stateless_apply(state, [0.01 * w for w in weights], weights)[0]

        return apply, [self.state[0], self.state[2]]


def profile(name, preset, calls):
    """Rows of one model: for each phase the parts of a step."""
    model = registry.find(name)
    recipe = yaml.safe_load(Path(f"config/presets/{preset}.yaml").read_text(encoding="utf-8"))["recipes"].get(name)
    recipe = recipe or default_recipe(model)
    schedule = recipe["schedule"]
    estimator, run, key, _ = prepare(model, recipe, seed=1)
    state = state_of(estimator)
    for phase in phases_of(schedule):
        keys = jax.random.split(jax.random.key(1), phase.batch)
        if phase.particles > 1:
            proposal, misfit = schedule.get("proposal"), schedule.get("misfit")
            example = partial(refined_example, model, phase.particles, proposal, misfit)
            raw = jax.jit(jax.vmap(example))(keys)
            complete = partial(weigh, model, proposal, estimator, state)
            batch = jax.jit(complete)(raw)
        else:
            example, complete = partial(training_example, model), None
            batch = raw = jax.jit(jax.vmap(example))(keys)
        parts = Parts(estimator, state, batch)
        tried = {
            "simulation": (
                lambda seeds, e=example: jax.vmap(e)(jax.vmap(jax.random.key)(seeds.astype(int))),
                jnp.arange(phase.batch, dtype=float),
            )
        }
        if complete is not None:
            tried["draws and weights"] = complete, raw
        tried |= {part: getattr(parts, part)() for part in ("summary", "flow", "classifier", "optimizer")}
        found = {part: per_call(*one, calls) for part, one in tried.items()}
        whole = _whole(run, state, key, phase, calls)
        found["rest"] = max(0.0, whole - sum(seconds for seconds, _ in found.values())), float("nan")
        for part, (seconds, flops) in found.items():
            yield {
                "model": model.name,
                "batch": phase.batch,
                "particles": phase.particles,
                "part": part,
                "ms": 1e3 * seconds,
                "share": seconds / whole,
                "Gflop/s": 1e-9 * flops / max(seconds, 1e-9),
            }
        yield {
            "model": model.name,
            "batch": phase.batch,
            "particles": phase.particles,
            "part": "step",
            "ms": 1e3 * whole,
            "share": 1.0,
            "Gflop/s": float("nan"),
        }


def _whole(run, state, key, phase, calls):
    """CPU seconds of a whole step."""
    for n in (1, calls):
        copy = jax.tree.map(jnp.copy, state)
        began = time.process_time()
        jax.block_until_ready(run(copy, key, 0, n, 10_000, phase.batch, phase.particles))
    return (time.process_time() - began) / calls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--calls", default=100, type=int, help="how often each part is run")
    parser.add_argument("--models", nargs="+", default=CASES)
    parser.add_argument("--out", type=Path, help="a CSV file")
    o = parser.parse_args()
    print(f"peak: {peak() / 1e9:.0f} Gflop/s in one thread")
    frames = []
    for name in o.models:
        frames.append(pd.DataFrame(profile(name, o.preset, o.calls)))
        print(frames[-1].to_string(index=False, float_format=lambda x: f"{x:.2f}"), flush=True)
    frame = pd.concat(frames)
    if o.out:
        frame.to_csv(o.out, index=False)


if __name__ == "__main__":
    main()
