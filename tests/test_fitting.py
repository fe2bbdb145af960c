"""A fit and its file: exact densities, weights, corrected draws, verdicts, and what is missing without them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import simulate
from test_amortized import without_density

from amortmix.inference import psis
from amortmix.inference.amortized import Amortized
from amortmix.inference.fit import load_fit
from amortmix.inference.fitting import Fitter
from amortmix.inference.reference import Reference, make_reference
from amortmix.storage import pretrained
from amortmix.storage import tree as trees
from amortmix.storage.bundle import load_bundle
from amortmix.storage.files import BadInput

DRAWS, PROPOSALS = 200, 2000


@pytest.fixture(scope="module")
def good():
    """Pretrained networks of case study 2 with a reference, so that weights are good."""
    amortized = Amortized.of(load_bundle(pretrained.folder_of("gaussian_hmm", "paper")))
    return Fitter(amortized, DRAWS, PROPOSALS, make_reference(amortized, 1, simulations=200))


def hardly(trained, name="gaussian_hmm", change=lambda model: model):
    training, amortized = trained(name)
    return Fitter(Amortized(change(amortized.model), training.estimator, amortized.card), DRAWS, PROPOSALS)


def test_weights_are_target_over_proposal_and_the_file_keeps_them(good, tmp_path):
    model = good.amortized.model
    _, data, _ = simulate(model, 5, dtype=np.float32)
    fit = good.fit(data, seed=1)
    assert fit.verdict == "ABI" and not fit.warnings and fit.tree.attrs["posterior"] == "psis"
    flow, stats = trees.draws(fit.tree, "flow"), fit.tree["sample_stats"]
    exact = jax.vmap(lambda t: model.log_prior(t) + model.log_likelihood(t, data))(jnp.asarray(flow))
    np.testing.assert_allclose(stats["log_joint"][0], exact, rtol=1e-4, atol=1e-3)
    smoothed = psis.smooth(stats["log_joint"].values[0], stats["log_q"].values[0])
    np.testing.assert_allclose(stats["log_weight"][0], smoothed.log_weights)
    assert len(np.unique(fit.theta, axis=0)) == DRAWS
    u = model.bijection(good.amortized.frame(data)).inverse(jnp.asarray(fit.theta))
    p = good.amortized.probabilities(data, u)["smoothing"]
    np.testing.assert_allclose(
        fit.tree["latent_probabilities"]["smoothing"].sel(statistic="mean"), p.mean(0), atol=1e-4
    )
    units = fit.tree["log_likelihood"]["y"].values[0]
    likelihood = jax.vmap(lambda t: model.log_likelihood(t, data))(jnp.asarray(fit.theta))
    np.testing.assert_allclose(units.sum(-1), likelihood, rtol=1e-4, atol=1e-3)
    fit.save(tmp_path / "fit.nc")
    again = load_fit(tmp_path / "fit.nc")
    assert again.verdict == fit.verdict and again.reason == fit.reason and again.log_evidence == fit.log_evidence
    np.testing.assert_array_equal(again.theta, fit.theta)
    np.testing.assert_array_equal(again.path()["state"], fit.path()["state"])
    with pytest.raises(BadInput, match=r"x\.json: .*"):
        (tmp_path / "x.json").write_text("{}")
        load_fit(tmp_path / "x.json")


def test_the_evidence_is_that_of_the_whole_space(good):
    """Against the mean likelihood of 200,000 draws from the prior, within 5 standard errors of both."""
    model = good.amortized.model
    _, data, _ = simulate(model, 5, dtype=np.float32)
    theta = jax.vmap(model.sample_prior)(jax.random.split(jax.random.key(2), 200_000))
    log_lik = jax.jit(lambda t: jax.lax.map(lambda x: model.log_likelihood(x, data), t, batch_size=5000))(theta)
    expected, error = psis.evidence(np.asarray(log_lik, dtype=float))
    fit = good.fit(data, seed=1)
    assert error < 0.2 and fit.log_evidence_error < 0.02
    assert abs(fit.log_evidence - expected) < 5 * np.hypot(error, fit.log_evidence_error)


def test_too_few_units_are_said_in_warnings_and_verdict(good):
    _, data, _ = simulate(good.amortized.model, 5, dtype=np.float32)
    fit = good.fit(data._replace(y=data.y[:12], mask=data.mask[:12]), seed=1)
    assert "N = 12 units lies outside 100," in fit.warnings[0] and "N = 12" in fit.reason
    assert fit.verdict in ("PSIS", "MCMC")


def test_joint_paths_have_the_smoothing_probabilities(good):
    """Shares of 2,000 joint draws against the exact smoother averaged over their thetas, 6 standard errors a unit."""
    model = good.amortized.model
    _, data, _ = simulate(model, 6, dtype=np.float32)
    fit = good.fit(data, seed=1)
    paths = np.concatenate([fit.paths(DRAWS, seed=s) for s in range(10)])
    exact = jax.vmap(lambda t: jnp.exp(model.state_log_probs(t, data)["smoothing"]))(jnp.asarray(fit.theta))
    p = np.asarray(exact).mean(0)[:, 1]
    assert np.all(np.abs(paths.mean(0) - p) < 6 * np.sqrt(p * (1 - p) / len(paths)) + 1e-3)


def test_tables_of_a_fit(good):
    fit = good.fit(simulate(good.amortized.model, 7, dtype=np.float32)[1], seed=1)
    summary, states = fit.summary(), fit.states()
    np.testing.assert_allclose(summary["mean"], fit.theta.mean(0))
    assert list(summary.index) == list(good.amortized.model.parameter_names)
    np.testing.assert_allclose(states[["P(state 1)", "P(state 2)"]].sum(axis=1), 1, atol=1e-4)
    assert (states["state 1, low"] <= states["state 1, high"]).all() and list(states["unit"]) == list(range(1, 101))
    assert fit.verdict in repr(fit) and fit.to_arviz() is fit.tree
    for draw in (fit.plot_posterior, fit.plot_states, fit.plot_predictive):
        assert draw().axes


def test_networks_that_are_hardly_trained_say_so(trained):
    """Weights cannot correct them: MCMC, in verdict and warnings, and the raw draws are not called better."""
    ours = hardly(trained)
    fit = ours.fit(simulate(ours.amortized.model, 5, dtype=np.float32)[1], seed=1)
    assert fit.verdict == "MCMC" and fit.tree.attrs["posterior"] == "flow"
    assert any("hardly trained" in w for w in fit.warnings) and any(w.startswith("MCMC: ") for w in fit.warnings)
    np.testing.assert_array_equal(fit.theta, trees.draws(fit.tree, "flow"))


def test_without_a_likelihood_there_are_draws_probabilities_and_paths(trained):
    blind = hardly(trained, change=without_density)
    _, data, _ = simulate(trained("gaussian_hmm")[1].model, 5, dtype=np.float32)
    fit = blind.fit(data, seed=1)
    assert fit.verdict == "UNRELIABLE" and "hardly trained" in fit.reason and "no density" in fit.reason
    assert fit.log_evidence is None and "log_likelihood" not in fit.tree
    assert set(fit.tree["sample_stats"].data_vars) == {"log_q"}
    assert len(fit.path()) == 100 and fit.paths(3).shape == (3, 100)


def test_data_far_outside_the_simulations_are_named(good):
    """Whatever the networks answer: the unit, its value, and the same words in the verdict."""
    _, data, _ = simulate(good.amortized.model, 8, dtype=np.float32)
    far = data._replace(y=np.where(np.arange(100)[:, None, None] == 41, 1e4, data.y))
    fit = good.fit(far, seed=1)
    assert any("y of unit 42 is 10000, far outside all simulated data sets" in w for w in fit.warnings)
    assert fit.verdict != "ABI"


def test_draws_that_are_not_finite_are_never_fine(good, monkeypatch):
    _, data, _ = simulate(good.amortized.model, 8, dtype=np.float32)
    sample = good.amortized.sample

    def broken(*arguments):
        drawn = sample(*arguments)
        return drawn._replace(theta=np.where(np.arange(len(drawn.theta))[:, None] == 3, np.nan, drawn.theta))

    monkeypatch.setattr(good.amortized, "sample", broken)
    fit = good.fit(data, seed=1)
    assert fit.verdict == "MCMC" and "not finite" in fit.reason and any("not finite" in w for w in fit.warnings)


def test_a_reference_is_kept_as_a_file(good, tmp_path):
    good.reference.save(tmp_path / "reference.npz")
    for ours, theirs in zip(good.reference, Reference.load(tmp_path / "reference.npz")):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    (tmp_path / "reference.npz").write_bytes(b"PK")
    with pytest.raises(BadInput, match=r"reference\.npz: damaged"):
        Reference.load(tmp_path / "reference.npz")
