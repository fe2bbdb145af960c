"""A fit and its file: exact densities, weights, corrected draws, verdicts, and what is missing without them."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import simulate
from test_amortized import without_density

from amortmix.inference import psis
from amortmix.inference.amortized import Amortized
from amortmix.inference.engine import Answer, Draws
from amortmix.inference.fitting import STATES_ERROR, Fitter
from amortmix.inference.many import fit_many, in_order
from amortmix.inference.parts import read_parts
from amortmix.inference.reference import Reference, make_reference
from amortmix.inference.saved import load_fit
from amortmix.inference.weighted import AMPLE
from amortmix.storage import pretrained
from amortmix.storage import tree as trees
from amortmix.storage.bundle import load_bundle
from amortmix.storage.files import BadInput

DRAWS, PROPOSALS = 200, 2000


@pytest.fixture(scope="module")
def good():
    """Pretrained networks of case study 2 with a reference, so that weights are good."""
    amortized = Amortized.of(load_bundle(pretrained.folder_of("gaussian_hmm", "paper", "paper")))
    return Fitter(amortized, DRAWS, PROPOSALS, make_reference(amortized, 1, simulations=200))


def hardly(trained, name="gaussian_hmm", change=lambda model: model):
    training, amortized = trained(name)
    return Fitter(Amortized(change(amortized.model), training.estimator, amortized.card), DRAWS, PROPOSALS)


def all_of(fitter, sets, **options):
    """`fit_many` of a mapping."""
    return fit_many(fitter, read_parts(fitter.amortized.model, sets), **options)


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


@pytest.mark.parametrize(
    ("density", "verdict", "words"),
    [(None, "MCMC", "some draws of the networks are not finite"), (-np.inf, "PSIS", "not finite and have no weight")],
)
def test_a_draw_that_is_not_finite_is_never_fine(good, monkeypatch, density, verdict, words):
    """Far out, without a density, it is said and the weighted means stay (5 Monte Carlo errors); else run MCMC."""
    _, data, _ = simulate(good.amortized.model, 8, dtype=np.float32)
    expected, answer = good.fit(data, seed=1), good.amortized.answer

    def broken(*arguments):
        (theta, u, log_q), log_joint, summary = answer(*arguments)
        theta, log_joint = theta.copy(), log_joint.copy()
        theta[3], log_joint[3] = np.inf, log_joint[3] if density is None else density
        return Answer(Draws(theta, u, log_q), log_joint, summary)

    monkeypatch.setattr(good.amortized, "answer", broken)
    fit = good.fit(data, seed=1)
    assert fit.verdict == verdict and words in fit.reason and any(words in w for w in fit.warnings)
    if verdict == "PSIS":
        distance = np.abs(fit.theta.mean(0) - expected.theta.mean(0)) / expected.theta.std(0)
        assert distance.max() < 5 * np.sqrt(2 / DRAWS)


def test_a_reference_is_kept_as_a_file(good, tmp_path):
    good.reference.save(tmp_path / "reference.npz")
    for ours, theirs in zip(good.reference, Reference.load(tmp_path / "reference.npz")):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    (tmp_path / "reference.npz").write_bytes(b"PK")
    with pytest.raises(BadInput, match=r"reference\.npz: damaged"):
        Reference.load(tmp_path / "reference.npz")


def test_one_program_says_what_its_parts_say(good):
    """Draws of `sample`, the exact log joint density of each, and the summary."""
    amortized = good.amortized
    _, data, _ = simulate(amortized.model, 5, dtype=np.float32)
    found, drawn = amortized.answer(data, 50, 3), amortized.sample(data, 50, 3)
    np.testing.assert_allclose(found.draws.theta, drawn.theta, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.log_joint, amortized.log_joint(data, drawn.theta), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.summary, amortized.summarize(data), rtol=1e-4, atol=1e-4)


def test_more_proposals_only_where_the_effective_number_asks(good, trained):
    """Good networks keep to the fewest; proposals adapted for others stop at the most, or where they suffice."""
    _, data, _ = simulate(good.amortized.model, 5, dtype=np.float32)
    fit = Fitter(good.amortized, DRAWS, (DRAWS, 3 * DRAWS), good.reference).fit(data, seed=1)
    assert fit.tree.attrs["proposals"] == DRAWS and fit.tree.attrs["proposals_ess"] >= AMPLE * DRAWS
    bad = hardly(trained).amortized
    with pytest.raises(BadInput, match=r"\[600, 200\] draws: expected"):
        Fitter(bad, DRAWS, (3 * DRAWS, DRAWS))
    attrs = Fitter(bad, DRAWS, (DRAWS, 3 * DRAWS)).fit(data, seed=1).tree.attrs
    assert attrs["pareto_k"] > 0.7 and attrs["adapted"] == 1
    assert attrs["proposals"] == 3 * DRAWS or attrs["proposals_ess"] >= AMPLE * DRAWS


def test_few_proposals_and_few_states_agree_with_many(good):
    """Weighted means of the two ways to resample within 5 standard errors, states within 5 of their stated error."""
    _, data, _ = simulate(good.amortized.model, 5, dtype=np.float32)
    few = Fitter(good.amortized, 1000, (1000, 4000), good.reference, states=(64, 1000)).numbers(data, seed=1)
    many = Fitter(good.amortized, 1000, 10_000, good.reference).numbers(data, seed=2)
    spread = many.best.theta.std(0)
    error = spread * np.sqrt(1 / few.attrs["proposals_ess"] + 1 / 1000 + 1 / 1000)
    assert np.all(np.abs(few.best.theta.mean(0) - many.best.theta.mean(0)) < 5 * error)
    assert few.attrs["states_draws"] < 1000 and few.attrs["states_error"] <= STATES_ERROR
    difference = few.states["smoothing"][0] - many.states["smoothing"][0]
    assert np.abs(difference).max() < 5 * np.hypot(few.attrs["states_error"], many.attrs["states_error"])


def test_states_take_as_many_draws_as_their_error_needs(good, monkeypatch):
    """With a smaller error asked for, more draws; the stated error is the spread over the root of their number."""
    _, data, _ = simulate(good.amortized.model, 5, dtype=np.float32)
    fitter = Fitter(good.amortized, 400, (400, 400), states=(50, 400))
    monkeypatch.setattr("amortmix.inference.fitting.STATES_ERROR", 0.008)
    found = fitter.numbers(data, seed=1)
    number = found.attrs["states_draws"]
    assert 50 < number <= 400
    p = good.amortized.probabilities(data, found.best.u[:number])["smoothing"]
    np.testing.assert_allclose(found.attrs["states_error"], (p.std(0) / np.sqrt(number)).max(), rtol=1e-4)
    assert found.attrs["states_error"] <= 0.008 or number == 400


def test_all_draws_are_used_where_no_number_suffices(good, monkeypatch):
    """Also the last ones, which fill no whole piece."""
    _, data, _ = simulate(good.amortized.model, 5, dtype=np.float32)
    monkeypatch.setattr("amortmix.inference.fitting.STATES_ERROR", 0.0)
    assert Fitter(good.amortized, 130, 130, states=(50, 130)).numbers(data, seed=1).attrs["states_draws"] == 130
    with pytest.raises(BadInput, match="draws is 5; expected at least 25"):
        Fitter(good.amortized, 5, 5)


def test_quantiles_are_numpys_and_nan_where_a_draw_is(good):
    p = np.random.default_rng(1).random((37, 4, 2)).astype(np.float32)
    p[3, 2, 1] = np.nan
    found = trees.summarize_probabilities({"h": p})["h"]
    np.testing.assert_allclose(found[1:], np.quantile(p, list(trees.QUANTILES.values()), axis=0), atol=1e-6)


def test_a_fit_does_not_depend_on_those_beside_it(good, tmp_path, monkeypatch):
    """Threads or none, with neighbours or alone, in memory or on disk: the same numbers, in the order of the names."""
    sets = {name: simulate(good.amortized.model, 20 + i, dtype=np.float32)[1] for i, name in enumerate("dcba")}
    monkeypatch.setenv("NPROC", "3")
    fits = all_of(good, sets, seed=5)
    kept = all_of(good, sets, seed=5, folder=tmp_path)
    assert list(fits) == list(sets) == list(fits.summary().index) and len(kept) == 4
    for number, (name, data) in enumerate(sets.items()):
        alone = good.fit(data, seed=5 + number)
        np.testing.assert_array_equal(fits[name].theta, alone.theta)
        np.testing.assert_array_equal(kept[name].theta, alone.theta)
        assert fits.summary().loc[name, "verdict"] == kept[name].verdict == alone.verdict
        np.testing.assert_array_equal(kept[name].paths(3), alone.paths(3))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a/b"], "'a/b': cannot be the name of a file"),
        ([".."], "'..': cannot be"),
        ([""], "'': cannot be"),
        (["x" * 300], "cannot be the name of a file"),
        (["a\0b"], "cannot be the name of a file"),
        ([1, "1"], "'1': a second one of this name"),
        (["A", "a"], "'a': a second one of this name"),
    ],
)
def test_names_that_cannot_be_files_are_problems_where_there_is_a_folder(good, tmp_path, names, words):
    _, data, _ = simulate(good.amortized.model, 5, dtype=np.float32)
    folder = tmp_path / "fits"
    fits = all_of(good, {"fine": data} | dict.fromkeys(names, data), seed=1, folder=folder)
    assert words in fits.problems[names[-1]] and len(fits.problems) == 1 and "fine" in fits
    assert {path.name for path in folder.iterdir()} == {f"{name}.nc" for name in fits}
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file: a file; expected a folder"):
        all_of(good, {"fine": data}, seed=1, folder=tmp_path / "file")


def test_any_name_and_no_data_set_at_all(good):
    """In memory a name is whatever can be a key."""
    _, data, _ = simulate(good.amortized.model, 5, dtype=np.float32)
    fits = all_of(good, {("a", 1): data, 7: data}, seed=1)
    assert list(fits.summary().index) == [("a", 1), 7] == list(fits)
    assert len(all_of(good, {}, seed=1)) == 0


def test_work_comes_back_in_order_and_its_error_too(monkeypatch):
    monkeypatch.setenv("NPROC", "4")
    assert list(in_order(lambda i: (time.sleep(0.01 * (i % 3)), i)[1], range(20))) == list(range(20))
    assert list(in_order(str, [])) == []
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda i: 1 / (i - 7), range(20)))
