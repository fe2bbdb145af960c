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


@pytest.mark.parametrize("i", [0, 1])
@pytest.mark.parametrize(("prior", "name"), NETWORKS)
def test_every_number_is_the_recorded_one(prior, name, i):
    amortized, known = networks(prior, name), recorded(prior, name, i)
    model, data = amortized.model, Data(known["y"], known["mask"])
    framed, theta = amortized.frame(data), jnp.asarray(known["theta"])
    u = model.bijection(framed).inverse(theta)
    close(u, known["u"], "u")
    close(model.log_prior(theta), known["log_prior"], "log prior")
    close(model.log_likelihood(theta, framed), known["log_likelihood"], "log likelihood")
    close(amortized.log_prob(data, u[None]), known["log_q"], "log q")
    drawn = jax.jit(amortized.flow)(framed, jax.random.normal(jax.random.key(3), (20, model.free)))
    for key, found in zip(("draws_theta", "draws_u", "draws_log_q"), drawn):
        close(found, known[key], key)
    close(amortized.summarize(data), known["summary"], "summary")
    heads = amortized.heads(framed, jnp.asarray(known["draws_u"][:3]))
    assert {f"head_{k}" for k in heads} == {k for k in known if k.startswith("head_")}
    for head, found in heads.items():
        close(np.exp(found)[:, : len(data.y)], np.exp(known[f"head_{head}"]), head)
    for head, found in model.state_log_probs(theta, framed).items():
        close(np.exp(found)[: len(data.y)], np.exp(known[f"exact_{head}"]), head)
