"""The library as a user meets it: load, fit, fit_many, train, load again, and refusals in one line."""

import numpy as np
import pandas as pd
import pytest

import amortmix as am
from amortmix.training.recipes import default_recipe

TRIALS = "data/dutilh2011/dutilh_2010_subject_A.csv"


@pytest.fixture(scope="module")
def nets():
    return am.load("gaussian_hmm", prior="paper", design="paper")


@pytest.fixture(scope="module")
def table(nets):
    data, _ = nets.model.simulate_demo("hmm_demo")
    n, p = data.mask.shape
    return pd.DataFrame({"unit": np.repeat([f"day {i}" for i in range(n)], p), "y": data.y.ravel()})


def test_a_path_a_table_and_an_array_are_the_same_data(nets, table, tmp_path):
    table.to_csv(tmp_path / "me.csv", index=False)
    array = table["y"].to_numpy().reshape(100, 3)
    fits = [nets.fit(source, draws=100) for source in (tmp_path / "me.csv", table, array)]
    for fit in fits[1:]:
        np.testing.assert_allclose(fit.theta, fits[0].theta, rtol=1e-5)
    assert fits[0].labels[:2] == ("day 0", "day 1") and fits[2].labels[:2] == (1, 2)


def test_many_data_sets_in_one_table(nets, table):
    both = pd.concat([table.assign(who="a"), table.iloc[::-1].assign(who="b")])
    fits = nets.fit_many(both, by="who", draws=100)
    assert list(fits) == ["a", "b"] and list(fits.summary().index) == ["a", "b"]
    np.testing.assert_array_equal(fits["a"].theta, nets.fit(table, draws=100, seed=1).theta)
    assert {"mu_1 mean", "pareto_k", "verdict", "reason"} <= set(fits.summary().columns)
    with pytest.warns(UserWarning, match=r"data set b: the table, row 0: y is inf; expected a finite number"):
        fits = nets.fit_many({"a": table, "b": table.assign(y=np.inf)}, draws=100)
    assert list(fits) == ["a"] and list(fits.problems) == ["b"]


@pytest.mark.parametrize("design", ["wide", "paper"])
def test_a_fit_says_which_networks_it_took(design, tmp_path):
    """Those that were loaded, for the numbers of units of their card; its file says it too."""
    nets = am.load("gaussian_mixture", design=design, engine="exported")
    low, high = (nets.card.get("design") or nets.card)["units"]
    fit = nets.fit(np.random.default_rng(1).normal(size=(150, 2)), draws=50)
    assert f"; networks: {design}, for {low:,} to {high:,} units>" in repr(fit)
    fit.save(tmp_path / "me.nc")
    assert repr(am.load_fit(tmp_path / "me.nc")) == repr(fit)


def test_public_names_are_there():
    for name in am.__all__:
        assert getattr(am, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        am.fitt  # noqa: B018  the access is the test


def test_an_own_model_is_trained_loaded_and_refused_when_it_changes(tmp_path, capsys):
    model = am.find("models/gaussian_scales.py")
    recipe = default_recipe(model, smoke=True)
    nets = am.train(model, steps=4, recipe=recipe, folder=tmp_path / "nets", assess=False)
    assert nets.card["steps"] == 4 and not (tmp_path / "nets" / "checkpoint.npz").exists()
    data = np.random.default_rng(1).normal(size=150)
    ours, theirs = nets.fit(data, draws=50), am.load(tmp_path / "nets").fit(data, draws=50)
    np.testing.assert_array_equal(ours.theta, theirs.theta)
    assert "networks: nets, for 100 to 300 units" in repr(ours) and repr(ours) == repr(theirs)
    nets.save(tmp_path / "copy")
    assert am.load(tmp_path / "copy", model=model).card == nets.card
    with pytest.raises(am.BadInput, match=r"units is \[100, 300\] there and \[100, 200\] here"):
        am.load(tmp_path / "nets", model=model.changed(units=(100, 200)))


def test_training_ends_with_a_sentence(tmp_path, capsys):
    model = am.find("models/gaussian_scales.py")
    settings = {"datasets": 40, "draws": 50, "gap_datasets": 20, "gap_draws": 100, "share_draws": 20}
    recipe = default_recipe(model, smoke=True)
    nets = am.train(model, steps=4, recipe=recipe, folder=tmp_path / "nets", assess=False)
    quality = nets.validate(**settings)
    assert not quality.good and quality.sentence.startswith("Train longer")
    assert quality.metrics["settings"] == settings and quality.metrics["sha256"] == nets.card["sha256"]
    assert quality.recovery.sizes == {"dataset": 40, "parameter": len(model.parameters)}
    gaps = quality.recovery["gap"].values
    assert np.isnan(gaps[20:]).all()
    assert gaps[:20].mean() == pytest.approx(quality.metrics["gap_nats"]["mean"], rel=1e-4)
    for words in ("nats per data set (at most 0.15)", "nats per unit (at most 0.001)", "SBC ranks"):
        assert words in quality.sentence


def test_what_cannot_be_loaded_is_one_line(tmp_path):
    for name, words in (
        ("nobody", "no pretrained networks of 'nobody'; expected one of evidence_accumulation, "),
        (tmp_path, "no card.json; expected a folder that amortmix.train wrote"),
    ):
        with pytest.raises(am.BadInput, match=words):
            am.load(name)
    with pytest.raises(am.BadInput, match="under the prior 'flat'; expected paper or reference"):
        am.load("gaussian_hmm", prior="flat")


def test_real_trials_have_a_verdict():
    """Participant A: the verdict stands on the fit, with its reason."""
    fit = am.load("evidence_accumulation", prior="paper").fit(pd.read_csv(TRIALS).iloc[:400], draws=500)
    assert fit.verdict in ("ABI", "PSIS", "MCMC") and "k-hat" in fit.reason
    assert fit.states().shape[0] == 400 and set(fit.path()["state"]) <= {"guessing", "controlled"}


def test_mcmc_on_the_same_declaration(nets, table, tmp_path):
    """NUTS and the weighted draws agree: means within 5 Monte Carlo errors of some 150 effective draws."""
    ours, theirs = nets.fit(table), nets.mcmc(table, chains=2, warmup=200, draws=200, engine="numpyro")
    assert theirs.verdict in ("CONVERGED", "NOT CONVERGED") and "R-hat" in theirs.reason
    distance = np.abs(ours.theta.mean(0) - theirs.theta.mean(0)) / theirs.theta.std(0)
    assert distance.max() < 5 / np.sqrt(150)
    theirs.save(tmp_path / "mcmc.nc")
    assert am.load_fit(tmp_path / "mcmc.nc").reason == theirs.reason
