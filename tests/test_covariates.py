"""The covariate that counts, and the epidemic that is declared with it."""

import jax
import numpy as np
import pytest
from scipy.optimize import brentq

import amortmix as am
from amortmix.model.registry import load_file

EPIDEMIC = "models/epidemic.py"


def test_units_are_counted_along_the_last_axis():
    counter = am.UnitNumber()
    np.testing.assert_array_equal(counter.sample(jax.random.key(0), (4,)), [0, 1, 2, 3])
    np.testing.assert_array_equal(counter.sample(jax.random.key(1), (2, 3)), [[0, 1, 2], [0, 1, 2]])
    assert float(counter.log_prob(7)) == 0.0


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
