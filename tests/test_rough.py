"""The rough fit that summaries start from, against what it must be for classes that lie far apart."""

import jax.numpy as jnp
import numpy as np

from amortmix.networks import summaries
from amortmix.networks.rough import NARROWEST, rough_fit

SHARES, MEANS, SDS = (
    np.array([0.2, 0.3, 0.5]),
    np.array([[-6.0, 1.0], [0.0, 1.0], [5.0, -2.0]]),
    np.array([0.5, 1.0, 0.3]),
)


def three_classes(n=3000):
    """Units (1, n, 2) of three classes far apart, and their classes."""
    rng = np.random.default_rng(1)
    z = rng.choice(3, size=n, p=SHARES)
    return (MEANS[z] + SDS[z, None] * rng.normal(size=(n, 2)))[None], z


def parts(fit, k=3, f=2):
    """Means and log standard deviations (K, F), shares (K,), and how often classes follow each other (K, K)."""
    found = np.asarray(fit.statistics[0])[2 * f :]
    sizes = (k * f, k * f, k, k * k)
    means, logs, shares, follows = np.split(found, np.cumsum(sizes)[:-1])
    return means.reshape(k, f), logs.reshape(k, f), shares, follows.reshape(k, k)


def test_classes_far_apart_are_found():
    """Means within five standard errors, shares likewise; each unit belongs to its class."""
    x, z = three_classes()
    fit = rough_fit(jnp.asarray(x), jnp.ones((1, x.shape[1])), 3)
    means, logs, shares, _ = parts(fit)
    count = x.shape[1] * SHARES
    assert np.all(np.abs(means - MEANS) < 5 * SDS[:, None] / np.sqrt(count)[:, None])
    assert np.all(np.abs(shares - SHARES) < 5 * np.sqrt(SHARES * (1 - SHARES) / x.shape[1]))
    expected = np.sqrt(SDS[:, None] ** 2 + (NARROWEST * x[0].std(0)) ** 2)
    np.testing.assert_allclose(np.exp(logs), expected, rtol=0.1)
    assert np.mean(np.asarray(fit.responsibilities[0]).argmax(-1) == z) > 0.999


def test_units_that_do_not_exist_change_nothing():
    x, _ = three_classes(200)
    present = np.ones((1, 200))
    alone = rough_fit(jnp.asarray(x), jnp.asarray(present), 3)
    padded = np.concatenate([x, np.full((1, 50, 2), 7.0)], axis=1)
    more = rough_fit(jnp.asarray(padded), jnp.asarray(np.concatenate([present, np.zeros((1, 50))], axis=1)), 3)
    np.testing.assert_allclose(more.statistics, alone.statistics, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(more.responsibilities[:, :200], alone.responsibilities, atol=1e-4)
    assert np.all(np.asarray(more.responsibilities)[:, 200:] == 0)


def test_classes_that_follow_each_other():
    """A series that goes round its classes: each is followed by the next, with certainty but for the pseudo-count."""
    z = np.arange(300) % 3
    x = MEANS[z] + 0.1 * np.random.default_rng(2).normal(size=(300, 2))
    follows = parts(rough_fit(jnp.asarray(x[None]), jnp.ones((1, 300)), 3))[3]
    np.testing.assert_allclose(follows, np.roll(np.eye(3), 1, axis=1), atol=0.02)
    np.testing.assert_allclose(follows.sum(1), 1, atol=1e-5)


def test_units_all_alike_and_fewer_than_classes_are_finite():
    for n, value in ((10, 3.0), (1, -2.0), (2, 0.0)):
        fit = rough_fit(jnp.full((1, n, 2), value), jnp.ones((1, n)), 3)
        assert all(np.isfinite(part).all() for part in fit)


def test_classes_are_of_unit_means_whatever_the_local_network(monkeypatch):
    """With P observations of each unit the spread of a class is sd / sqrt(P); that of a learned feature may be zero."""
    fits = []
    monkeypatch.setattr(summaries, "rough_fit", lambda *arguments: fits.append(rough_fit(*arguments)) or fits[-1])
    recipe = {"kind": "states", "width": 8, "blocks": 1, "states": 2, "rough": 2, "dim": 4}
    network = summaries.MixtureSummary({"inner": [4], "outer": [4]}, recipe)
    rng = np.random.default_rng(3)
    y = np.where(np.arange(400) % 2, -4.0, 4.0)[None, :, None] + rng.normal(size=(1, 400, 5))
    spreads = {}
    for number in (2, 5):
        mask = np.broadcast_to(np.arange(5) < number, (1, 400, 5)).astype(float)
        network(jnp.asarray(np.stack([y, mask], axis=-1)))
        means, logs, _, _ = parts(fits[-1], k=2, f=1)
        np.testing.assert_allclose(means[:, 0], (-4, 4), atol=5 / np.sqrt(200 * number))
        spreads[number] = np.exp(logs)
        # beside the smallest spread that a class may have
        expected = np.sqrt(1 / number + (NARROWEST * y[..., :number].mean(-1).std()) ** 2)
        np.testing.assert_allclose(spreads[number], expected, rtol=0.2)
    assert np.all(spreads[5] < spreads[2])
