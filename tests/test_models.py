"""The generative models: densities against brute force, ranges of the design, symmetries."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from amortmix.cases import Data, get_case
from amortmix.cases.base import pad
from conftest import simulate
from scipy import stats
from scipy.special import logsumexp

#: Standard errors that a frequency may be off; with the few tests here false alarms stay below 1e-4.
Z = 5


def small(case, seed=0, n=5):
    theta, data, _ = simulate(case, seed)
    return theta, Data(data.y[:n], data.mask[:n])


def brute_force(case, theta, data):
    """log p(y | theta) and p(z_t | y, theta) from scipy densities and all K^N assignments."""
    k, n = len(case.states), data.y.shape[0]
    log_lik = np.array([[unit_log_density(case, theta, z, y, m) for z in range(k)] for y, m in zip(*data)])
    values, posterior = [], np.zeros((n, k))
    for path in itertools.product(range(k), repeat=n):
        value = log_prior_path(case, theta, path) + sum(log_lik[t, z] for t, z in enumerate(path))
        values.append(value)
        for t, z in enumerate(path):
            posterior[t, z] += np.exp(value)
    return logsumexp(values), posterior / posterior.sum(1, keepdims=True)


def unit_log_density(case, theta, z, y, mask):
    if case.name == "gaussian_mixture":
        return (stats.norm.logpdf(y[:, 0], theta[3 + z], 1) * mask).sum()
    if case.name == "gaussian_hmm":
        return (stats.norm.logpdf(y[:, 0], theta[2 + z], 1) * mask).sum()
    _, _, alpha_1, alpha_2, nu_1, nu_21, nu_22, tau = theta
    t, correct = y[0, 0] - tau, y[0, 1]

    def wald(alpha, nu):
        return stats.invgauss(mu=1 / (nu * alpha), scale=alpha**2)

    if z == 0:
        return wald(alpha_1, nu_1).logpdf(t) + np.log(0.5)
    win, lose = (nu_22, nu_21) if correct == 1 else (nu_21, nu_22)
    return wald(alpha_2, win).logpdf(t) + wald(alpha_2, lose).logsf(t)


def log_prior_path(case, theta, path):
    if not case.dependent:
        return sum(np.log(theta[z]) for z in path)
    trans = np.array([[theta[0], 1 - theta[0]], [1 - theta[1], theta[1]]])
    return np.log(0.5) + sum(np.log(trans[a, b]) for a, b in itertools.pairwise(path))


@pytest.mark.parametrize("seed", range(4))
def test_likelihood_and_states_by_enumeration(case, seed, float64):
    theta, data = small(case, seed)
    data = Data(*(jnp.array(x) for x in data))
    expected, posterior = brute_force(case, theta, Data(*(np.asarray(x) for x in data)))
    theta = jnp.array(theta)
    np.testing.assert_allclose(case.exact.log_likelihood(theta, data), expected, rtol=1e-6)
    head = "smoothing" if case.dependent else "classification"
    np.testing.assert_allclose(np.exp(case.exact.state_log_probs(theta, data)[head]), posterior, atol=1e-6)


def test_log_joint_carries_the_jacobian(case, float64):
    """log p(u, y) = log p(theta, y) + log |d theta / du|, the determinant by automatic differentiation."""
    theta, data, _ = simulate(case, 3)
    theta, data, prior = jnp.array(theta), Data(*(jnp.array(x) for x in data)), case.prior("paper")
    bijection = case.bijection(data)
    u = bijection.inverse(theta)
    jacobian = jax.jacobian(bijection.forward)(u)
    if jacobian.shape[0] != jacobian.shape[1]:  # the last share of a simplex is not a free coordinate
        jacobian = jnp.delete(jacobian, len(case.states) - 1, axis=0)
    expected = case.exact.log_prior(theta, prior) + case.exact.log_likelihood(theta, data)
    expected += jnp.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(case.log_joint(u, data, prior), expected, rtol=1e-9)


def test_prior_draws_match_the_prior_density(case, float64):
    """E_p[r(theta)] = 1 for the density ratio r of a shrunken proposal: importance identity, Z standard errors."""
    for variant in case.priors:
        prior = case.prior(variant)
        theta = jax.vmap(lambda k, prior=prior: case.sample_prior(k, prior))(
            jax.random.split(jax.random.key(1), 20_000)
        )
        log_p = np.asarray(jax.vmap(lambda t, prior=prior: case.exact.log_prior(t, prior))(theta))
        assert np.isfinite(log_p).all()
        free = np.delete(np.asarray(theta), len(case.states) - 1, axis=1) if not case.dependent else np.asarray(theta)
        # a narrow Gaussian around the mean is inside the support and dominated by the prior
        q = stats.multivariate_normal(np.median(free, axis=0), 0.05 * np.cov(free.T))
        ratio = np.exp(q.logpdf(free) - log_p)
        assert abs(ratio.mean() - 1) < Z * ratio.std() / np.sqrt(len(ratio))


def test_design_covers_its_range(case):
    """N and P are uniform over their ranges, both ends included."""
    masks = np.asarray(jax.jit(jax.vmap(case.sample_context))(jax.random.split(jax.random.key(2), 4000)))
    n = masks.max(-1).sum(-1)
    assert (n.min(), n.max()) == case.units
    p = masks.sum(-1)[masks.max(-1) > 0]
    assert (p.min(), p.max()) == case.observations
    low, high = case.observations
    counts = masks.sum(-1)[:, 0]
    for value in range(low, high + 1):
        expected = 1 / (high - low + 1)
        assert abs(np.mean(counts == value) - expected) <= Z * np.sqrt(expected / 4000)


def test_padding_does_not_change_the_likelihood(case):
    theta, data, _ = simulate(case, 5, dtype=np.float32)
    framed = pad(data, data.y.shape[0] + 37, data.y.shape[1] + 1)
    if case.name == "evidence_accumulation":
        framed = Data(framed.y[:, :1], framed.mask[:, :1])
    a, b = (case.exact.log_likelihood(jnp.array(theta), Data(*map(jnp.array, x))) for x in (data, framed))
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_mixture_is_exchangeable():
    case = get_case("gaussian_mixture")
    theta, data, _ = simulate(case, 6, dtype=np.float32)
    order = np.random.default_rng(1).permutation(data.y.shape[0])
    shuffled = Data(data.y[order], data.mask[order])
    a, b = (case.exact.log_likelihood(jnp.array(theta), Data(*map(jnp.array, x))) for x in (data, shuffled))
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_simulated_indicators_have_their_exact_probabilities(case):
    """E[1(z_t = k)] = E[p(z_t = k | y)]: calibration of simulator and exact posterior together."""
    prior = case.prior("paper")

    def one(key):
        theta, data, z = case.simulate_dataset(key, prior)
        head = "smoothing" if case.dependent else "classification"
        p = jnp.exp(case.exact.state_log_probs(theta, data)[head][:, 0])
        weight = data.unit_mask * p
        return jnp.sum(weight * ((z == 0) - p)) / data.unit_mask.sum()

    difference = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(7), 600)))
    assert abs(difference.mean()) < Z * difference.std() / np.sqrt(600)


def test_reference_priors_are_those_of_the_published_table():
    hmm, race = get_case("gaussian_hmm"), get_case("evidence_accumulation")
    assert race.prior("reference")["stay"] == [16, 4] and race.prior("paper")["stay"] == [2, 2]
    assert hmm.prior("reference")["mu_loc"] == [-1, 1] and hmm.prior("paper")["mu_loc"] == [-1.5, 1.5]
    with pytest.raises(ValueError, match="no prior variant 'flat'"):
        hmm.prior("flat")
