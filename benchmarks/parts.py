"""What `benchmarks/run.py` measures, one function per part; each runs in a process of its own.

``python benchmarks/parts.py PART ARGUMENTS`` (with the threads that `run.py` sets) prints one JSON list of rows:
part, case, method, x, value, unit.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import amortmix  # sets the Keras backend, before Keras is imported

# isort: split
import jax
import jax.numpy as jnp
import keras
import numpy as np
import yaml
from numpy_simulators import SIMULATORS
from numpyro import distributions as dist
from numpyro import sample

from amortmix.inference.amortized import Amortized
from amortmix.model import registry, tables
from amortmix.model.data import Data, as_numpy
from amortmix.model.distributions import ordered
from amortmix.model.markov import HiddenMarkov
from amortmix.networks.estimator import as_example
from amortmix.storage.bundle import load_bundle
from amortmix.training.loop import prepare
from amortmix.training.phases import phases_of
from amortmix.training.recipes import default_recipe
from amortmix.training.step import state_of
from amortmix_paper import pretrained
from amortmix_paper.participants import CHECKSUMS, FOLDER, find_participants

DRAWS = 4000
TRIALS = 400  # of each participant, as in the paper


def _model(name):
    return registry.find(name).with_prior("paper")


def _recipe(name, preset):
    return yaml.safe_load(Path(f"config/presets/{preset}.yaml").read_text(encoding="utf-8"))["recipes"][name]


def _shipped(name):
    return Amortized.of(load_bundle(pretrained.folder(name, "paper")))


def row(part, case, method, x, value, unit):
    return {"part": part, "case": case, "method": method, "x": x, "value": value, "unit": unit}


def _seconds(work):
    """Seconds of ``work()``, whose result is waited for."""
    began = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - began


def _clocks(work):
    """Seconds of ``work()`` by the clock, and CPU seconds of this process."""
    began = time.process_time()
    seconds = _seconds(work)
    return seconds, time.process_time() - began


def _rate(phases, seconds_per_step):
    """Data sets per second over phases; ``seconds_per_step``: one number for each."""
    seconds = sum(p.steps * each for p, each in zip(phases, seconds_per_step, strict=True))
    return sum(p.data_sets for p in phases) / seconds


def train(name, preset, steps):
    """Data sets per second of the training loop over the preset's phases, and seconds to compile it.

    Phases from simulations alone, which the comparison can do too, apart from those that use the known density.
    """
    recipe = _recipe(name, preset)
    estimator, run, key, _ = prepare(_model(name), recipe, seed=1)
    state = state_of(estimator)
    seconds, compilation = {False: [], True: []}, 0.0
    phases = phases_of(recipe["schedule"])
    total = sum(p.steps for p in phases)
    for phase in phases:
        batch, particles = phase.batch, phase.particles
        began = time.perf_counter()
        state, _ = jax.block_until_ready(run(state, key, 0, 1, total, batch, particles))
        compilation += time.perf_counter() - began
        n = max(1, int(steps) * 32 // batch)
        began = time.perf_counter()
        state, _ = jax.block_until_ready(run(state, key, 1, n, total, batch, particles))
        seconds[particles > 1].append((time.perf_counter() - began) / n)
    for density, part in ((False, "training"), (True, "training with the density")):
        if seconds[density]:
            rate = _rate([p for p in phases if (p.particles > 1) == density], seconds[density])
            yield row(part, name, "amortmix", None, rate, "data sets/s")
    yield row("compilation", name, "amortmix", None, compilation, "s")


class _NumpyDataset(keras.utils.PyDataset):
    """Batches simulated by NumPy, in the form that the networks take."""

    def __init__(self, model, batch, steps):
        super().__init__()
        self.model, self.batch, self.steps = model, batch, steps
        self.rng = np.random.default_rng(1)
        self.prepare = jax.jit(jax.vmap(self._example))

    def _example(self, theta, y, mask, z):
        data = Data(y, mask)
        return {**as_example(self.model, theta, data), "states": z}

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        simulate = SIMULATORS[self.model.name]
        sets = [simulate(self.rng, self.model.hyperparameters) for _ in range(self.batch)]
        theta, y, mask, z = (np.stack(x) for x in zip(*sets))
        floats = (x.astype(np.float32) for x in (theta, y, mask))
        return {k: np.asarray(v) for k, v in self.prepare(*floats, z.astype(np.int32)).items()}


def plain(name, preset, steps):
    """The same networks and batches through BayesFlow's ``fit``, simulated by NumPy."""
    model, recipe = _model(name), _recipe(name, preset)
    estimator, *_ = prepare(model, recipe, seed=1)
    seconds, phases = [], [p for p in phases_of(recipe["schedule"]) if p.particles == 1]
    for phase in phases:
        batch = phase.batch
        n = max(2, int(steps) * 32 // batch)
        estimator.fit(dataset=_NumpyDataset(model, batch, 2), epochs=1, verbose=0)  # compiles
        data = _NumpyDataset(model, batch, n)
        data[0]
        began = time.perf_counter()
        estimator.fit(dataset=data, epochs=1, verbose=0)
        seconds.append((time.perf_counter() - began) / n)
    yield row("training", name, "BayesFlow fit, NumPy simulator", None, _rate(phases, seconds), "data sets/s")


def _files():
    """Files of the eleven participants."""
    found, trouble = find_participants(CHECKSUMS, [FOLDER], download=False)
    if trouble:
        raise SystemExit(trouble)
    return list(found.values())


def _participants(model):
    """The eleven participants."""
    return [tables.read(model, path, rows=TRIALS).data for path in _files()]


#: Names of the same fits by the clock, on all cores, and in CPU seconds.
ELEVEN = ("eleven fits", "eleven fits, CPU")


def inference(fits):
    """Eleven participants x 4,000 draws with weights, states and verdict by the shipped networks, warm, and by MCMC."""
    from amortmix.mcmc import engine

    name = "evidence_accumulation"
    nets = amortmix.load(name, prior="paper", engine="jax")
    model, people = nets.model, _participants(nets.model)
    named = {str(i): data for i, data in enumerate(people)}
    nets.fit_many(named, draws=DRAWS)
    for part, seconds in zip(ELEVEN, _clocks(lambda: len(nets.fit_many(named, draws=DRAWS)))):
        yield row(part, name, "amortmix", 11, seconds, "s")
    settings = {"chains": 4, "warmup": 1000, "draws": 1000, "adapt_delta": 0.97}
    if int(fits):
        engine.compile_model(model)
    for method, only in (("Stan", None), ("NUTS of NumPyro", "numpyro")):
        chains = [engine.sample(model, d, 1, **settings, engine=only) for d in people[: int(fits)]]
        for part, seconds in zip(ELEVEN, np.array([(c.seconds, c.cpu_seconds) for c in chains]).reshape(-1, 2).T):
            if len(seconds):
                yield row(part, name, method, len(seconds), 11 * float(np.mean(seconds)), "s")


def start(repeats):
    """CPU seconds of a process that loads networks and fits one data set, by each engine, several times in turn."""
    name = "evidence_accumulation"
    for repeat in range(int(repeats)):
        for engine in ("exported", "jax"):
            script = f"import pandas as pd, amortmix as am; me = pd.read_csv({str(_files()[0])!r}).head({TRIALS}); "
            script += f"am.load({name!r}, engine={engine!r}).fit(me)"
            before = _children()
            subprocess.run([sys.executable, "-c", script], check=True)
            seconds = _children() - before
            yield row("first fit of a process, CPU", name, engine, repeat, seconds, "s")


def _children():
    """CPU seconds of the processes that this one started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def length(largest):
    """Seconds of one fit (250 draws and their state probabilities) of series with up to 10^5 units."""
    name = "gaussian_hmm"
    amortized = _shipped(name)
    model = amortized.model
    theta = jnp.array(model.demos["hmm_demo"]["theta"])
    for n in [10**k for k in range(2, 6) if 10**k <= int(largest)]:
        y, _ = model.simulate(jax.random.key(1), theta, jnp.ones((n, 5)))
        data = Data(np.asarray(y), np.ones((n, 5), dtype=np.float32))

        def fit(data=data):
            drawn = amortized.sample(data, 250, seed=1)
            amortized.probabilities(data, drawn.u)

        fit()
        yield row("units", name, "amortmix", n, _seconds(fit), "s")


def states(most):
    """Seconds of one fit (250 draws and their state probabilities) of 200 units in K = 2 to 8 states."""
    for k in range(2, int(most) + 1):
        model = _chain(k)
        estimator, *_ = prepare(model, default_recipe(model), seed=1)
        amortized = Amortized(model, estimator, {"units": model.units, "observations": model.observations})
        data = as_numpy(model.simulate_dataset(jax.random.key(k))[1])

        def fit(amortized=amortized, data=data):
            amortized.probabilities(data, amortized.sample(data, 250, seed=1).u)

        fit()
        yield row("states", model.name, "amortmix", k, min(_seconds(fit) for _ in range(5)), "s")


def _chain(k):
    """A Gaussian hidden Markov model of K states, for times alone: its networks are not trained."""

    def prior():
        rows = sample("rows", dist.Dirichlet(jnp.ones(k)).expand([k]).to_event(1))
        return {"rows": rows, "mu": sample("mu", ordered(dist.Normal(0, 3), k))}

    return HiddenMarkov(
        name=f"chain_{k}",
        states=tuple(f"state {i + 1}" for i in range(k)),
        prior=prior,
        transitions=lambda p: p["rows"],
        emission=lambda p: dist.Normal(p["mu"], 1),
        units=(200, 200),
    )


def many(largest):
    """Seconds of up to 10^4 fits of 100 units each: 1,000 draws, weights, states and verdict."""
    name = "gaussian_hmm"
    nets = amortmix.load(name, prior="paper", design="paper", engine="jax")  # of 100 units
    for n in [10**k for k in range(5) if 10**k <= int(largest)]:
        keys = jax.random.split(jax.random.key(1), n)
        _, data, _ = jax.jit(jax.vmap(nets.model.simulate_dataset))(keys)
        named = {str(i): jax.tree.map(lambda x, i=i: np.asarray(x[i]), data) for i in range(n)}
        nets.fit_many({"0": named["0"]})
        yield row("data sets", name, "amortmix", n, _seconds(lambda named=named: len(nets.fit_many(named))), "s")


PARTS = {f.__name__: f for f in (train, plain, inference, start, length, states, many)}


if __name__ == "__main__":
    part, *arguments = sys.argv[1:]
    rows = list(PARTS[part](*arguments))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    first = rows[0]
    rows.append(row(f"peak memory, {first['part']}", first["case"], first["method"], None, peak, "GiB"))
    print(json.dumps(rows))
