"""Shared fixtures. Exactness is tested in float64; networks are built once per session."""

import os

os.environ.setdefault("NPROC", "1")  # threads of XLA: tests run in two processes
os.environ.setdefault("MPLBACKEND", "Agg")

import amortmix  # noqa: F401  sets the Keras backend before anything imports Keras
import jax
import numpy as np
import pytest
from amortmix.cases import CASES, Data, get_case
from amortmix.job import cache_compilations
from amortmix.posterior import Amortized
from amortmix.training import train

cache_compilations()


@pytest.fixture
def float64():
    """JAX in double precision for one test."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture(params=sorted(CASES))
def case(request):
    return get_case(request.param)


@pytest.fixture(scope="session")
def trained():
    """Name of a case study -> (training, Amortized) after twenty steps: enough for everything but accuracy."""
    made = {}

    def get(name):
        if name not in made:
            found = get_case(name)
            training = train(found, found.prior("paper"), found.networks["smoke"], seed=1, max_steps=20)
            card = {"units": found.units, "observations": found.observations}
            made[name] = training, Amortized(found, training.estimator, card)
        return made[name]

    return get


def simulate(case, seed, variant="paper", dtype=np.float64):
    """theta, Data and z of one simulated data set, as NumPy arrays of ``dtype``."""
    theta, data, z = case.simulate_dataset(jax.random.key(seed), case.prior(variant))
    n = int(np.asarray(data.unit_mask).sum())
    data = Data(*(np.asarray(x, dtype=dtype)[:n] for x in data))
    return np.asarray(theta, dtype=dtype), data, np.asarray(z)[:n]
