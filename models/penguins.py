"""Penguins of three species that nobody told apart, by four measures, some of which are missing (Gorman et al. 2014).

Measures of a species are normal around its means; size is common to them: correlation_ij = load_i load_j.
"""

import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro import sample

import amortmix as am

CENTRE = jnp.array([44.0, 17.0, 200.0, 4.2])  # bill length and depth, flipper (mm), mass (kg)
SCALE = jnp.array([6.0, 2.5, 14.0, 0.8])


def prior():
    flipper = sample("flipper", am.ordered(dist.Normal(CENTRE[2], SCALE[2]), 3))
    others = jnp.array([0, 1, 3])
    rest = sample("rest", dist.Normal(CENTRE[others], SCALE[others]).expand([3, 3]).to_event(2))
    sd = sample("sd", dist.LogNormal(jnp.log(0.45 * SCALE), 0.3).to_event(1))
    load = sample("load", dist.Beta(3, 2).expand([4]).to_event(1))
    mu = jnp.stack([rest[:, 0], rest[:, 1], flipper, rest[:, 2]], axis=-1)
    correlation = load[:, None] * load * (1 - jnp.eye(4)) + jnp.eye(4)
    shares = sample("shares", dist.Dirichlet(jnp.full(3, 2.0)))
    return {"mu": mu, "covariance": sd[:, None] * sd * correlation, "shares": shares}


MEASURES = ("bill_length", "bill_depth", "flipper", "mass")
MODEL = am.Mixture(
    states=("short", "middle", "long"),
    prior=prior,
    weights=lambda p: p["shares"],
    emission=lambda p: {MEASURES: dist.MultivariateNormal(p["mu"], p["covariance"])},
    columns={name: am.Real() for name in MEASURES},
    units=(300, 350),
)
