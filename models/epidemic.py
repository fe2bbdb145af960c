"""Reported infections per day in an outbreak: susceptible, infected and recovered people, and noisy reports.

    new_t = S_t (1 - exp(-lambda I_t)),   S_t+1 = S_t - new_t,   I_t+1 = I_t exp(-mu) + new_t
    reports_t ~ NegativeBinomial(mean = new_t, concentration = psi)

S and I are shares of a population of a million. There is one state: nothing is hidden but the parameters.
"""

import jax
import jax.numpy as jnp
from numpyro import distributions as dist
from numpyro import sample

import amortmix as am

DAYS, POPULATION = 60, 1e6


def new_infections(contact, recovery, infected):
    def day(state, _):
        s, i = state
        new = -s * jnp.expm1(-contact * i)
        return (s - new, i * jnp.exp(-recovery) + new), POPULATION * new

    i = infected / POPULATION
    return jax.lax.scan(day, (1 - i, i), length=DAYS)[1]


def prior():
    contact = sample("contact", dist.LogNormal(jnp.log(0.4), 0.4))
    recovery = sample("recovery", dist.LogNormal(jnp.log(0.125), 0.2))
    infected = sample("infected", dist.LogNormal(jnp.log(100.0), 1.0))  # people, on the first day
    psi = sample("psi", dist.LogNormal(jnp.log(10.0), 0.7))
    return {"new": new_infections(contact, recovery, infected), "psi": psi}


def reports(p, x):
    day = jnp.clip(x["day"].astype(int), 0, DAYS - 1)
    return dist.NegativeBinomial2(jnp.maximum(p["new"][day], 1e-3), p["psi"])


MODEL = am.Mixture(
    states=("outbreak",),
    prior=prior,
    weights=None,
    emission=reports,
    columns={"reports": am.NonNegativeInteger()},
    covariates={"day": am.UnitNumber()},
    units=(30, DAYS),
    physical={"contact": "1/day", "recovery": "1/day"},
)
