"""Switches and runs of states, counted one by one; joint draws have them, draws of single units do not."""

import itertools

import jax
import numpy as np
import pytest

from amortmix.model import hmm, runs

EXISTS = np.array([1, 1, 1, 1, 1, 0])
STARTS = np.array([0, 0, 0, 1, 0, 0])


def counted(path, exists, starts):
    """Switches and {state: lengths of its runs}, by hand."""
    switches, lengths = 0, {0: [], 1: []}
    for t, z in enumerate(path):
        if not exists[t]:
            break
        begins = t == 0 or starts[t] or path[t - 1] != z
        switches += t > 0 and not starts[t] and path[t - 1] != z
        if begins:
            lengths[z].append(0)
        lengths[z][-1] += 1
    return switches, lengths


@pytest.mark.parametrize("starts", [None, STARTS])
def test_every_path_of_six_units(starts):
    paths = np.array(list(itertools.product((0, 1), repeat=6)))
    found = runs.summaries(paths, EXISTS, ("a", "b"), starts)
    for i, path in enumerate(paths):
        switches, lengths = counted(path, EXISTS, np.zeros(6) if starts is None else starts)
        assert found["switches"][i] == switches
        for k, name in enumerate("ab"):
            assert runs.number(path, EXISTS, k, starts) == len(lengths[k])
            assert found[f"share of {name}"][i] == pytest.approx(sum(lengths[k]) / 5)
            assert found[f"longest run of {name}"][i] == max(lengths[k], default=0)
            expected = np.mean(lengths[k]) if lengths[k] else np.nan
            np.testing.assert_allclose(found[f"mean run of {name}"][i], expected)


def test_joint_draws_switch_as_often_as_the_posterior_says_and_single_units_do_not(float64):
    """Against E[switches | y] from the smoothed pairs; the allowance is four standard errors of 4,000 draws."""
    rng = np.random.default_rng(3)
    n = 60
    log_init, log_trans = np.log([0.5, 0.5]), np.log([[0.95, 0.05], [0.1, 0.9]])
    log_lik = rng.normal(scale=0.7, size=(n, 2))
    past = hmm.filter(log_init, log_trans, log_lik).log_filter
    future = hmm.log_future(log_trans, log_lik)
    pairs = past[:-1, :, None] + log_trans + (log_lik + future)[1:, None, :]
    pairs = np.exp(pairs - np.logaddexp.reduce(np.asarray(pairs), axis=(1, 2), keepdims=True))
    exact = float(pairs[:, 0, 1].sum() + pairs[:, 1, 0].sum())
    exists, key = np.ones(n), jax.random.key(4)
    noise = jax.random.gumbel(key, (4000, n, 2))
    joint = jax.vmap(lambda g: hmm.sample_states(g, log_trans, past, exists))(noise)
    counts = runs.switches(np.asarray(joint), exists)
    assert abs(counts.mean() - exact) < 4 * counts.std() / np.sqrt(len(counts))
    smoothed = hmm.state_log_probs(log_init, log_trans, log_lik)["smoothing"]
    single = runs.switches(np.asarray(jax.random.categorical(key, smoothed, shape=(4000, n))), exists)
    assert single.mean() > 2 * exact
