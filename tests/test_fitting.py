"""A fit and its file: exact densities, weights, corrected draws, and what is missing when they cannot be had."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from amortmix import fits, io
from amortmix.fitting import Fitter
from amortmix.posterior import Amortized
from conftest import simulate

DRAWS, PROPOSALS = 200, 1000


def fitter(trained, name="gaussian_hmm", **changes):
    training, amortized = trained(name)
    case = dataclasses.replace(amortized.case, **changes)
    card = amortized.card | {"meaningful": False}
    return Fitter(Amortized(case, training.estimator, card), case.prior("paper"), DRAWS, PROPOSALS)


def test_weights_are_target_over_proposal_and_the_file_keeps_them(trained, tmp_path):
    ours = fitter(trained)
    case = ours.amortized.case
    _, data, _ = simulate(case, 5, dtype=np.float32)
    fit = ours.fit(data, seed=1)
    exact = jax.vmap(lambda t: case.exact.log_prior(t, case.prior("paper")) + case.exact.log_likelihood(t, data))
    np.testing.assert_allclose(fit.log_joint, exact(jnp.asarray(fit.draws.theta)), rtol=1e-4, atol=1e-3)
    assert abs(fit.smoothed.weights.sum() - 1) < 1e-6 and len(np.unique(fit.corrected, axis=0)) == DRAWS
    ours.save(tmp_path / "abi.nc", fit, data, {"source": "test"})
    tree = io.load_netcdf(tmp_path / "abi.nc")
    np.testing.assert_array_equal(fits.draws(tree, case), fit.draws.theta)
    np.testing.assert_array_equal(fits.draws(tree, case, "corrected"), fit.corrected)
    np.testing.assert_allclose(tree["sample_stats"]["log_weight"][0], fit.smoothed.log_weights)
    p = tree["latent_probabilities"]["smoothing"].sel(statistic="psis_mean")
    expected = np.einsum("s,snk->nk", fit.smoothed.weights, fit.probabilities["smoothing"])
    np.testing.assert_allclose(p, expected, atol=1e-5)


def test_without_a_likelihood_there_are_draws_and_probabilities_only(trained, tmp_path):
    blind = fitter(trained, exact=None, stan=None)
    _, data, _ = simulate(blind.amortized.case, 5, dtype=np.float32)
    fit = blind.fit(data, seed=1)
    np.testing.assert_array_equal(fit.draws.theta, fitter(trained).fit(data, seed=1).draws.theta)
    blind.save(tmp_path / "abi.nc", fit, data, {})
    tree = io.load_netcdf(tmp_path / "abi.nc")
    assert "corrected" not in tree and set(tree["sample_stats"].data_vars) == {"log_q"}


def test_too_few_weights_are_said_and_the_fit_is_kept(trained, tmp_path):
    ours = fitter(trained)
    exact = ours.log_joint
    ours.log_joint = lambda theta, data: jnp.where(jnp.arange(len(theta)) < 150, exact(theta, data), -jnp.inf)
    _, data, _ = simulate(ours.amortized.case, 5, dtype=np.float32)
    fit = ours.fit(data, seed=1)
    assert fit.corrected is None and fit.warnings == [
        "too few draws have an importance weight: there are no corrected draws"
    ]
    ours.save(tmp_path / "abi.nc", fit, data, {})
    assert "corrected" not in io.load_netcdf(tmp_path / "abi.nc")
