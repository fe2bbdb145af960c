"""Guessing and controlled responding as in case study 3, switched by what accuracy pays (Dutilh et al. 2011).

    p(guessing -> controlled) = logistic(s (x - up)),    p(controlled -> guessing) = logistic(s (down - x))

for a pay-off x from 0 to 24. Hysteresis is up > down: a switch over at a higher pay-off than the switch back.
"""

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro import sample

import amortmix as am
from amortmix.library.evidence_accumulation import MODEL as RACE
from amortmix.library.evidence_accumulation import positive_normal


def prior():
    return {
        "up": sample("up", dist.Normal(14, 4)),
        "down": sample("down", dist.Normal(10, 4)),
        "s": sample("s", dist.LogNormal(-0.7, 0.7)),  # per point of pay-off
        "alpha": sample("alpha", am.Increments(positive_normal(0.5, 0.3), positive_normal(1.5, 0.5))),
        "nu_guess": sample("nu_guess", positive_normal(5.5, 1.0)),
        "nu": sample("nu", am.Increments(positive_normal(2.5, 0.5), positive_normal(2.5, 1.0))),
        "tau": sample("tau", dist.Exponential(5)),
    }


def transitions(p, x):
    leave = p["s"] * jnp.concatenate([x["pacc"] - p["up"], p["down"] - x["pacc"]], axis=-1)
    return am.two_state(jax.nn.sigmoid(-jnp.clip(leave, -8, 8)))  # a lapse in 3,000 trials is always possible


def sweep():
    """Pay-offs from 0 to 24 and back, a point a trial, as in the experiment."""
    return am.Resampled([*range(25), *range(24, -1, -1)])


MODEL = am.HiddenMarkov(
    states=RACE.states,
    prior=prior,
    transitions=transitions,
    emission=RACE.emission,
    columns=RACE.columns,
    covariates={"pacc": sweep()},
    units=(330, 1170),
    below={"tau": "rt"},
)
