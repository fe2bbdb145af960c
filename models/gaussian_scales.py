"""Two groups of measurements with unknown means and unknown standard deviations; one measurement per unit."""

import jax.numpy as jnp
from numpyro import distributions as dist
from numpyro import sample

import amortmix as am


def prior():
    share = sample("share", dist.Beta(2, 2))
    mean = sample("mean", am.ordered(dist.Normal(0, 3), 2))
    sd = sample("sd", dist.LogNormal(0, 0.5).expand([2]).to_event(1))
    return {"share": jnp.stack([share, 1 - share]), "mean": mean, "sd": sd}


MODEL = am.Mixture(
    states=("low", "high"),
    prior=prior,
    weights=lambda p: p["share"],
    emission=lambda p: dist.Normal(p["mean"], p["sd"]),
    columns={"y": am.Real()},
    units=(100, 300),
)
