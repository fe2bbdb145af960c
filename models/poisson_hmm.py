"""Counts from a hidden Markov model with three states, such as calls of an animal that rests, moves or forages."""

import jax.numpy as jnp
from numpyro import distributions as dist
from numpyro import sample

import amortmix as am


def prior():
    rate = sample("rate", am.ordered(dist.LogNormal(1.5, 1), 3))
    transitions = sample("transitions", dist.Dirichlet(jnp.eye(3) * 8 + 1).to_event(1))
    return {"rate": rate, "transitions": transitions}


MODEL = am.HiddenMarkov(
    states=("resting", "moving", "foraging"),
    prior=prior,
    transitions=lambda p: p["transitions"],
    emission=lambda p: dist.Poisson(p["rate"]),
    columns={"count": am.NonNegativeInteger()},
    units=(100, 200),
)
