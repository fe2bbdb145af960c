"""Waiting times in two states, known by a simulator alone: the model of a user without a density."""

import jax
from numpyro import distributions as dist
from numpyro import sample

import amortmix as am


def prior():
    stay = sample("stay", dist.Beta(8, 2).expand([2]).to_event(1))
    mean = sample("mean", am.ordered(dist.LogNormal(0, 1), 2))
    return {"stay": stay, "mean": mean}


def wait(key, p, z):
    return p["mean"][z] * jax.random.exponential(key)


MODEL = am.HiddenMarkov(
    name="waiting_2",
    title="Waiting times, by a simulator alone",
    states=("short", "long"),
    prior=prior,
    transitions=lambda p: am.two_state(p["stay"]),
    simulate_unit=wait,
    columns={"wait": am.Positive()},
    units=(50, 80),
)
