"""Fits of data with gaps by pretrained networks, and observations that decide a fit alone."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import amortmix as am
from amortmix.inference.influence import extremes
from amortmix.model import registry, tables

RACE = registry.find("evidence_accumulation")
HMM = registry.find("gaussian_hmm")
#: Model -> which of its pretrained networks: those of the paper know the states of gaussian_hmm to 0.03.
DESIGNS = {"evidence_accumulation": "wide", "gaussian_hmm": "paper"}


@pytest.fixture(scope="module")
def networks():
    return {name: am.load(name, design=design) for name, design in DESIGNS.items()}


@pytest.fixture(scope="module")
def trials():
    """340 simulated trials as a table, by the declaration."""
    theta = jnp.array([0.85, 0.92, 0.5, 2.0, 5.5, 2.5, 5.0, 0.15])
    y, _ = jax.jit(RACE.simulate)(jax.random.key(11), theta, jnp.ones((340, 1)))
    return pd.DataFrame({"rt": y[:, 0, 0], "accumulator": np.where(y[:, 0, 1] > 0, 1, 2)})


def fitted(nets, frame, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return nets.fit(tables.read(nets.engine.model, frame, **options), draws=1000)


@pytest.mark.parametrize(("values", "options"), [((0.012,), {"min_rt": 0.1}), ((8.0, 8.1), {"max_rt": 5.0})])
def test_what_decides_a_fit_alone_is_named(networks, trials, values, options):
    """Declared missing, the trials change nothing: means within 0.25 posterior sd of those of the clean data."""
    nets, spoilt = networks["evidence_accumulation"], trials.copy()
    where = [90, 200][: len(values)]
    spoilt.loc[where, "rt"] = values
    found = fitted(nets, spoilt)
    named = next(w for w in found.warnings if "decides the fit alone" in w)
    assert all(f"of unit {i + 1}" in named for i in where) and next(iter(options)) in named
    assert found.verdict != "ABI"
    mended, clean = fitted(nets, spoilt, **options), fitted(nets, trials)
    assert mended.verdict in ("ABI", "PSIS") and mended.tree.attrs["not_observed"] == len(where)
    difference = (mended.summary()["mean"] - clean.summary()["mean"]) / clean.summary()["sd"]
    assert difference.abs().max() < 0.25


def test_clean_data_name_nothing(networks, trials):
    assert not any("decides" in w for w in fitted(networks["evidence_accumulation"], trials).warnings)


def test_extremes_are_those_beyond_the_largest_gap():
    y = np.r_[np.linspace(1.0, 2.0, 40), 30.0, 33.0]
    found = extremes(RACE, tables.read(RACE, pd.DataFrame({"rt": np.clip(y, 0, 29), "accumulator": 1})).data)
    assert found[0].end == "max" and list(found[0].units) == [40, 41] and found[0].next == pytest.approx(2.0)


def test_states_of_missing_units_come_from_their_neighbours(networks):
    """State probabilities of a fit with a gap against the exact smoother at its own draws: 0.02, that of their mean."""
    rng = np.random.default_rng(5)
    unit = np.repeat([*range(1, 41), *range(61, 101)], 3)
    frame = pd.DataFrame({"unit": unit, "y": rng.normal(np.where(unit % 9 < 5, -1.2, 1.1), 1)})
    fit = fitted(networks["gaussian_hmm"], frame)
    states = fit.states()
    assert list(states["unit"]) == list(range(1, 101)) and list(states.loc[~states["observed"], "unit"]) == [
        *range(41, 61)
    ]
    assert "20 of 100 units were not observed; in training none" in fit.warnings
    wide = fitted(am.load("gaussian_hmm", design="wide"), frame)
    assert not any("not observed" in warning for warning in wide.warnings)
    data = tables.read(HMM, frame).data
    exact = jax.jit(jax.vmap(lambda t: jnp.exp(HMM.state_log_probs(t, data)["smoothing"])))(jnp.asarray(fit.theta))
    np.testing.assert_allclose(states["P(state 2)"], np.asarray(exact)[:, :, 1].mean(0), atol=0.03)
    assert fit.path()["state"].isin(HMM.states).all() and fit.paths(5).shape == (5, 100)


def test_mcmc_of_gaps_is_that_of_the_declaration(networks):
    """Two sequences and missing units: NUTS of NumPyro against importance weighted draws, 0.2 posterior sd."""
    rng = np.random.default_rng(6)
    frame = pd.concat(
        [
            pd.DataFrame({"session": s, "unit": np.repeat(range(1, 46), 3), "y": rng.normal(np.repeat(m, 3), 1)})
            for s, m in (
                ("am", np.where(np.arange(45) < 25, -1.5, 1.5)),
                ("pm", np.where(np.arange(45) % 20 < 9, 1.5, -1.5)),
            )
        ],
        ignore_index=True,
    )
    frame.loc[30:38, "y"] = np.nan
    nets = networks["gaussian_hmm"]
    fit = fitted(nets, frame, sequence="session")
    mcmc = nets.mcmc(tables.read(nets.model, frame, sequence="session"), warmup=500, draws=500)
    assert mcmc.tree.attrs["engine"].startswith("numpyro")
    difference = (fit.summary()["mean"] - mcmc.summary()["mean"]) / mcmc.summary()["sd"]
    assert fit.verdict == "PSIS" and difference.abs().max() < 0.2
