"""The benchmark compares like with like: NumPy simulators draw from the same model as ours."""

import jax
import numpy as np
from numpy_simulators import SIMULATORS
from scipy.stats import mannwhitneyu

DATASETS = 2000
LEVEL = 1e-6  # about thirty numbers in all: a false alarm in one of 30,000 runs


def statistics(theta, y, mask, z):
    """Parameters and a few numbers of each data set that the whole simulator decides: (S, D + 4)."""
    seen = mask[..., None] * np.ones_like(y)
    mean = (y * seen).sum((1, 2)) / seen.sum((1, 2))
    second = (np.log1p(np.abs(y)) * seen).sum((1, 2)) / seen.sum((1, 2))
    units = mask.max(-1)
    changes = (np.abs(np.diff(z, axis=1)) > 0).mean(1)
    return np.concatenate([theta, mean, second, units.sum(1)[:, None], mask.sum((1, 2))[:, None], changes[:, None]], 1)


def test_numpy_simulators_draw_from_the_same_model(case):
    prior = case.prior("paper")
    rng = np.random.default_rng(3)
    plain = [np.stack(x) for x in zip(*(SIMULATORS[case.name](rng, prior) for _ in range(DATASETS)))]
    draw = jax.jit(jax.vmap(lambda key: case.simulate_dataset(key, prior)))
    theta, data, z = draw(jax.random.split(jax.random.key(3), DATASETS))
    a, b = statistics(*plain), statistics(*map(np.asarray, (theta, data.y, data.mask, z)))
    # ranks, since response times have heavy tails; N is constant in case study 2 and then has no p-value
    p = mannwhitneyu(a, b, axis=0).pvalue
    assert np.nanmin(p) > LEVEL, p
