"""Data sets that no theta makes: what is moved stays in its state, and every network can take the result."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import rankdata

from amortmix.model import registry
from amortmix.networks.estimator import as_example
from amortmix.training import corruption


def simulated(model, key, number):
    return jax.jit(jax.vmap(model.simulate_dataset))(jax.random.split(key, number))


def rearranged(model, key, number):
    """Data before and after, and the states with those of padding: all as NumPy arrays with a leading axis."""
    key_data, key = jax.random.split(key)
    _, data, z = simulated(model, key_data, number)
    state = jnp.where(data.mask.max(-1) > 0, z, len(model.states))
    move = jax.jit(jax.vmap(lambda k, d, s: corruption.rearrange(k, d, s, len(model.states))))
    moved = move(jax.random.split(key, number), data, state)
    return jax.tree.map(np.asarray, (data, moved, state))


@pytest.mark.parametrize("name", registry.names())
def test_what_is_moved_stays_in_its_state(name):
    """Each component of each state keeps its values, each unit its number of observations, padding its place."""
    model = registry.find(name)
    before, after, states = rearranged(model, jax.random.key(1), 20)
    assert not np.array_equal(before.y, after.y)
    for y, mask, y_after, mask_after, state in zip(before.y, before.mask, after.y, after.mask, states):
        np.testing.assert_array_equal(mask.max(-1), mask_after.max(-1))
        for k in range(len(model.states)):
            here = state == k
            for component in range(y.shape[-1]):
                values = [np.sort(a[here, :, component][m[here] > 0]) for a, m in ((y, mask), (y_after, mask_after))]
                np.testing.assert_array_equal(*values)


def test_neighbours_and_components_depend_on_each_other():
    """Rank correlations within a state of case study 3, over 300 data sets; false alarms: 2 in 100,000 per number.

    Neighbours are alike and an error may be fast or slow; before, both correlations are what the model makes.
    """
    model = registry.find("evidence_accumulation")
    before, after, states = rearranged(model, jax.random.key(2), 300)

    def correlations(data):
        found = []
        for y, state in zip(data.y[:, :, 0], states):
            if (state == 1).sum() > 50:
                rt, choice = rankdata(y[state == 1, 0]), y[state == 1, 1]
                found.append([np.corrcoef(rt[1:], rt[:-1])[0, 1], np.corrcoef(rt, choice)[0, 1] if choice.std() else 0])
        return np.array(found).T

    (plain_neighbours, plain), (neighbours, components) = correlations(before), correlations(after)
    assert abs(plain_neighbours.mean()) < 4.26 * plain_neighbours.std() / np.sqrt(len(plain_neighbours)) + 0.01
    assert neighbours.mean() > 4.26 * neighbours.std() / np.sqrt(len(neighbours))
    assert components.std() > 2 * plain.std()


def test_ranks_are_standardized_within_a_state():
    state, score = jnp.array([0, 1, 0, 1, 1, 0, 2]), jnp.array([3.0, 1.0, 1.0, 2.0, 3.0, 2.0, 0.0])
    found = corruption._ranks(corruption._order(score, state), state, 2)
    np.testing.assert_allclose(found[:6], np.sqrt(12) * np.array([1, -1, -1, 0, 1, 0]) / 3, atol=1e-6)


@pytest.mark.parametrize("name", registry.names())
def test_contaminants_are_few_and_the_rest_is_untouched(name):
    model, number = registry.find(name), 50
    theta, data, _ = simulated(model, jax.random.key(3), number)
    mixed = jax.jit(jax.vmap(lambda k, t, d: corruption.contaminate(model, k, t, d, k)))(
        jax.random.split(jax.random.key(4), number), theta, data
    )
    changed = np.any((np.asarray(mixed.y != data.y) & (np.asarray(data.mask)[..., None] > 0)), axis=(2, 3))
    share = changed.sum(1) / np.asarray(data.mask.max(-1).sum(1))
    assert 0 < share.mean() < corruption.LARGEST_SHARE / 2 and share.max() < 0.75


def test_every_network_can_take_them(known):
    """Features, parameters and density are finite; the states of a hidden chain are those of the simulation."""
    model = known

    def one(key):
        key_data, key_corrupt = jax.random.split(key)
        theta, data, z = model.simulate_dataset(key_data)
        corrupted = corruption.corrupt(model, key_corrupt, theta, data, z)
        u = model.bijection(data).inverse(theta)
        example = as_example(model, model.bijection(corrupted).forward(u), corrupted)
        return example, u, model.log_joint(u, corrupted), jax.tree.map(jnp.subtract, corrupted, data)

    example, u, density, difference = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(5), 200))
    for key, values in example.items():
        assert np.all(np.isfinite(values)), key
    np.testing.assert_allclose(example["inference_variables"], u, rtol=1e-3, atol=1e-3)
    assert np.all(np.isfinite(density)) and np.any(difference.y, axis=(1, 2, 3)).mean() > 0.9
