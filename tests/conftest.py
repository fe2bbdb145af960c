"""Shared fixtures. Exactness is tested in float64; networks are trained once per process."""

import contextlib
import os

os.environ.setdefault("NPROC", "1")  # threads of XLA: tests run in two processes
os.environ.setdefault("MPLBACKEND", "Agg")

import checking  # noqa: F401  shapes are checked in what is imported after it
import jax
import numpy as np
import pytest

import amortmix  # noqa: F401  sets the Keras backend before anything imports Keras
from amortmix.inference.amortized import Amortized
from amortmix.model import registry
from amortmix.model.data import as_numpy, existing
from amortmix.training.loop import train
from amortmix.training.recipes import default_recipe
from amortmix_paper.job import cache_compilations
from amortmix_paper.run import preset_recipes

cache_compilations()
# Each function runs a few times, on little: LLVM's optimizations, half of a compilation, would take longer than they
# save. What XLA does to a program before LLVM is as in any run. This holds for this process alone: its children are
# compared with the smoke run, where simulators run often. `JAX_DISABLE_MOST_OPTIMIZATIONS=0` has all.
if "JAX_DISABLE_MOST_OPTIMIZATIONS" not in os.environ:
    jax.config.update("jax_disable_most_optimizations", True)

#: The files that take longest, in the order in which two processes take them: the last to start decides when all end.
LONGEST = ("test_slurm", "test_docs", "test_training", "test_install", "test_examples", "test_faults", "test_dag")
LONGEST += ("test_varied", "test_learned", "test_diagnostics", "test_engines", "test_api", "test_fitting")
LONGEST += ("test_driven", "test_points", "test_population")


def pytest_collection_modifyitems(items):
    rank = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@contextlib.contextmanager
def optimizations():
    """All of LLVM's, for functions that run so often that they are worth it: trainings of a thousand steps."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="module")
def optimized():
    """`optimizations` for a file of tests."""
    with optimizations():
        yield


@pytest.fixture
def float64():
    """JAX in double precision for one test."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture(params=registry.names())
def model(request):
    """Every model of the library, under its first prior."""
    return registry.find(request.param)


@pytest.fixture(params=[name for name in registry.names() if registry.find(name).has_density])
def known(request):
    """Every model of the library whose likelihood is known."""
    return registry.find(request.param)


def smoke_recipe(model):
    """The recipe of a case study in the preset smoke, small and fast; that of any other model."""
    return preset_recipes("smoke").get(model.name) or default_recipe(model, smoke=True)


@pytest.fixture(scope="session")
def trained():
    """Name of a model -> (training, Amortized) after twenty steps: enough for everything but accuracy."""
    made = {}

    def get(name):
        if name not in made:
            found = registry.find(name)
            training = train(found, smoke_recipe(found), seed=1, max_steps=20)
            card = {"units": found.units, "observations": found.observations, "meaningful": False}
            made[name] = training, Amortized(training.model, training.estimator, card)
        return made[name]

    return get


def simulate(model, seed, dtype=np.float64):
    """theta, Data and z of one simulated data set without padding, as NumPy arrays."""
    theta, data, z = jax.jit(model.simulate_dataset)(jax.random.key(seed))
    data = as_numpy(existing(data), dtype)
    return np.asarray(theta, dtype=dtype), data, np.asarray(z)[: len(data.y)]
