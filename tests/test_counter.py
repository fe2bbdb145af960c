"""The covariate that counts, and the epidemic that is declared with it: its curve against an independent integrator."""

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import amortmix as am
from amortmix.model.registry import load_file

EPIDEMIC = "models/epidemic.py"


def test_units_are_counted_along_the_last_axis():
    counter = am.UnitNumber()
    np.testing.assert_array_equal(counter.sample(jax.random.key(0), (4,)), [0, 1, 2, 3])
    np.testing.assert_array_equal(counter.sample(jax.random.key(1), (2, 3)), [[0, 1, 2], [0, 1, 2]])
    assert float(counter.log_prob(7)) == 0.0


@pytest.mark.parametrize(
    ("contact", "recovery", "infected"), [(0.4, 0.125, 100.0), (1.0, 0.1, 1000.0), (0.1, 0.2, 5.0)]
)
def test_new_infections_are_those_of_the_differential_equation(contact, recovery, infected):
    """Against an adaptive method of order eight, to a thousandth of the largest day."""
    prior = load_file(EPIDEMIC).prior.__globals__
    days, population = prior["DAYS"], prior["POPULATION"]

    def slope(t, state):
        s, i = state
        return [-contact * s * i, contact * s * i - recovery * i]

    start = [1 - infected / population, infected / population]
    known = solve_ivp(slope, (0, days), start, "DOP853", t_eval=range(days + 1), rtol=1e-10, atol=1e-14)
    expected = -population * np.diff(known.y[0])
    found = np.asarray(prior["new_infections"](contact, recovery, infected))
    np.testing.assert_allclose(found, expected, atol=1e-3 * expected.max(), rtol=0.02)


def test_the_epidemic_passes_every_check():
    """Simulator against density, shapes, masks and Jacobians, as `am.check` does for any declaration."""
    report = am.check(EPIDEMIC)
    assert report.passed, report
