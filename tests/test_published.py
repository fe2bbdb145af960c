"""The paper's own networks: their layers are those of section 3, and they honour masks and the direction of time."""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from scipy.special import expit

from amortmix.model import registry
from amortmix.networks.build import build_estimator
from amortmix.networks.classifiers import PublishedFilterClassifier
from amortmix.networks.estimator import training_example
from amortmix.networks.layers import LongShortTermMemory, Places
from amortmix_paper.run import preset_recipes

NAMES = ("gaussian_mixture", "gaussian_hmm", "evidence_accumulation")


def weights_of(layer):
    return [np.asarray(w) for w in layer.get_weights()]


def by_hand(weights, x, present):
    """LSTM of one series (n, F): c <- f c + i tanh(g), h <- o tanh(c); a unit that is not there changes nothing."""
    kernel, recurrent, bias = weights
    width = recurrent.shape[0]
    h, c, found = np.zeros(width), np.zeros(width), []
    for x_t, m_t in zip(x, present):
        if m_t:
            i, f, g, o = np.split(x_t @ kernel + h @ recurrent + bias, 4)
            c = expit(f) * c + expit(i) * np.tanh(g)
            h = expit(o) * np.tanh(c)
        found.append(h)
    return np.array(found)


def test_the_lstm_is_its_equations_in_both_directions():
    keras.utils.set_random_seed(1)
    layer = LongShortTermMemory(5, directions=2)
    layer.build((1, 7, 3))
    x = np.random.default_rng(2).normal(size=(1, 7, 3)).astype(np.float32)
    present = np.array([[1, 1, 1, 1, 1, 0, 0]], np.float32)
    forward, backward = np.asarray(layer(x, present))
    np.testing.assert_allclose(forward[0], by_hand(weights_of(layer.cells[0]), x[0], present[0]), atol=1e-5)
    reversed_ = by_hand(weights_of(layer.cells[1]), x[0, ::-1], present[0, ::-1])[::-1]
    np.testing.assert_allclose(backward[0, :5], reversed_[:5], atol=1e-5)


def test_the_filter_reads_the_past_alone_and_the_other_head_the_future_alone():
    keras.utils.set_random_seed(3)
    classifier = PublishedFilterClassifier(2, [8, 8], 6)
    rng = np.random.default_rng(4)
    units, conditions = rng.normal(size=(1, 9, 2)), np.broadcast_to(rng.normal(size=(1, 1, 3)), (1, 9, 3))
    classifier.build(units.shape, conditions.shape, 3)
    places = Places(jnp.ones((1, 9)), jnp.ones((1, 9)))
    run = jax.jit(lambda u: classifier(u, conditions, places))
    before, t = run(units), 4
    changed = units.copy()
    changed[0, t] += 1.0
    after = run(changed)
    moved = {head: np.any(np.abs(before[head] - after[head]) > 1e-6, axis=(0, 2)) for head in before}
    assert not moved["filtering"][:t].any() and moved["filtering"][t:].all()
    assert moved["backward_filtering"][:t].all() and not moved["backward_filtering"][t:].any()
    assert not moved["marginal"].any()


def lstm(inputs, width):
    return 4 * (width * (inputs + width) + width)


def dense(*sizes):
    return sum((a + 1) * b for a, b in zip(sizes, sizes[1:]))


@functools.cache
def built(name):
    """(estimator, batch of two) of the recipe of preset paper, with one of its fourteen equal layers of splines."""
    model, recipe = registry.find(name), preset_recipes("paper")[name]
    assert recipe["flow"]["depth"] == 14 and not recipe["flow"]["whitening"]
    small = recipe | {"flow": recipe["flow"] | {"depth": 1, "widths": [8]}}
    example = jax.jit(jax.vmap(lambda k: training_example(model, k)))(jax.random.split(jax.random.key(5), 2))
    return build_estimator(model, small, example, seed=1), example


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_those_of_section_3(name):
    """Numbers of weights from the sizes of the layers that the paper names."""
    model, (estimator, example) = registry.find(name), built(name)
    summary, classifier = estimator.summary_network, estimator.classifier
    free, k = model.free, len(model.states)
    conditions = example["classifier_conditions"].shape[-1]
    if name == "gaussian_mixture":
        assert classifier.count_params() == dense(2 + conditions, *[64] * 12, k)
        return
    local = 2 if name == "gaussian_hmm" else 3
    heads = [32 + local + conditions] * 2 + [32 + 5 + free, 5 + free]
    expected = 2 * lstm(local + conditions, 32) + sum(dense(inputs, 64, 64, 64, k) for inputs in heads)
    assert classifier.count_params() == expected
    if name == "gaussian_hmm":
        assert summary.body.count_params() == lstm(2, 128)
    else:
        convolutions = dense(9, 256) + 3 * dense(3 * 256, 256)
        assert summary.body.count_params() == convolutions + 2 * lstm(256, 256)
    assert summary.head.count_params() == dense(128 if name == "gaussian_hmm" else 512, 32)


@pytest.mark.parametrize("name", NAMES)
def test_padding_leaves_no_trace(name):
    estimator, example = built(name)
    packed = np.array(example["summary_variables"])
    hidden = packed[..., -1] == 0
    changed = packed.copy()
    changed[hidden, :-1] = 1.7
    assert hidden.any()
    run = jax.jit(estimator.summary_network)
    np.testing.assert_allclose(run(packed), run(changed), atol=2e-5)
