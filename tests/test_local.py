"""Local calibration: silent where networks are right, loud where they are not, around the very data that they fit.

    mu ~ N(0, 1),   y_i ~ N(mu, 1)      =>      mu | y ~ N(sum_i y_i / (N + 1), 1 / (N + 1))

In place of networks stands this posterior, exact or wrong in a known way. The false-alarm rate is 1 %; seeds are fixed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
import xarray as xr
from conftest import simulate
from jax.scipy.stats import norm
from numpyro import sample

import amortmix as am
from amortmix.diagnostics import local
from amortmix.inference.fit import Fit
from amortmix.inference.verdict import Facts, judge
from amortmix.model.data import Data
from amortmix.storage.files import BadInput

UNITS = 20
MODEL = am.Mixture(
    name="one_mean",
    states=("all",),
    prior=lambda: {"mu": sample("mu", dist.Normal(0, 1))},
    emission=lambda p: dist.Normal(jnp.array([p["mu"]]), 1.0),
    units=(UNITS, UNITS),
)


class Conjugate:
    """What local calibration asks of networks, from the posterior with another mean or scale."""

    def __init__(self, shift=lambda mean: 0.0, scale=lambda mean: 1.0):
        self.model, self.shift, self.scale = MODEL, shift, scale

    def moments(self, data):
        """Mean and sd of q: the exact ones, the mean shifted by so many sds and the sd scaled."""
        mean, sd = jnp.sum(data.y) / (UNITS + 1), (UNITS + 1) ** -0.5
        return mean + self.shift(mean) * sd, sd * self.scale(mean)

    def flow(self, data, noise):
        mean, sd = self.moments(data)
        u = mean + sd * noise
        return u, u, norm.logpdf(u[:, 0], mean, sd)

    def _log_prob_one(self, data, u):
        return norm.logpdf(u[:, 0], *self.moments(data))


def data_with_mean(mean):
    y = jnp.linspace(-1.5, 1.5, UNITS) + mean
    return Data(y[:, None, None], jnp.ones((UNITS, 1)))


def checked(networks, mean=0.5, simulations=200, seed=1):
    """The local calibration of networks at data with this mean."""
    data = data_with_mean(mean)
    theta, _, log_q = networks.flow(data, jax.random.normal(jax.random.key(seed), (1000, 1)))
    return local.local_calibration(networks, data, np.asarray(theta), np.asarray(log_q), simulations, seed)


def test_products_are_the_posterior_of_both_data_sets():
    """Closed form: mu | y, y' ~ N((sum y + sum y') / (2 N + 1), 1 / (2 N + 1)).

    Allowed are four standard errors of means of so many draws as all repetitions share.
    """
    networks, data = Conjugate(), data_with_mean(0.5)
    other = data_with_mean(0.8).y
    theta, _, log_q = networks.flow(data, jax.random.normal(jax.random.key(2), (local.DRAWS, 1)))
    run = local._products(networks)
    drawn, log_weights = run(jax.random.split(jax.random.key(3), 50), data, jnp.stack([other] * 50), theta, -jnp.inf)
    weights = jax.nn.softmax(log_weights, axis=1)
    means = jnp.einsum("rs,rs->r", weights, drawn[..., 0])
    seconds = jnp.einsum("rs,rs->r", weights, drawn[..., 0] ** 2)
    mean, variance = (data.y.sum() + other.sum()) / (2 * UNITS + 1), 1 / (2 * UNITS + 1)
    error = 4 * np.sqrt(variance / local.DRAWS)
    assert abs(means.mean() - mean) < error
    assert abs(seconds.mean() - (mean**2 + variance)) < 2 * mean * error


def test_the_exact_posterior_passes():
    found = checked(Conjugate())
    assert found.inside and "inside their simultaneous" in found.sentence and found.effective > 100
    for share, name in ((0.5, "coverage of 50%"), (0.9, "coverage of 90%")):
        assert abs(found.table.loc["mu", name] - share) < 4 * np.sqrt(share * (1 - share) / 200)


@pytest.mark.parametrize(
    ("wrong", "simulations"),
    [({"shift": lambda m: 1.0}, 200), ({"scale": lambda m: 0.5}, 200), ({"scale": lambda m: 3.0}, 1000)],
)
def test_a_wrong_posterior_does_not(wrong, simulations):
    """One that is too wide is found late: truths are drawn from it too, and hide how wide it is."""
    found = checked(Conjugate(**wrong), simulations=simulations)
    assert not found.inside and "outside their bands for mu" in found.sentence


def test_it_is_local():
    """Networks that are wrong for means above one alone: silent at a mean of zero, loud at two."""
    networks = Conjugate(scale=lambda m: jnp.where(m > 1.2, 0.4, 1.0))
    assert checked(networks, 0.0).inside
    assert not checked(networks, 2.0).inside


def test_draws_without_a_common_region_cannot_be_judged():
    """q is so narrow and so far off at simulations that no draw has weight under both."""
    networks = Conjugate(shift=lambda m: jnp.where(jnp.abs(m - 0.5) < 0.1, 0.0, 30.0), scale=lambda m: 0.05)
    found = checked(networks, 0.5)
    assert not found.inside and "cannot be judged" in found.sentence


def test_the_verdict_without_a_density_says_what_was_found():
    good, bad = checked(Conjugate()), checked(Conjugate(scale=lambda m: 0.4))
    assert judge(Facts(False, None, 0.5, local=good)).word == "ABI"
    verdict = judge(Facts(False, None, 0.5, local=bad))
    assert verdict.word == "UNRELIABLE" and "outside their bands for mu" in verdict.reason
    assert "was not checked" in judge(Facts(False, None, 0.5)).reason


@pytest.mark.parametrize("engine", ["exported", "jax"])
def test_networks_whose_weights_are_fine_pass(engine):
    nets = am.load("gaussian_hmm", design="paper", engine=engine)
    _, data, _ = simulate(nets.model, 5, np.float32)
    fit = nets.fit(data, draws=1000)
    assert fit.tree.attrs["pareto_k"] < 0.5
    assert fit.check().inside


def test_a_simulation_without_any_weight_has_no_rank():
    """A few data sets of two hundred are left out of the ranks."""
    networks, hopeless = Conjugate(), Conjugate(shift=lambda m: jnp.where(m > 1.0, 1e4, 0.0))
    assert "of 200 simulations" in checked(networks).sentence
    found = checked(hopeless)
    known = int(found.sentence.split(" simulations")[0].split()[-1])
    assert 180 <= known < 200


@pytest.mark.parametrize(("group", "networks"), [("posterior", Conjugate()), ("flow", None)])
def test_a_fit_without_networks_is_refused(group, networks):
    """One by MCMC, and one that was loaded by itself."""
    tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs={"model": "m"}), f"/{group}": xr.Dataset()})
    with pytest.raises(
        BadInput, match=r"a fit of m without networks; expected one that they made, or `Networks\.read`"
    ):
        Fit(tree, MODEL, networks).check()
