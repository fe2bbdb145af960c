"""`check` passes what is declared correctly, of every form, and fails the right row of what is not."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
import pytest
from numpyro import sample

from amortmix.model import check_data, check_exact, check_statistics, registry
from amortmix.model.check import Report, Row, check, run
from amortmix.model.check_setting import Setting
from amortmix.model.columns import Choice, NonNegativeInteger, Positive, Real
from amortmix.model.distributions import ordered
from amortmix.model.hmm import two_state
from amortmix.model.markov import HiddenMarkov
from amortmix.model.mixture import Mixture

EXAMPLES = sorted((Path(__file__).parents[1] / "models").glob("*.py"))
CHECKS = (*check_data.CHECKS, *check_exact.CHECKS, *check_statistics.CHECKS)


def two_means():
    mu = sample("mu", ordered(dist.Normal(0, 2), 2))
    share = sample("share", dist.Beta(2, 4))
    return {"mu": mu, "weights": jnp.stack([share, 1 - share])}


def two_groups(kind=Mixture, **fields):
    """A small correct mixture, or one with some fields in the place of its own."""
    given = {
        "weights": lambda p: p["weights"],
        "emission": lambda p: dist.Normal(p["mu"], 1),
        **fields,
    }
    return kind(states=("low", "high"), prior=two_means, units=(20, 30), **given)


def chain_prior():
    return {
        "stay": sample("stay", dist.Beta(8, 2).expand([2]).to_event(1)),
        "mu": sample("mu", ordered(dist.Normal(0, 2), 2)),
    }


def chained(**fields):
    given = {"transitions": lambda p: two_state(p["stay"]), "emission": lambda p: dist.Normal(p["mu"], 1), **fields}
    return HiddenMarkov(states=("low", "high"), prior=chain_prior, units=(20, 30), **given)


def one_class():
    def prior():
        scale = sample("scale", dist.HalfNormal(1))
        return {"mu": sample("mu", dist.Normal(0, 1 + scale)), "scale": scale}

    emission = lambda p: dist.Normal(p["mu"], p["scale"])  # noqa: E731
    return Mixture(states=("all",), prior=prior, emission=emission, units=(5, 20), observations=(1, 3))


def plane():
    def prior():
        mu = sample("mu", dist.Normal(0, 3).expand([2, 2]).to_event(2))
        return {"mu": mu, "stay": sample("stay", dist.Beta(8, 2).expand([2]).to_event(1))}

    return HiddenMarkov(
        states=("here", "there"),
        prior=prior,
        transitions=lambda p: two_state(p["stay"]),
        emission=lambda p: dist.MultivariateNormal(p["mu"], jnp.array([[1, 0.5], [0.5, 1]])),
        columns={"east": Real(), "north": Real()},
        units=(20, 40),
        observations=(1, 2),
    )


def dose():
    def prior():
        level = sample("level", ordered(dist.Normal(1, 1), 2))
        return {"level": level, "slope": sample("slope", dist.Normal(0, 0.5))}

    return Mixture(
        states=("calm", "busy"),
        prior=prior,
        emission=lambda p, x: dist.Poisson(jnp.exp(p["level"] + p["slope"] * x["dose"])),
        columns={"count": NonNegativeInteger()},
        covariates={"dose": dist.Normal(0, 1)},
        units=(20, 40),
    )


def families():
    return chained(emission=lambda p: [dist.Normal(p["mu"][:1], 1), dist.StudentT(4, p["mu"][1:], 0.5)])


def answers():
    """Times and choices without a density."""

    def prior():
        speed = sample("speed", ordered(dist.LogNormal(0, 0.5), 2))
        return {"speed": speed, "rest": sample("rest", dist.Exponential(5))}

    def simulate_unit(key, p, z):
        time, choice = jax.random.split(key)
        return jnp.stack(
            [p["rest"] + jax.random.exponential(time) / p["speed"][z], jax.random.bernoulli(choice, 0.3 + 0.5 * z)]
        )

    return HiddenMarkov(
        states=("slow", "fast"),
        prior=prior,
        transitions=lambda p: jnp.array([[0.9, 0.1], [0.2, 0.8]]),
        simulate_unit=simulate_unit,
        columns={"time": Positive(), "choice": Choice({1: 1.0, 2: 0.0})},
        below={"rest": "time"},
        units=(20, 40),
    )


def test_every_model_of_the_library_passes(model):
    report = check(model)
    assert report.passed, report
    for variant in list(model.variants)[1:]:
        assert not failed(model.with_prior(variant), {"simulation", "prior", "states", "features", "round trip"})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_example_passes(path):
    report = check(registry.find(path))
    assert report.passed, report


@pytest.mark.parametrize("declare", [one_class, plane, dose, families, answers], ids=lambda f: f.__name__)
def test_every_form_of_declaration_passes(declare):
    model = declare()
    report = check(model)
    assert report.passed, report
    assert ("emission" in [row.name for row in report.rows]) == model.has_density


class Scaled(dist.Normal):
    """A density that is 1.2 times too large."""

    def log_prob(self, value):
        return super().log_prob(value) + jnp.log(1.2)


class Wide(dist.Normal):
    """Draws that are wider than the density says."""

    def sample(self, key, sample_shape=()):
        return self.loc + 1.3 * (super().sample(key, sample_shape) - self.loc)


class Swapped(Mixture):
    def simulate(self, key, theta, mask, *design):
        y, z = super().simulate(key, theta, mask, *design)
        return y, 1 - z


class Doubled(Mixture):
    """u is twice what log |d theta / du| belongs to."""

    def bijection(self, data):
        found = super().bijection(data)
        return found._replace(forward=lambda u: found.forward(u / 2), inverse=lambda theta: 2 * found.inverse(theta))


class OneWay(Mixture):
    def bijection(self, data):
        found = super().bijection(data)
        return found._replace(inverse=lambda theta: found.inverse(theta) + 1e-3)


class Unmasked(Mixture):
    """Padding counts as if it were there."""

    def log_densities(self, theta, data):
        return super().log_densities(theta, data._replace(mask=jnp.ones_like(data.mask)))


class Forgetful(HiddenMarkov):
    """Smoothing that sees the past only."""

    def state_log_probs(self, theta, data):
        found = super().state_log_probs(theta, data)
        return {**found, "smoothing": found["filtering"]}


def wide_prior():
    return {"mu": sample("mu", ordered(Wide(0, 2), 2)), "weights": jnp.array([0.3, 0.7])}


WRONG = {
    "density of the wrong size": (two_groups(emission=lambda p: Scaled(p["mu"], 1.0)), {"emission"}),
    "draws wider than the density": (two_groups(emission=lambda p: Wide(p["mu"], 1.0)), {"emission"}),
    "prior that draws something else": (two_groups().changed(prior=wide_prior), {"prior"}),
    "states that the simulator swaps": (two_groups(Swapped), {"states", "emission", "calibration"}),
    "transitions that sum to 1.1": (chained(transitions=lambda p: 1.1 * two_state(p["stay"])), {"chain"}),
    "weights for three classes": (two_groups(weights=lambda p: jnp.ones(3)), {"simulation", "design"}),
    "emission of three states": (two_groups(emission=lambda p: dist.Normal(jnp.arange(3.0), 1)), {"densities"}),
    "log determinant of another map": (two_groups(Doubled), {"Jacobian"}),
    "inverse that does not return": (two_groups(OneWay), {"round trip"}),
    "padding that counts": (two_groups(Unmasked, observations=(1, 2)), {"padding"}),
    "smoothing without the future": (
        Forgetful(**{f: getattr(chained(), f) for f in ("states", "prior", "units", "transitions", "emission")}),
        {"enumeration"},
    ),
    "features in milliseconds": (two_groups(features=lambda data: 1000 * data.y), {"features"}),
    "features that know the order": (
        two_groups(features=lambda data: data.y + jnp.arange(data.y.shape[0])[:, None, None] / 10),
        {"order"},
    ),
    "features of masked values": (
        two_groups(features=lambda data: data.y - data.y.mean(), observations=(1, 2)),
        {"padding", "masks"},
    ),
    "covariate that nothing uses": (chained(covariates={"x": dist.Normal(0, 1)}), {"covariates"}),
    "negative times": (two_groups(columns={"time": Positive()}), {"simulation"}),
}


def failed(model, names):
    """Names of the checks that fail, among ``names``."""
    setting = Setting(model, 1)
    rows = [run(name, function, setting) for name, applies, function in CHECKS if name in names and applies(model)]
    return {row.name for row in rows if not row.passed}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_declaration_fails_the_right_row(mistake):
    """The rows named fail; those of the simulator, or of the exact parts, that it does not touch pass."""
    model, rows = WRONG[mistake]
    assert failed(model, rows | {"design", "demos"}) == rows


def broken(*_):
    raise KeyError("no such parameter\nin two lines")


def test_an_error_of_a_users_function_is_one_row():
    """What does not need the function is checked; what needs it says so in one line."""
    rows = {row.name: row for row in check(two_groups(emission=broken)).rows}
    assert rows["prior"].passed and not rows["simulation"].passed
    assert "emission asks for 'no such parameter" in rows["simulation"].sentence
    assert rows["table"].sentence == "not tried without simulated data sets"
    assert all("\n" not in row.sentence for row in rows.values())
    assert failed(two_groups(features=broken), {name for name, *_ in CHECKS}) == {
        "features",
        "padding",
        "masks",
        "order",
    }


def test_a_report_prints_as_a_table():
    report = Report("mine", [Row("design", True, "N from 1 to 2"), Row("prior", False, "p is 0")])
    assert str(report).splitlines() == [
        "mine: 1 of 2 checks passed; look at prior first",
        "  ok    design  N from 1 to 2",
        "  FAIL  prior   p is 0",
    ]
    assert not report.passed and list(report.frame.passed) == [True, False]
