"""What `benchmarks/run.py` measures, one function per part; each runs in a process of its own.

``python benchmarks/parts.py PART ARGUMENTS`` (with the threads that `run.py` sets) prints one JSON list of rows:
part, case, method, x, value, unit.
"""

import json
import resource
import sys
import time

import amortmix  # noqa: F401  sets the Keras backend
import jax
import jax.numpy as jnp
import keras
import numpy as np
from amortmix import config
from amortmix.cases import Data, get_case
from amortmix.data import find_participants, read_table
from amortmix.networks.estimator import as_example
from amortmix.posterior import Amortized
from amortmix.training import phases_of, prepare, state_of
from numpy_simulators import SIMULATORS

DRAWS = 4000


def row(part, case, method, x, value, unit):
    return {"part": part, "case": case, "method": method, "x": x, "value": value, "unit": unit}


def _seconds(work):
    """Seconds of ``work()``, whose result is waited for."""
    began = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - began


def _rate(phases, seconds_per_step):
    """Data sets per second over phases (steps, batch, particles); ``seconds_per_step``: one number for each."""
    return sum(n * b for n, b, _ in phases) / sum(n * s for (n, *_), s in zip(phases, seconds_per_step, strict=True))


def train(name, preset, steps):
    """Data sets per second of the training loop over the preset's phases, and seconds to compile it.

    Phases from simulations alone, which the comparison can do too, apart from those that use the known density.
    """
    case = get_case(name)
    recipe = case.networks[preset]
    estimator, run, key, _ = prepare(case, case.prior("paper"), recipe, seed=1)
    state = state_of(estimator)
    seconds, compilation = {False: [], True: []}, 0.0
    phases = phases_of(recipe["schedule"])
    for _, batch, particles in phases:
        began = time.perf_counter()
        state, _ = jax.block_until_ready(run(state, key, 0, 1, batch, particles))
        compilation += time.perf_counter() - began
        n = max(1, int(steps) * 32 // batch)
        began = time.perf_counter()
        state, _ = jax.block_until_ready(run(state, key, 1, n, batch, particles))
        seconds[particles > 1].append((time.perf_counter() - began) / n)
    for density, part in ((False, "training"), (True, "training with the density")):
        if seconds[density]:
            rate = _rate([p for p in phases if (p[2] > 1) == density], seconds[density])
            yield row(part, name, "amortmix", None, rate, "data sets/s")
    yield row("compilation", name, "amortmix", None, compilation, "s")


class _NumpyDataset(keras.utils.PyDataset):
    """Batches simulated by NumPy, in the form that the networks take."""

    def __init__(self, case, prior, batch, steps):
        super().__init__()
        self.case, self.prior, self.batch, self.steps = case, prior, batch, steps
        self.rng = np.random.default_rng(1)
        self.prepare = jax.jit(jax.vmap(self._example))

    def _example(self, theta, y, mask, z):
        data = Data(y, mask)
        return {**as_example(self.case, theta, data), "states": z}

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        sets = [SIMULATORS[self.case.name](self.rng, self.prior) for _ in range(self.batch)]
        theta, y, mask, z = (np.stack(x) for x in zip(*sets))
        floats = (x.astype(np.float32) for x in (theta, y, mask))
        return {k: np.asarray(v) for k, v in self.prepare(*floats, z.astype(np.int32)).items()}


def plain(name, preset, steps):
    """The same networks and batches through BayesFlow's ``fit``, simulated by NumPy."""
    case = get_case(name)
    recipe, prior = case.networks[preset], case.prior("paper")
    estimator, *_ = prepare(case, prior, recipe, seed=1)
    seconds, phases = [], [p for p in phases_of(recipe["schedule"]) if p[2] == 1]
    for _, batch, _ in phases:
        n = max(2, int(steps) * 32 // batch)
        estimator.fit(dataset=_NumpyDataset(case, prior, batch, 2), epochs=1, verbose=0)  # compiles
        data = _NumpyDataset(case, prior, batch, n)
        data[0]
        began = time.perf_counter()
        estimator.fit(dataset=data, epochs=1, verbose=0)
        seconds.append((time.perf_counter() - began) / n)
    yield row("training", name, "BayesFlow fit, NumPy simulator", None, _rate(phases, seconds), "data sets/s")


def _participants(case):
    """The eleven participants, or as many simulated ones where their data are not here."""
    found, _ = find_participants("ABCDEFGHIJK", ["data/dutilh2011", "../shared/dutilh2011"], download=False)
    if len(found) == 11:
        tables = [read_table(case, path) for path in found.values()]
        return [Data(*(np.asarray(x)[:400] for x in t)) for t in tables]
    return [_simulated(case, seed) for seed in range(11)]


def _simulated(case, seed):
    _, data, _ = case.simulate_dataset(jax.random.key(seed), case.prior("paper"))
    return Data(*(np.asarray(x) for x in data))


def inference(fits):
    """Eleven participants x 4,000 draws with all state probabilities by the shipped networks, warm, and by Stan."""
    from amortmix.stan import engine

    name = "evidence_accumulation"
    amortized = Amortized.load(config.shipped(name, "paper"))
    case, people = amortized.case, _participants(amortized.case)

    def fit(data):
        drawn = amortized.sample(data, DRAWS, seed=1)
        amortized.probabilities(data, drawn.u)

    yield row("first fit", name, "amortmix", None, _seconds(lambda: fit(people[0])), "s")
    yield row("eleven fits", name, "amortmix", 11, sum(_seconds(lambda d=d: fit(d)) for d in people), "s")
    if int(fits):
        engine.compile_model(case)
        prior = case.prior("paper")
        settings = {"chains": 4, "warmup": 1000, "draws": 1000, "adapt_delta": 0.97}
        seconds = [engine.sample(case, d, prior, 1, **settings).seconds for d in people[: int(fits)]]
        yield row("eleven fits", name, "Stan", len(seconds), 11 * float(np.mean(seconds)), "s")


def length(largest):
    """Seconds of one fit (250 draws and their state probabilities) of series with up to 10^5 units."""
    name = "gaussian_hmm"
    amortized = Amortized.load(config.shipped(name, "paper"))
    case = amortized.case
    theta = jnp.array(case.demo["hmm_demo"]["theta"])
    for n in [10**k for k in range(2, 6) if 10**k <= int(largest)]:
        y, _ = case.simulate(jax.random.key(1), theta, jnp.ones((n, 5)))
        data = Data(np.asarray(y), np.ones((n, 5), dtype=np.float32))

        def fit(data=data):
            drawn = amortized.sample(data, 250, seed=1)
            amortized.probabilities(data, drawn.u)

        fit()
        yield row("units", name, "amortmix", n, _seconds(fit), "s")


def many(largest):
    """Seconds of 1,000 draws of theta for up to 10^4 data sets of 100 units."""
    name = "gaussian_hmm"
    amortized = Amortized.load(config.shipped(name, "paper"))
    case = amortized.case
    for n in [10**k for k in range(5) if 10**k <= int(largest)]:
        keys = jax.random.split(jax.random.key(1), n)
        _, data, _ = jax.vmap(lambda k: case.simulate_dataset(k, case.prior("paper")))(keys)
        data = Data(*(np.asarray(x) for x in data))
        blocks = [Data(*(x[i : i + 1000] for x in data)) for i in range(0, n, 1000)]
        amortized.sample_many(blocks[0], 1000, seed=1)
        seconds = [_seconds(lambda b=b: amortized.sample_many(b, 1000, seed=1).theta) for b in blocks]
        yield row("data sets", name, "amortmix", n, sum(seconds), "s")


PARTS = {f.__name__: f for f in (train, plain, inference, length, many)}


if __name__ == "__main__":
    part, *arguments = sys.argv[1:]
    rows = list(PARTS[part](*arguments))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    first = rows[0]
    rows.append(row(f"peak memory, {first['part']}", first["case"], first["method"], None, peak, "GiB"))
    print(json.dumps(rows))
