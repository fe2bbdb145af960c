"""The two examples that ship, trained for a few minutes: where the verdict trusts the draws, NUTS agrees with them.

Training and data have fixed seeds. The networks are not finished after so few steps, so the verdict may be MCMC; what
it may not be is wrong.
"""

import jax
import numpy as np
import pytest
from conftest import optimizations, smoke_recipe

import amortmix as am
from amortmix.mcmc import engine
from amortmix.model.data import as_numpy, existing

STEPS, UNITS = 1500, (40, 60)
#: Distance of posterior means in posterior standard deviations, beside 4 Monte Carlo errors.
TOLERANCE = 0.1
NUTS = {"chains": 4, "warmup": 500, "draws": 1000, "adapt_delta": 0.9}


@pytest.mark.parametrize("name", ["gaussian_scales", "poisson_hmm"])
def test_draws_that_are_trusted_agree_with_nuts(name, tmp_path):
    few = am.find(f"models/{name}.py").changed(units=UNITS)
    with optimizations():
        nets = am.train(few, steps=STEPS, recipe=smoke_recipe(few), folder=tmp_path / name, assess=False)
    model = nets.model
    data = as_numpy(existing(jax.jit(model.simulate_dataset)(jax.random.key(3))[1]))
    fit = nets.fit(data, draws=2000, proposals=40_000)
    assert fit.verdict in ("ABI", "PSIS", "MCMC")
    if fit.tree.attrs["posterior"] == "flow":
        assert fit.verdict == "MCMC" or fit.tree.attrs["proposals_ess"] < 500, fit.reason
        return
    with optimizations():
        nuts = engine.sample(model, data, seed=1, engine="numpyro", **NUTS)
    theirs = nuts.theta.reshape(-1, nuts.theta.shape[-1])
    distance = np.abs(fit.theta.mean(0) - theirs.mean(0)) / theirs.std(0)
    allowed = TOLERANCE + 4 / np.sqrt(min(fit.tree.attrs["proposals_ess"], len(fit.theta)))
    assert distance.max() < allowed, dict(zip(model.parameter_names, distance.round(3)))
