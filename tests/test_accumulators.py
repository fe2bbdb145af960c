"""Leaky competing accumulators against first passage times that are known.

Each comparison is a z-test or a Kolmogorov-Smirnov test at level 1e-4 with a fixed seed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from amortmix.model.accumulators import LATEST, leaky_race
from amortmix.model.distributions import race_sample, wald_sample

NUMBER, LEVEL = 20_000, 1e-4


def races(nu, leak, inhibition, bound, seed=1, number=NUMBER, **how):
    """Decision times and winners of independent races."""

    def one(key):
        return leaky_race(key, jnp.asarray(nu), leak, inhibition, bound, **how)

    times, first = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed), number))
    return np.asarray(times, float), np.asarray(first)


@pytest.mark.parametrize("step", [0.02, 0.5])
def test_without_leak_inhibition_and_reflection_it_is_the_race_of_case_study_3(step):
    """Steps of any size: bridges decide within them."""
    times, first = races([2.5, 4.0], 0.0, 0.0, 1.8, step=step, floor=-jnp.inf)
    known, correct = race_sample(jax.random.key(2), 1.8, 4.0, 2.5, (NUMBER,))
    for answer in (0, 1):
        assert stats.ks_2samp(times[first == answer], np.asarray(known)[np.asarray(correct) == answer]).pvalue > LEVEL
    counts = [[np.sum(first == 0), np.sum(first == 1)], [np.sum(correct == 0), np.sum(correct == 1)]]
    assert stats.chi2_contingency(counts).pvalue > LEVEL


def mean_passage_time(nu, leak, bound):
    """Of dx = (nu - leak x) dt + dW, reflected at zero, from zero to ``bound``.

    The mean m(x) solves m'' / 2 + (nu - leak x) m' = -1 with m'(0) = 0 and m(bound) = 0, so with the scale function's
    exponent s(x) = 2 nu x - leak x^2:  m(0) = int_0^bound exp(-s(x)) int_0^x 2 exp(s(y)) dy dx.
    """

    def s(x):
        return 2 * nu * x - leak * x**2

    return integrate.dblquad(lambda y, x: 2 * np.exp(s(y) - s(x)), 0, bound, 0, lambda x: x)[0]


@pytest.mark.parametrize(("nu", "leak", "bound"), [(3.0, 0.0, 1.5), (2.0, 1.5, 1.0), (3.0, 3.0, 1.2)])
def test_mean_passage_time_of_one_reflected_accumulator(nu, leak, bound):
    """The other never arrives: its input drives it away. A bias of the steps of one percent of the mean is allowed."""
    times, first = races([nu, -200.0], leak, 0.0, bound)
    exact = mean_passage_time(nu, leak, bound)
    assert np.all(first == 0)
    allowed = 0.01 * exact + stats.norm.isf(LEVEL / 2) * times.std() / np.sqrt(NUMBER)
    assert abs(times.mean() - exact) < allowed


def test_steps_are_fine_enough_where_accumulators_inhibit_each_other():
    """Steps of an eighth of the size change the mean by less than one and a half percent, errors by less than 0.015."""
    coarse, fine = (races([2.0, 3.0], 3.0, 2.0, 1.2, seed=3, step=step) for step in (0.02, 0.0025))
    noise = stats.norm.isf(LEVEL / 2) * np.sqrt(2 / NUMBER)
    assert abs(coarse[0].mean() / fine[0].mean() - 1) < 0.015 + noise * fine[0].std() / fine[0].mean()
    assert abs(coarse[1].mean() - fine[1].mean()) < 0.015 + noise * fine[1].std()


def test_who_does_not_arrive_answers_at_the_latest_with_the_leading_accumulator():
    times, first = races([0.0, 40.0], 40.0, 0.0, 3.0, number=200)
    assert np.all(times > LATEST) and np.all(first == 1)


def test_without_noise_in_the_drift_the_faster_accumulator_wins():
    """A strong input arrives as a Wald process does, whatever an accumulator without input does."""
    times, _ = races([20.0, -200.0], 0.0, 0.0, 1.0)
    known = np.asarray(wald_sample(jax.random.key(4), 1.0, 20.0, (NUMBER,)))
    # reflection moves a path at its very start: by less than a twentieth of the mean of 0.05 s
    assert abs(times.mean() - known.mean()) < 0.0025
