"""States that remember and states that last, and sums over the neighbours of a state."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import amortmix as am
from amortmix.model import hmm, shown
from amortmix.model.arcs import Arcs
from amortmix.networks.classifiers import EmissionClassifier

ROOT = Path(__file__).parents[1]
MEAN = am.find(ROOT / "models" / "recessions.py").changed(units=(20, 30))


def test_states_that_last(float64):
    """Durations of a label in simulated paths have the declared hazards; 60,000 units, 4.5 standard errors."""
    last = am.Durations(("rest", "active"), (3, 1))
    hazards, jumps = [jnp.array([0.0, 0.5, 0.25]), jnp.array([0.4])], jnp.array([[0.0, 1.0], [1.0, 0.0]])
    transitions = last.transitions(hazards, jumps)
    np.testing.assert_allclose(transitions.sum(1), 1)
    assert last.states == ("rest", "rest", "rest", "active")
    np.testing.assert_allclose(am.stationary(transitions) @ transitions, am.stationary(transitions), atol=1e-12)
    k = len(last.states)
    start = jnp.log(jnp.ones(k) / k)
    z = np.asarray(hmm.simulate_states(jax.random.key(3), start, jnp.log(transitions), 60_000))
    label = shown.path(last.states, z)
    edges = np.flatnonzero(np.diff(label)) + 1
    lengths, which = np.diff(edges), label[edges[:-1]]
    rest = lengths[which == 0]
    for d, p in ((1, 0.0), (2, 0.5), (3, 0.5 * 0.25), (4, 0.5 * 0.75 * 0.25)):
        assert abs((rest == d).mean() - p) <= 4.5 * np.sqrt(p * (1 - p) / len(rest))


@pytest.mark.parametrize("varies", [False, True])
def test_sums_over_neighbours_are_those_over_all_states(varies, float64):
    """Recursions of a sparse chain of nine states with and without its arcs, also where each unit has a matrix."""
    rng = np.random.default_rng(5)
    possible = np.eye(9, k=1) + np.eye(9, k=-2) + np.eye(9) * (np.arange(9) % 2) + np.eye(9, k=8) > 0
    size = (12,) if varies else ()
    transitions = np.where(possible, rng.uniform(size=(*size, 9, 9)), 0)
    transitions /= transitions.sum(-1, keepdims=True)
    initial = rng.dirichlet(np.ones(9), size=size or None)
    arcs = Arcs.of(possible)
    assert arcs.before.shape == (3, 9)
    starts = jnp.zeros(12).at[7].set(1)
    # two draws at the end
    given = [
        np.stack([a, a[..., ::1]], -1)
        for a in (np.log(initial), np.where(possible, np.log(transitions + ~possible), -np.inf))
    ]
    arguments = *map(jnp.asarray, given), jnp.asarray(rng.normal(size=(12, 9, 2)))
    with_arcs, without = hmm.state_log_probs(*arguments, starts, arcs), hmm.state_log_probs(*arguments, starts)
    for head, p in without.items():
        np.testing.assert_allclose(np.exp(with_arcs[head]), np.exp(p), atol=1e-12)
    found, expected = hmm.filter(*arguments, starts, arcs), hmm.filter(*arguments, starts)
    np.testing.assert_allclose(found.log_units, expected.log_units, atol=1e-12)


def test_arcs_are_kept_with_a_classifier():
    """Written as lists and read again."""
    arcs = MEAN.arcs
    layer = EmissionClassifier(n_states=32, widths=[4], arcs=[a.tolist() for a in arcs])
    again = EmissionClassifier.from_config(json.loads(json.dumps(layer.get_config())))
    for ours, theirs in zip(arcs, again.arcs):
        np.testing.assert_array_equal(ours, theirs)


def test_arcs_of_a_declaration():
    """A memory of four labels: each of 32 states leads to two, and two lead to it; few states have none."""
    arcs = MEAN.arcs
    assert arcs.before.shape == arcs.after.shape == (2, 32)
    assert arcs.comes.all() and arcs.goes.all()
    assert am.find(ROOT / "models" / "poisson_hmm.py").arcs is None
    dense = MEAN.changed()
    object.__setattr__(dense, "arcs", None)
    theta, data, _ = jax.jit(MEAN.simulate_dataset)(jax.random.key(2))
    for f in (lambda m: m.log_likelihood(theta, data), lambda m: jnp.exp(m.state_log_probs(theta, data)["smoothing"])):
        np.testing.assert_allclose(f(MEAN), f(dense), rtol=2e-5, atol=2e-5)


def test_a_stationary_distribution(float64):
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(6), size=6)
    values, vectors = np.linalg.eig(p.T)
    expected = np.real(vectors[:, np.argmax(np.real(values))])
    np.testing.assert_allclose(am.stationary(jnp.asarray(p)), expected / expected.sum(), atol=1e-12)
