"""The pretrained networks answer as they did when they were shipped, number by number.

`golden/pretrained.npz` was recorded with the networks as they were published: for each of them two simulated data sets
with densities, draws from fixed noise, summary, and the log probabilities of every head.
"""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amortmix.inference.amortized import Amortized
from amortmix.model.data import Data
from amortmix.storage import pretrained
from amortmix.storage.bundle import load_bundle

GOLDEN = Path(__file__).parent / "golden" / "pretrained.npz"
NETWORKS = [(row["priors"], row["model"]) for row in pretrained.index() if pretrained.design_of(row) == "paper"]


@cache
def networks(prior, name):
    return Amortized.of(load_bundle(pretrained.folder_of(name, prior, "paper")))


def recorded(prior, name, i):
    with np.load(GOLDEN) as archive:
        prefix = f"{prior}/{name}/{i}/"
        return {key.removeprefix(prefix): archive[key] for key in archive.files if key.startswith(prefix)}


def close(found, expected, what):
    """Within 1e-5 of the value or of the largest entry: single precision."""
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-5 * scale, rtol=1e-5, err_msg=what)


def answers(amortized, data, theta, draws_u=None):
    """Everything that networks and their model say of a data set; heads at ``draws_u`` (S, d), or at their own draws.

    Without a density there is neither a likelihood nor a state probability to compare with.
    """
    model, framed = amortized.model, amortized.frame(data)
    u = model.bijection(framed).inverse(theta)
    drawn = jax.jit(amortized.flow)(framed, jax.random.normal(jax.random.key(3), (20, model.free)))
    found = {"u": u, "log_prior": model.log_prior(theta), "log_q": amortized.log_prob(data, u[None])}
    found |= dict(zip(("draws_theta", "draws_u", "draws_log_q"), drawn)) | {"summary": amortized.summarize(data)}
    heads = amortized.heads(framed, jnp.asarray(drawn[1] if draws_u is None else draws_u)[:3])
    found |= {f"head_{k}": np.exp(v)[:, : len(data.y)] for k, v in heads.items()}
    if model.has_density:
        found["log_likelihood"] = model.log_likelihood(theta, framed)
        exact = model.state_log_probs(theta, framed)
        found |= {f"exact_{k}": np.exp(v)[: len(data.y)] for k, v in exact.items()}
    return found


@pytest.mark.parametrize("i", [0, 1])
@pytest.mark.parametrize(("prior", "name"), NETWORKS)
def test_every_number_is_the_recorded_one(prior, name, i):
    known = recorded(prior, name, i)
    data, theta = Data(known.pop("y"), known.pop("mask")), jnp.asarray(known.pop("theta"))
    found = answers(networks(prior, name), data, theta, known["draws_u"])
    assert found.keys() == known.keys()
    for key, value in found.items():
        expected = np.exp(known[key]) if key.startswith(("head_", "exact_")) else known[key]
        close(value, expected, key)
