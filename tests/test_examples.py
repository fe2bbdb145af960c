"""The two examples that ship, trained for a few minutes: their weighted draws agree with NUTS.

Training and data have fixed seeds. The networks are not finished after so few steps; importance weights make up for it.
"""

import jax
import numpy as np
import pytest

import amortmix as am
from amortmix.mcmc import engine
from amortmix.model.data import as_numpy, existing

STEPS = 1500
#: Distance of posterior means in posterior standard deviations; the Monte Carlo error of both is near 0.03.
TOLERANCE = 0.1
NUTS = {"chains": 4, "warmup": 500, "draws": 1000, "adapt_delta": 0.9}


@pytest.mark.parametrize("name", ["gaussian_scales", "poisson_hmm"])
def test_weighted_draws_agree_with_nuts(name, tmp_path):
    nets = am.train(f"models/{name}.py", steps=STEPS, folder=tmp_path / name, assess=False)
    model = nets.model
    data = as_numpy(existing(jax.jit(model.simulate_dataset)(jax.random.key(3))[1]))
    fit = nets.fit(data, draws=2000, proposals=40_000)
    assert fit.verdict in ("ABI", "PSIS"), fit.reason
    nuts = engine.sample(model, data, seed=1, engine="numpyro", **NUTS)
    assert nuts.rhat_max < 1.02
    theirs = nuts.theta.reshape(-1, nuts.theta.shape[-1])
    distance = np.abs(fit.theta.mean(0) - theirs.mean(0)) / theirs.std(0)
    assert distance.max() < TOLERANCE, dict(zip(model.parameter_names, distance.round(3)))
    np.testing.assert_allclose(fit.theta.std(0), theirs.std(0), rtol=0.15)
