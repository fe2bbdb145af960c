"""Local calibration: silent where networks are right, loud where they are not, and how data sets are added."""

import jax
import numpy as np
import pytest
from conftest import simulate

import amortmix as am
from amortmix.diagnostics.local import added
from amortmix.model import registry
from amortmix.model.data import Data
from amortmix.storage.files import BadInput

SIMULATIONS, DRAWS = 100, 200


def fit_of(name, units, seed=5, shift=None):
    """A fit of a simulated data set by the wide pretrained networks; ``shift`` moves the draws of one parameter."""
    nets = am.load(name)
    model = nets.model.changed(design=nets.model.design._replace(units=(units, units), holes=0.0, padding=None))
    _, data, _ = simulate(model, seed, np.float32)
    fit = nets.fit(data, draws=1000)
    if shift is not None:
        first = next(iter(fit.tree["posterior"].data_vars))
        values = fit.tree["posterior"][first]
        fit.tree["posterior"][first] = values + shift * values.std()
    return fit


def test_the_likelihood_of_added_data_sets_is_the_sum(float64):
    """Two sequences know nothing of each other: enumeration through the model's own log likelihood."""
    model = registry.find("gaussian_hmm")
    theta, one, _ = simulate(model, 1)
    _, two, _ = simulate(model, 2)
    both = added(one, two)
    assert both.sequence.tolist() == [1] * len(one.y) + [2] * len(two.y)
    total = model.log_likelihood(theta, one) + model.log_likelihood(theta, two)
    np.testing.assert_allclose(model.log_likelihood(theta, both), total, rtol=1e-10)
    three = added(both, one)
    assert three.sequence.max() == 3


def test_right_networks_pass_and_a_planted_failure_does_not():
    """A false alarm has a probability of 5 %; the seed is fixed."""
    found = fit_of("gaussian_mixture", 60).check(SIMULATIONS, DRAWS)
    assert found.inside and "inside their simultaneous" in found.sentence
    for share, name in ((0.5, "coverage of 50%"), (0.95, "coverage of 95%")):
        error = np.sqrt(share * (1 - share) / SIMULATIONS)
        assert (np.abs(found.table[name] - share) < 4 * error).all()
    wrong = fit_of("gaussian_mixture", 60, shift=1.0).check(SIMULATIONS, DRAWS)
    assert (
        not wrong.inside and wrong.table["log_gamma"].iloc[0] < 0 and "outside their bands for pi_1" in wrong.sentence
    )


def test_without_room_for_more_units_it_is_said():
    nets = am.load("gaussian_hmm", design="paper")
    _, data, _ = simulate(nets.model, 1, np.float32)
    with pytest.raises(BadInput, match="no room to add simulations to 100 units; expected networks for at least 120"):
        nets.fit(data, draws=100).check(10, 50)


def test_covariates_are_added_too():
    data = Data(np.zeros((3, 1, 1)), np.ones((3, 1)), np.arange(3.0)[:, None])
    assert added(data, jax.tree.map(lambda a: a[:2], data)).x[:, 0].tolist() == [0, 1, 2, 0, 1]
