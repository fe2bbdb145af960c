"""The case studies against their equations, written again with SciPy, and mistakes of a declaration that are one line.

What holds for every model, such as symmetries and Jacobians, is in test_check.
"""

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from conftest import simulate
from numpyro import sample
from scipy import stats
from scipy.special import logsumexp

from amortmix.model import registry
from amortmix.model.mixture import Mixture
from amortmix.storage.files import BadInput


def small(model, seed=0, n=5):
    theta, data, _ = simulate(model, seed)
    return theta, jax.tree.map(lambda a: a[:n], data)


def brute_force(model, theta, data):
    """log p(y | theta) and p(z_t | y, theta) from scipy densities and all K^N assignments."""
    k, n = len(model.states), data.y.shape[0]
    log_lik = np.array([[unit_log_density(model, theta, z, y, m) for z in range(k)] for y, m in zip(data.y, data.mask)])
    values, posterior = [], np.zeros((n, k))
    for path in itertools.product(range(k), repeat=n):
        value = log_prior_path(model, theta, path) + sum(log_lik[t, z] for t, z in enumerate(path))
        values.append(value)
        for t, z in enumerate(path):
            posterior[t, z] += np.exp(value)
    return logsumexp(values), posterior / posterior.sum(1, keepdims=True)


def unknown(model, where, what):
    """A model that the tests of this file do not know yet."""
    pytest.fail(f"tests/test_models.py, {where}: knows nothing of {model.name}; add {what}")


def unit_log_density(model, theta, z, y, mask):
    if model.name == "gaussian_mixture":
        return (stats.norm.logpdf(y[:, 0], theta[3 + z], 1) * mask).sum()
    if model.name == "gaussian_hmm":
        return (stats.norm.logpdf(y[:, 0], theta[2 + z], 1) * mask).sum()
    if model.name != "evidence_accumulation":
        unknown(model, "unit_log_density", "log p(y_i | z_i, theta) from SciPy")
    _, _, alpha_1, alpha_2, nu_1, nu_21, nu_22, tau = theta
    t, correct = y[0, 0] - tau, y[0, 1]

    def wald(alpha, nu):
        return stats.invgauss(mu=1 / (nu * alpha), scale=alpha**2)

    if z == 0:
        return wald(alpha_1, nu_1).logpdf(t) + np.log(0.5)
    win, lose = (nu_22, nu_21) if correct == 1 else (nu_21, nu_22)
    return wald(alpha_2, win).logpdf(t) + wald(alpha_2, lose).logsf(t)


def log_prior_path(model, theta, path):
    if model.name == "gaussian_mixture":
        return sum(np.log(theta[z]) for z in path)
    if model.name not in ("gaussian_hmm", "evidence_accumulation"):
        unknown(model, "log_prior_path", "log p(z_1, ..., z_N | theta)")
    trans = np.array([[theta[0], 1 - theta[0]], [1 - theta[1], theta[1]]])
    return np.log(0.5) + sum(np.log(trans[a, b]) for a, b in itertools.pairwise(path))


@pytest.mark.parametrize("seed", range(4))
def test_likelihood_and_states_by_enumeration(known, seed, float64):
    model = known
    theta, data = small(model, seed)
    expected, posterior = brute_force(model, theta, data)
    np.testing.assert_allclose(model.log_likelihood(theta, data), expected, rtol=1e-6)
    head = "smoothing" if model.dependent else "classification"
    np.testing.assert_allclose(np.exp(model.state_log_probs(theta, data)[head]), posterior, atol=1e-6)


