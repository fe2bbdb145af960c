"""Where covariates come from, and the epidemic that is declared with one that counts."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro import sample
from scipy.optimize import brentq

import amortmix as am
from amortmix.model import emissions
from amortmix.model.identity import covariates_of
from amortmix.model.registry import load_file
from amortmix.storage.files import BadInput

EPIDEMIC = "models/epidemic.py"


def test_units_are_counted_along_the_last_axis():
    counter = am.UnitNumber()
    np.testing.assert_array_equal(counter.sample(jax.random.key(0), (4,)), [0, 1, 2, 3])
    np.testing.assert_array_equal(counter.sample(jax.random.key(1), (2, 3)), [[0, 1, 2], [0, 1, 2]])
    assert float(counter.log_prob(7)) == 0.0


def test_stretches_of_given_values():
    """Each is a window of the values, written twice; all places of the five occur, or with probability 5 (4/5)^60."""
    values = np.array([3.0, 1.0, 4.0, 1.5, 9.0], np.float32)
    found = np.asarray(am.Resampled(values).sample(jax.random.key(1), (60, 4)))
    windows = np.stack([np.tile(values, 2)[i : i + 4] for i in range(5)])
    places = (found[:, None] == windows).all(-1)
    assert places.any(1).all() and places.any(0).all()
    long = np.asarray(am.Resampled(values).sample(jax.random.key(2), (12,)))
    np.testing.assert_array_equal(long[:5], long[5:10])


def test_columns_that_are_resampled_stay_together():
    values = np.arange(50.0)
    covariates = {"a": am.Resampled(values), "b": dist.Normal(0, 1), "c": am.Resampled(-values)}
    x = np.asarray(emissions.sample_covariates(covariates, jax.random.key(3), 20))
    np.testing.assert_array_equal(x[:, 0], -x[:, 2])
    assert len(np.unique(x[:, 1])) == 20


def test_what_cannot_be_resampled():
    for values in ([], [[1.0]], [1.0, np.nan]):
        with pytest.raises(BadInput, match="expected finite numbers in one column"):
            am.Resampled(values)


def test_other_values_are_another_model():
    one, same, other = (am.Resampled(v) for v in ([1.0, 2.0], [1.0, 2.0], [1.0, 3.0]))
    known = [covariates_of(SimpleNamespace(covariates={"x": d})) for d in (one, same, other)]
    assert known[0] == known[1] != known[2]


@pytest.mark.parametrize(("contact", "recovery"), [(1.2, 0.4), (2.0, 0.5), (0.9, 0.5)])
def test_the_epidemic_ends_at_its_final_size(contact, recovery):
    """Summed over all days, log(S_end / S_0) = -lambda sum I_t and (1 - exp(-mu)) sum I_t = I_0 + S_0 - S_end."""
    declared = load_file(EPIDEMIC).prior.__globals__
    population, infected = declared["POPULATION"], 2000.0
    i = infected / population
    found = np.asarray(declared["new_infections"](contact, recovery, infected), float).sum() / population

    def excess(end):
        return np.log(end / (1 - i)) + contact * (i + 1 - i - end) / -np.expm1(-recovery)

    # the other root is no epidemic at all, near one
    end = brentq(excess, 1e-9, 1 - 0.05)
    assert found == pytest.approx(1 - i - end, rel=2e-3)


def test_the_epidemic_passes_every_check():
    """Simulator against density, shapes, masks and Jacobians, as `am.check` does for any declaration."""
    report = am.check(EPIDEMIC)
    assert report.passed, report


def drives(**changed):
    """A chain that a covariate drives, with some fields in the place of its own."""

    def prior():
        return {"mu": sample("mu", am.ordered(dist.Normal(0, 2), 2)), "b": sample("b", dist.Normal(0, 1))}

    fields = {
        "states": ("low", "high"),
        "prior": prior,
        "transitions": lambda p, x: am.two_state(jax.nn.sigmoid(p["b"] * x["x"] + jnp.array([1.0, 1.0]))),
        "emission": lambda p: dist.Normal(p["mu"], 1.0),
        "covariates": {"x": dist.Normal(0, 1)},
        "units": (5, 5),
    }
    return am.HiddenMarkov(**(fields | changed))


@pytest.mark.parametrize(
    ("field", "function"),
    [
        ("transitions", lambda p, x: am.two_state(x["y"])),
        ("initial", lambda p: p["first"]),
        ("emission", lambda p: dist.Normal(p["mean"], 1.0)),
    ],
)
def test_a_name_that_is_not_there_is_said_with_those_that_are(field, function):
    theta, data, _ = drives().simulate_dataset(jax.random.key(1))
    with pytest.raises(BadInput, match=rf"{field} asks for '\w+'; there are .*\bmu\b"):
        drives(**{field: function}).log_likelihood(theta, data)


def test_a_declaration_whose_covariates_do_not_fit_together_is_refused():
    known = {"name": "slope", "states": ("all",), "columns": {"y": am.Real()}, "units": (5, 9)}
    known |= {"prior": lambda: {"b": sample("b", dist.Normal(0, 1))}}
    with pytest.raises(BadInput, match=r"covariate x is Real\(.*\); expected what it is simulated from"):
        am.Mixture(**known, emission=lambda p, x: dist.Normal(p["b"] * x["x"], 1), covariates={"x": am.Real()})
    with pytest.raises(BadInput, match="emission takes 2 arguments; expected 1: what the prior returns"):
        am.Mixture(**known, emission=lambda p, x: dist.Normal(p["b"] * x["x"], 1))
    am.Mixture(**known, emission=lambda p, sd=1.0: dist.Normal(p["b"], sd))
