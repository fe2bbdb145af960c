"""An elk that stays where it is or explores, one position a day (Morales et al. 2004): steps, turns, distance to water.

It leaves a state with probability logistic(a + b water); turns have von Mises distributions whose concentration and
direction are the length and the angle of a vector, so that a state may go straight on, turn back, or do neither.
"""

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro import sample

import amortmix as am


def prior():
    return {
        "mean": sample("mean", am.ordered(dist.LogNormal(0, 1), 2)),  # km a day
        "ratio": sample("ratio", dist.LogNormal(0, 0.3).expand([2]).to_event(1)),  # sd of a step over its mean
        "still": sample("still", dist.Beta(1, 50).expand([2]).to_event(1)),  # probability of no step at all
        "drift": sample("drift", dist.Normal(0, 1).expand([2, 2]).to_event(2)),  # ahead and to the side
        "a": sample("a", dist.Normal(-1.5, 1).expand([2]).to_event(1)),
        "b": sample("b", dist.Normal(0, 1).expand([2]).to_event(1)),
    }


def steps_and_turns(p, x):
    shape, ahead, aside = p["ratio"] ** -2, p["drift"][:, 0], p["drift"][:, 1]
    return {
        "step": am.ZeroInflated(dist.Gamma(shape, shape / p["mean"]), gate=p["still"]),
        "turn": dist.VonMises(jnp.arctan2(aside, ahead), jnp.sqrt(ahead**2 + aside**2)),
    }


MODEL = am.HiddenMarkov(
    states=("encamped", "exploring"),
    prior=prior,
    transitions=lambda p, x: am.two_state(jax.nn.sigmoid(-p["a"] - p["b"] * x["water"])),
    emission=steps_and_turns,
    columns={"step": am.NonNegative(), "turn": am.Angle()},
    covariates={"water": dist.Normal(0, 1)},  # distance of the day, standardized
    units=(600, 740),
)
