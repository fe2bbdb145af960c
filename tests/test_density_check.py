"""The own check of a learned density: silent where it is the simulator's, loud where it is not."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import distributions as dist
from numpyro import sample

import amortmix as am
from amortmix.diagnostics.quality import quality_of
from amortmix.inference.members import flaw
from amortmix.inference.psis import Psis
from amortmix.inference.verdict import Facts, judge
from amortmix.mcmc.results import McmcFit
from amortmix.mcmc.tree import verdict_of
from amortmix.model.factors import COMPONENTS
from amortmix.model.learned import LearnedDensity
from amortmix.training import density as learning
from amortmix.training import density_check
from amortmix.training.density_check import Curve, check


def prior():
    return {"start": sample("start", dist.LogNormal(-1, 0.5)), "other": sample("other", dist.Normal(0, 1))}


def simulate_unit(key, p, z):
    """A log-normal time above its start, later in the second state."""
    return jnp.atleast_1d(p["start"] + jnp.exp(0.5 * z - 1 + 0.4 * jax.random.normal(key)))


def drifting(key, p, z):
    """The same for theta as the prior makes it, but not at any one theta."""
    noise = 0.8 * jax.random.normal(key) + 0.6 * p["other"]
    return jnp.atleast_1d(p["start"] + jnp.exp(0.5 * z - 1 + 0.4 * noise))


MODEL = am.Mixture(
    name="timed",
    states=("early", "late"),
    prior=prior,
    simulate_unit=simulate_unit,
    columns={"time": am.Positive()},
    below={"start": "time"},
    units=(40, 40),
)


@pytest.fixture(scope="module")
def exact():
    """Networks without weights, whose biases are the one normal that the logarithm of time above its start has."""
    blank = learning._standardized(MODEL, jax.random.key(0))
    layers = jax.tree.map(jnp.zeros_like, learning._initial(blank, MODEL, jax.random.key(1)))
    weights, biases = layers["time"][-1]
    location, scale = blank.scaling["time"]
    means = (np.array([-1.0, -0.5]) - location)[:, None] / scale
    biases = biases.at[..., COMPONENTS : 2 * COMPONENTS].set(means).at[..., 2 * COMPONENTS :].set(np.log(0.4 / scale))
    return replace(blank, layers={"time": [*layers["time"][:-1], (weights, biases)]})


def moved(density, part, by):
    """A density with other locations (part 1) or log scales (2) of all components, standardized."""
    *first, (weights, biases) = density.layers["time"]
    biases = biases.at[..., part * COMPONENTS : (part + 1) * COMPONENTS].add(by)
    return replace(density, layers={"time": [*first, (weights, biases)]})


def checked(density, model=MODEL, seed=1, before=None):
    """The report of a density; ``before`` is what it was in the middle of its training."""
    units = jax.jit(learning.simulate, static_argnums=(0, 3, 4))(model, None, jax.random.key(seed), 1, 4000)
    curve = Curve(model, lambda layers: replace(density, layers=layers), units, 100)
    for step in sorted(curve.marks):
        curve.add(step, density.layers if before is None or step > 50 else before.layers)
    return check(model, density, units, curve, seed)


def test_the_density_of_the_simulator_passes(exact):
    report = checked(exact)
    assert report["problems"] == [] and flaw(report) is None
    assert report["gain"] == 0 and report["divergence"] == 0 and len(report["curve"]) == 8
    assert set(report["deviations"]) == {"time, early", "time, late"}


def test_few_right_densities_fail(exact):
    """The bands alone fail one of 200: at most 5 of 200 by chance, but one in 2,000 times."""
    draw = jax.jit(lambda key: learning.simulate(MODEL, None, key, 1, 4000))
    transform = jax.jit(lambda v, noise: exact.transforms(MODEL, v.y, v.theta, None, noise))
    outside, finite, noise = 0, np.ones((2, 4000), bool), jnp.zeros((2, 4000, 1))
    for seed in range(200):
        found = density_check.calibration(np.asarray(transform(draw(jax.random.key(seed)), noise)), finite)
        outside += (found.deviations > found.band).any()
    assert outside <= 5


@pytest.mark.parametrize(("part", "by"), [(1, 0.1), (2, 0.15), (2, -0.15)], ids=["location", "wide", "narrow"])
def test_a_wrong_location_or_scale_is_found(exact, part, by):
    """A tenth of a standard deviation, or scales that are wrong by 15 %, in the column and the states where it is."""
    report = checked(moved(exact, part, by))
    assert any("the distribution of time" in p for p in report["problems"])
    assert all(v > report["band"] for v in report["deviations"].values())


def test_a_density_that_is_right_on_average_alone_is_found(exact):
    """It ignores a parameter that moves units: every column is uniform, but the classifier tells them by theta."""
    report = checked(exact, MODEL.changed(simulate_unit=drifting))
    assert all(v < report["band"] for v in report["deviations"].values())
    (problem,) = report["problems"]
    assert "a classifier tells its units" in problem
    assert report["classifier"] - 0.5 > 5 * report["classifier_se"]


def test_a_cross_entropy_that_falls_is_told(exact):
    """Half of the training with a location that is wrong by d standard deviations: the second half gained d^2 / 2."""
    off = 0.2 * 0.4 / exact.scaling["time"][1]
    report = checked(exact, before=moved(exact, 1, off))
    assert report["gain"] == pytest.approx(0.2**2 / 2, abs=4 * report["gain_se"])
    assert report["problems"] == [p for p in report["problems"] if "cross-entropy still falls" in p] != []


def test_members_that_disagree_are_told(exact):
    """Two members, off by d to either side: each diverges by d^2 / 2, their average far less."""
    apart = 0.4 / exact.scaling["time"][1] * jnp.array([0.3, -0.3])[:, None, None]
    report = checked(moved(exact, 1, apart))
    assert any("members disagree" in p for p in report["problems"])


def test_what_follows_from_a_density_that_failed():
    """Whatever k-hat, R-hat and the gap say under it; reports that know of no check say nothing."""
    report = {"divergence": 1e-5, "problems": ["its members disagree"]}
    wrong = flaw(report)
    assert "failed its own check" in wrong and "its members disagree" in wrong
    verdict = judge(Facts(True, Psis(np.zeros(4000), 0.1), 0.5, flaw=wrong))
    assert verdict == ("UNRELIABLE", wrong)
    chains = McmcFit(
        np.random.default_rng(1).normal(size=(4, 500, 2)), {"diverging": np.zeros((4, 500))}, "", 0.0, 0.0, []
    )
    density = LearnedDensity({}, None, None, {}, None, report)
    assert verdict_of(chains)[0] == "CONVERGED" and verdict_of(chains, density) == ("UNRELIABLE", wrong)
    metrics = {"sbc": {"inside": True}, "density": report}
    assert not quality_of(metrics, None).good and wrong in quality_of(metrics, None).sentence
    for known in ({}, None, {"divergence": 1e-5}, {"divergence": 1e-5, "problems": []}):
        assert flaw(known) is None
    assert quality_of(metrics | {"density": {"divergence": 1e-5}}, None).good


def test_a_density_that_was_hardly_trained_fails_and_says_so():
    """A hundred steps: all that a user sees of it, from the training on."""
    report = am.learn_density(MODEL, steps=100).density.report
    assert [step for step, _ in report["curve"]] == [12, 25, 37, 50, 62, 75, 87, 100]
    values = [value for _, value in report["curve"]]
    assert values == sorted(values, reverse=True) and report["gain"] == pytest.approx(values[3] - values[-1], abs=1e-4)
    assert any("cross-entropy still falls" in p for p in report["problems"])
