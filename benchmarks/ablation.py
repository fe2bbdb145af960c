"""Which choices of training and architecture matter: `make ablation`, shown by the page `ablation`.

Every variant changes one thing of the recipe `default` and trains on the same number of data sets, about a twentieth
of the recipe's. On held-out data sets y common to all variants it reports, relative to the recipe itself,

    loss = mean of log q_default(theta* | y) - log q_variant(theta* | y),

which is the difference of their amortization gaps in nats, with its paired standard error, and the excess
cross-entropy of filtering or classification per unit. Variants run side by side, so seconds are rough. A variant that
is done is kept.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import yaml

import amortmix  # noqa: F401  sets the Keras backend
from amortmix.diagnostics import simulated, states
from amortmix.inference.amortized import Amortized
from amortmix.model import registry
from amortmix.networks import classifiers, estimator, layers
from amortmix.storage import files
from amortmix.training import schedule
from amortmix.training.loop import train
from amortmix.training.phases import phases_of, with_steps
from amortmix_paper.run import merged

ROOT = Path(__file__).parents[1]
RECIPES = yaml.safe_load((ROOT / "config" / "presets" / "default.yaml").read_text(encoding="utf-8"))["recipes"]
HELD_OUT, SEED, REPORTS = 1000, 7, 8
DEFAULT = "recipe as it is"


class Variant(NamedTuple):
    """One change: entries of the recipe, or a context in which the library behaves differently, or a seed."""

    group: str
    change: dict[str, Any] = {}
    patch: Any = nullcontext
    seed: int = 1


def _constant_rate():
    """Warm-up, and then the peak to the end."""

    def rate(self, step):
        return self.peak * jnp.minimum(1.0, jnp.asarray(step, float) / schedule.WARMUP_STEPS)

    return mock.patch.object(schedule.Annealing, "__call__", rate)


def _no_regularization():
    return mock.patch.object(estimator, "maximum_mean_discrepancy", lambda summary, reference: 0.0 * summary.sum())


@contextmanager
def _separate():
    """The classifier does not shape the local summaries, which are trained by the posterior alone."""
    with ExitStack() as stack:
        for kind in classifiers.KINDS.values():
            stopped = partial(_stopped, kind.part)
            stack.enter_context(mock.patch.object(kind, "part", staticmethod(stopped)))
        yield


def _stopped(part, share, units, *rest):
    return part(share, jax.lax.stop_gradient(units), *rest)


class _Tied:
    """One array for both directions."""

    def __init__(self, variable):
        self.variable = variable

    def __jax_array__(self):
        return jnp.repeat(jnp.asarray(self.variable), 2, axis=0)


def _shared_directions():
    build = layers.GatedRecurrence.build

    def tied(self, shape):
        directions, self.directions = self.directions, 1
        build(self, shape)
        self.directions = directions
        if directions == 2:
            for name in ("kernel", "bias", "gates", "candidate"):
                setattr(self, name, _Tied(getattr(self, name)))

    return mock.patch.object(layers.GatedRecurrence, "build", tied)


GMM, HMM, EAM = "gaussian_mixture", "gaussian_hmm", "evidence_accumulation"
RECURRENT = {"classifier": {"kind": "filter", "widths": [32], "recurrent": 32}}
DATA_SETS = {GMM: 115_200, HMM: 57_600, EAM: 57_600}
SIMULATIONS = {"schedule": {"phases": [[1, 32]]}}
ADAM = {"schedule": {"optimizer": "adam", "learning_rate": 1.5e-3}}
VARIANTS = {
    GMM: {
        DEFAULT: Variant("seed"),
        "another seed": Variant("seed", seed=2),
        "from simulations alone": Variant("known density", SIMULATIONS),
        "Adam (rate 1.5e-3) for Muon": Variant("optimizer", ADAM),
        "one layer of 96 after pooling": Variant("architecture", {"summary": {"mix": [96]}}),
        "no bound on the scale of the whitening": Variant("architecture", {"flow": {"bound": None}}),
        "no regularization of the summary": Variant("summary regularization", patch=_no_regularization),
        "classifier apart from local summaries": Variant("joint training", patch=_separate),
    },
    EAM: {
        DEFAULT: Variant("seed"),
        "another seed": Variant("seed", seed=2),
        "from simulations alone": Variant("known density", SIMULATIONS),
        "no data sets that no theta makes": Variant("known density", {"schedule": {"misfit": 0.0}}),
        "all data sets from the prior": Variant("proposal", {"schedule": {"proposal": {}}}),
        "batches of 96 throughout": Variant("batch growth", {"schedule": {"phases": [[8, 96], [7, 96, 16]]}}),
        "constant learning rate": Variant("schedule", patch=_constant_rate),
        "Adam (rate 1.5e-3) for Muon": Variant("optimizer", ADAM),
        "no decision times, a GRU on rt and choice": Variant(
            "features", {"summary": {"kind": "recurrent", "width": 48, "mix": [128, 128], "dim": 48}}
        ),
        "no regularization of the summary": Variant("summary regularization", patch=_no_regularization),
    },
    HMM: {
        DEFAULT: Variant("seed"),
        "another seed": Variant("seed", seed=2),
        "from simulations alone": Variant("known density", SIMULATIONS),
        "Adam (rate 1.5e-3) for Muon": Variant("optimizer", ADAM),
        "one layer of 96 after pooling": Variant("architecture", {"summary": {"mix": [96]}}),
        "no regularization of the summary": Variant("summary regularization", patch=_no_regularization),
        "classifier apart from local summaries": Variant("joint training", patch=_separate),
        "recurrent filter, both directions share weights": Variant("classifier", RECURRENT, _shared_directions),
        "recurrent filter for exact recursions": Variant("classifier", RECURRENT),
    },
}


def recipe_of(name, change, data_sets):
    """The recipe `default`, changed and shortened to so many data sets. A network of another kind is replaced whole."""
    recipe = merged(RECIPES[name], change)
    phases = phases_of(recipe["schedule"])
    share = data_sets / sum(p.data_sets for p in phases)
    recipe = with_steps(recipe, share * sum(p.steps for p in phases))
    return recipe | {"schedule": recipe["schedule"] | {"reports": REPORTS}}


def train_variant(name, variant, data_sets, held_out=HELD_OUT):
    """Train a variant; log q of each held-out truth, excess cross-entropy, data sets and seconds."""
    model, chosen = registry.find(name).with_prior("paper"), VARIANTS[name][variant]
    with chosen.patch():
        trained = train(model, recipe_of(name, chosen.change, data_sets), chosen.seed)
        amortized = Amortized(model, trained.estimator, {"units": model.units, "observations": model.observations})
        simulate = jax.jit(jax.vmap(model.simulate_dataset))
        theta, data, z = simulate(jax.random.split(jax.random.key(SEED), held_out))
        density = jax.jit(jax.vmap(partial(simulated.own_density, amortized)))
        log_q = np.asarray(density(theta, data), dtype=float)
        exact, network = states.state_log_probs(amortized, theta, data)
    head = "filtering" if model.dependent else "classification"
    excess = states.excess_cross_entropy(exact[head], network[head], np.asarray(data.mask.max(-1)), np.asarray(z))
    return {
        "log_q": log_q.tolist(),
        "excess": excess["mean"],
        "excess_se": excess["se"],
        "data_sets": trained.datasets,
        "seconds": trained.seconds,
    }


def gather(results):
    """Table of all variants; ``results``: (case, variant) -> what `train_variant` returned."""
    rows = []
    for (name, variant), found in results.items():
        lost = np.array(results[name, DEFAULT]["log_q"]) - np.array(found["log_q"])
        rows.append(
            {
                "case": name,
                "group": VARIANTS[name][variant].group,
                "variant": variant,
                "loss": lost.mean(),
                "loss_se": lost.std(ddof=1) / np.sqrt(len(lost)),
                "excess": found["excess"],
                "excess_se": found["excess_se"],
                "data_sets": found["data_sets"],
                "seconds": found["seconds"],
            }
        )
    return pd.DataFrame(rows)


def _run(folder, name, variant):
    """One variant in a process of its own with one thread, unless its result is there."""
    path = folder / f"{name}-{list(VARIANTS[name]).index(variant)}.json"
    if not path.exists():
        print("training", name, "-", variant, flush=True)
        environment = os.environ | {"NPROC": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--one", name, variant, "--out", str(folder)]
        subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
    return (name, variant), files.read_json(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/ablation", type=Path)
    parser.add_argument("--jobs", default=2, type=int, help="variants that train side by side")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "VARIANT"), help=argparse.SUPPRESS)
    o = parser.parse_args()
    o.out.mkdir(parents=True, exist_ok=True)
    if o.one:
        name, variant = o.one
        found = train_variant(name, variant, DATA_SETS[name])
        with files.atomic(o.out / f"{name}-{list(VARIANTS[name]).index(variant)}.json") as temporary:
            temporary.write_text(json.dumps(found), encoding="utf-8")
        return
    with ThreadPoolExecutor(o.jobs) as pool:
        tasks = [(name, variant) for name in VARIANTS for variant in VARIANTS[name]]
        results = dict(pool.map(lambda task: _run(o.out, *task), tasks))
    frame = gather(results)
    with files.atomic(o.out / "ablation.csv") as temporary:
        frame.to_csv(temporary, index=False)
    print(frame.to_string(index=False))


if __name__ == "__main__":
    main()
