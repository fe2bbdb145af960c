"""Case study 1, eq. 30: three Gaussian classes with ordered means, exchangeable units.

mu ~ Normal((-2, 0, 2), 1), increasing      pi ~ Dirichlet(2, 2, 2)
z_i ~ Categorical(pi)                       y_ij ~ Normal(mu_{z_i}, 1)
"""

import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro import sample

from amortmix.model.columns import Real
from amortmix.model.distributions import OrderedNormal
from amortmix.model.features import each_unit
from amortmix.model.mixture import Mixture


def prior(pi_concentration, mu_loc, mu_scale):
    pi = sample("pi", dist.Dirichlet(jnp.array(pi_concentration, dtype=float)))
    return {"pi": pi, "mu": sample("mu", OrderedNormal(mu_loc, mu_scale))}


def conditions(model, u, data):
    """Number of observations of each unit, and log pi and mu, which the likelihood is simplest in: (N, 7)."""
    theta = model.bijection(data).forward(u)
    shared = each_unit(jnp.concatenate([jnp.log(theta[:3]), theta[3:]]), data)
    return jnp.concatenate([data.mask.sum(1, keepdims=True) - 3, shared], axis=-1)


MODEL = Mixture(
    name="gaussian_mixture",
    title="Gaussian mixture model",
    states=("class 1", "class 2", "class 3"),
    prior=prior,
    variants={"paper": {"pi_concentration": [2.0, 2.0, 2.0], "mu_loc": [-2.0, 0.0, 2.0], "mu_scale": 1.0}},
    weights=lambda p: p["pi"],
    emission=lambda p: dist.Normal(p["mu"], 1),
    columns={"y": Real()},
    units=(150, 250),
    observations=(2, 4),
    features=lambda data: data.y,
    conditions=conditions,
    stan="gaussian_mixture.stan",
    demos={"gmm_demo": {"theta": [0.3, 0.5, 0.2, -1.8, -0.5, 1.2], "units": 200, "observations": 3, "seed": 2026}},
)
