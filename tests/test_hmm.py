"""The HMM recursions against enumeration of all K^N paths, symmetries, and long series."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from amortmix.model import hmm
from amortmix.networks.classifiers import smoothing
from amortmix.storage.files import BadInput


def chain(seed, n, k, scale=2.0):
    rng = np.random.default_rng(seed)
    log_init = np.log(rng.dirichlet(np.ones(k)))
    log_trans = np.log(rng.dirichlet(np.ones(k), size=k))
    return log_init, log_trans, scale * rng.normal(size=(n, k))


def enumerate_paths(log_init, log_trans, log_lik):
    """Joint log probability of every path and the data: {path: log p}."""
    n, k = log_lik.shape
    joint = {}
    for path in itertools.product(range(k), repeat=n):
        value = log_init[path[0]] + sum(log_lik[t, z] for t, z in enumerate(path))
        joint[path] = value + sum(log_trans[a, b] for a, b in itertools.pairwise(path))
    return joint


def conditional(log_init, log_trans, log_lik, seen):
    """p(z_t | y_s for s in seen(t)) for every t, by enumeration."""
    n, k = log_lik.shape
    result = np.zeros((n, k))
    for t in range(n):
        masked = np.where(np.isin(np.arange(n), list(seen(t)))[:, None], log_lik, 0.0)
        for path, value in enumerate_paths(log_init, log_trans, masked).items():
            result[t, path[t]] += np.exp(value)
    return np.log(result / result.sum(1, keepdims=True))


@pytest.mark.parametrize(("n", "k"), [(1, 2), (2, 2), (6, 2), (5, 3)])
def test_all_probabilities_by_enumeration(n, k, float64):
    log_init, log_trans, log_lik = model = chain(n + 10 * k, n, k)
    joint = enumerate_paths(*model)
    arguments = [jnp.array(x) for x in model]
    np.testing.assert_allclose(hmm.filter(*arguments).log_marginal, logsumexp(list(joint.values())), rtol=1e-12)
    seen = {
        "filtering": lambda t: range(t + 1),
        "reversed": lambda t: range(t, n),
        "backward_filtering": lambda t: range(t + 1, n),
        "marginal": lambda t: (),
        "smoothing": lambda t: range(n),
    }
    states = hmm.state_log_probs(*arguments)
    assert states.keys() == seen.keys()
    for name, result in states.items():
        np.testing.assert_allclose(result, conditional(*model, seen[name]), atol=1e-10, err_msg=name)


def test_most_probable_path_by_enumeration(float64):
    """Viterbi finds the largest of all 3^6 paths."""
    model = chain(21, 6, 3)
    joint = enumerate_paths(*model)
    # two units after the end of the series must not matter, whatever stands there
    log_init, log_trans, log_lik = (jnp.array(x) for x in model)
    longer, exists = jnp.concatenate([log_lik, log_lik[:2]]), jnp.array([1, 1, 1, 1, 1, 1, 0, 0])
    best = max(joint, key=joint.get)
    assert tuple(np.asarray(hmm.most_probable_path(log_init, log_trans, longer, exists))[:6].tolist()) == best


def test_evidence_of_a_filter_is_the_likelihood_of_each_unit(float64):
    """Filter over prediction gives log p(y_t | z_t) back, up to a constant in z_t."""
    log_init, log_trans, log_lik = (jnp.array(x) for x in chain(22, 30, 3))
    log_filter = hmm.filter(log_init, log_trans, log_lik).log_filter
    found = hmm.evidence_of_filter(log_init, log_trans, log_filter) - log_lik
    np.testing.assert_allclose(found - found[:, :1], 0, atol=1e-10)


def test_missing_units_by_enumeration(float64):
    """A zero row of the log likelihood is a unit that was not observed: the chain still moves through it."""
    log_init, log_trans, log_lik = chain(3, 6, 2)
    log_lik[[2, 4, 5]] = 0
    arguments = [jnp.array(x) for x in (log_init, log_trans, log_lik)]
    expected = conditional(log_init, log_trans, log_lik, lambda t: range(6))
    np.testing.assert_allclose(hmm.state_log_probs(*arguments)["smoothing"], expected, atol=1e-10)
    short = hmm.filter(arguments[0], arguments[1], arguments[2][:4])
    np.testing.assert_allclose(hmm.filter(*arguments).log_marginal, short.log_marginal, rtol=1e-12)


def test_smoothing_rules(float64):
    """With exact filters the product's rule is the smoother; both published rules are what they are said to be.

    On two observations the printed rule counts p(z_1) twice, and the shifted one leaves out the transition.
    """
    states = hmm.state_log_probs(*(jnp.array(x) for x in chain(5, 40, 2)))
    np.testing.assert_allclose(smoothing(states), states["smoothing"], atol=1e-10)
    for rule in ("printed", "shifted"):
        assert np.abs(np.exp(smoothing(states, rule)) - np.exp(states["smoothing"])).max() > 0.01
    model = chain(5, 2, 2)
    states = hmm.state_log_probs(*(jnp.array(x) for x in model))
    init, trans, lik = (np.exp(x) for x in model)
    printed = init * lik[0] * init * (trans @ lik[1])
    shifted = init * lik[0] * (init @ trans) * lik[1]
    np.testing.assert_allclose(np.exp(smoothing(states, "printed"))[0], printed / printed.sum(), rtol=1e-9)
    np.testing.assert_allclose(np.exp(smoothing(states, "shifted"))[0], shifted / shifted.sum(), rtol=1e-9)
    np.testing.assert_allclose(smoothing(states, "shifted")[-1], states["filtering"][-1], rtol=1e-9)
    with pytest.raises(ValueError, match="expected one of exact, printed, shifted"):
        smoothing(states, "magic")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 30), stay=st.floats(0.02, 0.98))
def test_time_reversal_for_symmetric_transitions(seed, n, stay):
    """A symmetric chain started at its stationary distribution looks the same backwards."""
    log_trans = jnp.log(hmm.two_state(jnp.array([stay, stay])))
    log_init = jnp.log(jnp.array([0.5, 0.5]))
    log_lik = jnp.array(np.random.default_rng(seed).normal(size=(n, 2)))
    forward = hmm.filter(log_init, log_trans, log_lik).log_filter
    reversed_ = hmm.state_log_probs(log_init, log_trans, log_lik[::-1])["reversed"][::-1]
    np.testing.assert_allclose(forward, reversed_, atol=2e-5)


def test_long_series_and_single_precision(float64):
    """float64 at N = 10,000 and float32 at N = 400, with likelihood ratios that underflow if multiplied."""
    model = [jnp.array(x) for x in chain(7, 10_000, 2, scale=60.0)]
    for result in hmm.state_log_probs(*model).values():
        assert np.isfinite(np.asarray(result).max(-1)).all()
        np.testing.assert_allclose(np.exp(result).sum(-1), 1, rtol=1e-12)
    double = [x[:400] if x.shape[0] > 2 else x for x in model]
    single = [x.astype(jnp.float32) for x in double]
    np.testing.assert_allclose(*(np.exp(hmm.state_log_probs(*m)["smoothing"]) for m in (single, double)), atol=1e-4)


def test_sampled_paths_have_the_smoothed_pairs(float64):
    """Forward filtering, backward sampling: frequencies of pairs (z_t, z_t+1), within 5 standard errors.

    15 cells: the false-alarm rate is below 1e-5.
    """
    model = chain(11, 5, 2)
    draws = 20_000
    noise = jax.random.gumbel(jax.random.key(0), (draws, 7, 2))
    log_filter = hmm.filter(*(jnp.array(x) for x in model)).log_filter
    # two units after the end of the series must not matter, whatever stands there
    log_filter, exists = jnp.concatenate([log_filter, log_filter[:2]]), jnp.array([1, 1, 1, 1, 1, 0, 0])
    sample = jax.jit(jax.vmap(lambda noise: hmm.sample_states(noise, jnp.array(model[1]), log_filter, exists)))
    paths = np.asarray(sample(noise))[:, :5]
    joint = enumerate_paths(*model)
    total = logsumexp(list(joint.values()))
    for t in range(4):
        for a, b in itertools.product(range(2), repeat=2):
            p = sum(np.exp(v - total) for path, v in joint.items() if path[t : t + 2] == (a, b))
            frequency = np.mean((paths[:, t] == a) & (paths[:, t + 1] == b))
            assert abs(frequency - p) < 5 * np.sqrt(p * (1 - p) / draws) + 1e-12


def test_simulated_chain_has_the_transition_matrix():
    """Transition frequencies of a simulated path within 5 standard errors (false alarm below 1e-5)."""
    log_trans = jnp.log(hmm.two_state(jnp.array([0.9, 0.7])))
    z = np.asarray(hmm.simulate_states(jax.random.key(2), jnp.log(jnp.array([0.5, 0.5])), log_trans, 50_000))
    for state, stay in enumerate((0.9, 0.7)):
        at = z[:-1] == state
        error = np.mean(z[1:][at] == state) - stay
        assert abs(error) < 5 * np.sqrt(stay * (1 - stay) / at.sum())


@pytest.mark.parametrize("shape", [(), (5,), (5, 1), (5, 3)])
def test_probabilities_of_staying_are_two(shape):
    """Those of five units in one axis are not the first two units', for whoever forgot that a state has its own."""
    with pytest.raises(BadInput, match=r"expected \(2,\), or \(N, 2\)"):
        hmm.two_state(jnp.full(shape, 0.9))