def case_prior(model):
    """log p(theta) from SciPy, under the first prior of each case study: eqs. 30 to 32, and of the accumulators."""
    if model.name == "gaussian_mixture":
        order = ordered_probability([-2, 0, 2])
        return lambda t: stats.dirichlet([2, 2, 2]).logpdf(t[:3]) + stats.norm.logpdf(t[3:], [-2, 0, 2]).sum() - order
    if model.name == "gaussian_hmm":
        order = ordered_probability([-1.5, 1.5])
        return lambda t: stats.beta(2, 2).logpdf(t[:2]).sum() + stats.norm.logpdf(t[2:], [-1.5, 1.5]).sum() - order

    def positive(x, loc, scale):
        return stats.truncnorm(-loc / scale, np.inf, loc, scale).logpdf(x)

    def race(t):
        stay = stats.beta(2, 2).logpdf(t[:2]).sum()
        boundaries = positive(t[2], 0.5, 0.3) + positive(t[3] - t[2], 1.5, 0.5)
        drifts = positive(t[4], 5.5, 1.0) + positive(t[5], 2.5, 0.5) + positive(t[6] - t[5], 2.5, 1.0)
        return stay + boundaries + drifts + stats.expon(scale=1 / 5).logpdf(t[7])

    if model.name == "leaky_accumulator":
        return lambda t: positive(t[0], 0.8, 0.5) + positive(t[1], 0.8, 0.5) + race(t[2:])
    if model.name == "evidence_accumulation":
        return race
    return unknown(model, "case_prior", "log p(theta) under its first prior, from SciPy")


@pytest.mark.parametrize(
    "ask", [case_prior, lambda m: unit_log_density(m, *[None] * 4), lambda m: log_prior_path(m, 0, 0)]
)
def test_a_model_that_is_not_known_here_is_named(ask):
    """And what is to be added, so that none is compared with the equations of another."""
    with pytest.raises(pytest.fail.Exception, match="knows nothing of new_model; add log p"):
        ask(SimpleNamespace(name="new_model", dependent=True))


def ordered_probability(loc):
    """log P(x_1 < ... < x_K) of independent unit normals: K - 1 differences are jointly normal."""
    step = np.diff(np.eye(len(loc)), axis=0)
    return np.log(stats.multivariate_normal(cov=step @ step.T).cdf(step @ loc))


def test_prior_densities_are_those_of_the_paper(model, float64):
    expected = case_prior(model)
    for key in jax.random.split(jax.random.key(3), 5):
        theta = np.asarray(model.sample_prior(key))
        np.testing.assert_allclose(model.log_prior(theta), expected(theta), rtol=1e-5)


PARAMETERS = {
    "gaussian_mixture": "pi_1 pi_2 pi_3 mu_1 mu_2 mu_3",
    "gaussian_hmm": "alpha_11 alpha_22 mu_1 mu_2",
    "evidence_accumulation": "rho_11 rho_22 alpha_1 alpha_2 nu_1 nu_21 nu_22 tau",
    "leaky_accumulator": "leak inhibition rho_11 rho_22 alpha_1 alpha_2 nu_1 nu_21 nu_22 tau",
}


def test_names_and_free_coordinates(model):
    """The names that files of results carry; the last share of a simplex is no free coordinate."""
    if model.name not in PARAMETERS:
        unknown(model, "PARAMETERS", "the names of its parameters")
    assert " ".join(model.parameter_names) == PARAMETERS[model.name]
    expected = [0, 1, 3, 4, 5] if model.name == "gaussian_mixture" else list(range(len(model.parameters)))
    assert list(model.free_columns) == expected and model.free == len(expected)
    assert all(p.label.startswith("$") or p.label == p.name for p in model.parameters)


def test_design_covers_its_range(model):
    """N and P are uniform over their ranges, both ends included; Z is 5 for at most 6 frequencies."""
    masks, sequence = jax.jit(jax.vmap(model.sample_design))(jax.random.split(jax.random.key(2), 4000))
    masks = np.asarray(masks)
    assert sequence is None
    n, p = masks.max(-1).sum(-1), masks.sum(-1)[:, 0]
    assert (n.min(), n.max()) == model.units
    low, high = model.observations
    assert (p.min(), p.max()) == (low, high)
    expected = 1 / (high - low + 1)
    for value in range(low, high + 1):
        assert abs(np.mean(p == value) - expected) <= 5 * np.sqrt(expected * (1 - expected) / 4000)


def test_tau_is_below_the_fastest_response(float64):
    """Case study 3: theta = forward(u) keeps tau inside (0, min rt) of the responses that exist."""
    model = registry.find("evidence_accumulation")
    theta, data, _ = simulate(model, 4)
    fastest = data.y[data.mask > 0][:, 0].min()
    np.testing.assert_allclose(model.bounds(data)["tau"], fastest)
    assert 0 < theta[-1] < fastest
    forward = model.bijection(data).forward
    assert 0 < forward(jnp.full(8, 20.0))[-1] < fastest and forward(jnp.zeros(8))[-1] == fastest / 2


