"""Reported infections per day in an outbreak: a compartmental model (Kermack & McKendrick 1927) with noisy reports.

    dS/dt = -lambda S I,   dI/dt = lambda S I - mu I,   reports of day t ~ NegativeBinomial(mean new infections, psi)

S and I are shares of a population of a million. There is one state: nothing is hidden but the parameters.
"""

import jax
import jax.numpy as jnp
from numpyro import distributions as dist
from numpyro import sample

import amortmix as am

DAYS, POPULATION, STEPS = 60, 1e6, 4  # steps of a day


def new_infections(contact, recovery, infected):
    """Expected number of each day (DAYS,), by Runge and Kutta's method; ``infected`` people at the start."""

    def slope(state):
        s, i, _ = state
        return jnp.stack([-contact * s * i, contact * s * i - recovery * i, contact * s * i])

    def step(_, state):
        h = 1 / STEPS
        a = slope(state)
        b = slope(state + h / 2 * a)
        c = slope(state + h / 2 * b)
        return state + h / 6 * (a + 2 * b + 2 * c + slope(state + h * c))

    def day(state, _):
        # what is new is counted from zero each day: the difference of two large shares would round it away
        later = jax.lax.fori_loop(
            0, STEPS, step, jnp.stack([state[0], state[1], jnp.zeros_like(state[0])]), unroll=True
        )
        return later[:2], POPULATION * later[2]

    i = jnp.asarray(infected / POPULATION)
    return jax.lax.scan(day, jnp.stack([1 - i, i]), length=DAYS)[1]


def prior():
    contact = sample("contact", dist.LogNormal(jnp.log(0.4), 0.4))  # of one person, per day
    recovery = sample("recovery", dist.LogNormal(jnp.log(0.125), 0.2))  # per day
    infected = sample("infected", dist.LogNormal(jnp.log(100.0), 1.0))
    psi = sample("psi", dist.LogNormal(jnp.log(10.0), 0.7))
    return {"mean": new_infections(contact, recovery, infected), "psi": psi}


def reports(p, x):
    day = jnp.clip(x["day"].astype(int), 0, DAYS - 1)
    return dist.NegativeBinomial2(jnp.maximum(p["mean"][day], 1e-3), p["psi"])


MODEL = am.Mixture(
    title="An outbreak of an infection",
    states=("outbreak",),
    prior=prior,
    weights=None,
    emission=reports,
    columns={"reports": am.NonNegativeInteger()},
    covariates={"day": am.UnitNumber()},
    units=(30, DAYS),
    physical={"contact": "1/day", "recovery": "1/day"},
)