def test_reference_priors_are_those_of_the_published_table():
    hmm, race = registry.find("gaussian_hmm"), registry.find("evidence_accumulation")
    stay = [race.with_prior(name).hyperparameters["stay"] for name in ("reference", "paper")]
    loc = [hmm.with_prior(name).hyperparameters["mu_loc"] for name in ("reference", "paper")]
    assert stay == [[16, 4], [2, 2]] and loc == [[-1, 1], [-1.5, 1.5]]
    assert race.prior_name == "paper" and race.with_prior("reference").prior_name == "reference"
    with pytest.raises(BadInput, match="gaussian_hmm has no prior variant 'flat'; expected one of paper, reference"):
        hmm.with_prior("flat")


def test_hyperparameters_can_be_replaced_one_by_one():
    model = registry.find("gaussian_hmm").with_prior({"mu_scale": 0.1})
    assert model.hyperparameters["mu_scale"] == 0.1 and model.hyperparameters["mu_loc"] == [-1.5, 1.5]
    draws = jax.vmap(model.sample_prior)(jax.random.split(jax.random.key(1), 200))
    # the mean of 200 draws is within 0.05 with a probability of more than 1 - 1e-11
    np.testing.assert_allclose(draws[:, 2:].mean(0), [-1.5, 1.5], atol=0.05)
    with pytest.raises(
        BadInput, match="gaussian_hmm: hyperparameter mu_spread; expected some of stay, mu_loc, mu_scale"
    ):
        model.with_prior({"mu_spread": 1})


def mu_prior():
    return {"mu": sample("mu", dist.Normal(0, 1).expand([2]).to_event(1))}


def declare(**fields):
    given = {"states": ("a", "b"), "prior": mu_prior, "emission": lambda p: dist.Normal(p["mu"], 1), "units": (10, 20)}
    return Mixture(**{**given, **fields})


def discrete_prior():
    return {"k": sample("k", dist.Poisson(3))}


MISTAKES = {
    "name": ({"name": "two rates"}, "model name 'two rates'; expected letters, digits and '_', as in two_rates"),
    "states": ({"states": "ab"}, "model: states is 'ab'; expected a tuple of names"),
    "units": ({"units": (20, 10)}, "model: units is (20, 10); expected (smallest, largest), whole numbers from 1"),
    "observations": ({"observations": 3}, "model: observations is 3; expected (smallest, largest)"),
    "neither": ({"emission": None}, "model: expected either `emission`, a distribution, or `simulate_unit`"),
    "both": ({"simulate_unit": lambda key, p, z: 0.0}, "model: expected either `emission`, a distribution, or"),
    "variants": (
        {"variants": {"a": {"x": 1}, "b": {}}, "prior": lambda x: mu_prior()},
        "model: variant 'b' has ; expected x",
    ),
    "site": ({"names": {"nu": ("n",)}}, "model: names has nu; expected sites: mu"),
    "number of names": ({"names": {"mu": ("m",)}}, "names of mu: m; expected 2"),
    "column": ({"below": {"mu": "rt"}}, "model: mu is below 'rt'; expected one of y"),
    "nothing sampled": ({"prior": lambda: {}}, "model: the prior samples nothing"),
    "discrete": ({"prior": discrete_prior}, "model: "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_declaration_is_one_line(mistake):
    fields, expected = MISTAKES[mistake]
    with pytest.raises(BadInput) as error:
        declare(**fields)
    message = str(error.value)
    assert message.startswith(expected) and "\n" not in message


def test_priors_run_in_one_thread_at_a_time():
    """NumPyro keeps handlers in one list: many threads that trace a prior at once give what one gives."""
    model = registry.find("gaussian_hmm")
    theta = jax.vmap(model.sample_prior)(jax.random.split(jax.random.key(1), 40))
    expected = [float(model.log_prior(t)) for t in theta]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda t: float(jax.jit(lambda x: model.log_prior(x))(t)), theta))
    finally:
        sys.setswitchinterval(before)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
