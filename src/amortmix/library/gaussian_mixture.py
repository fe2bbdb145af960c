"""Case study 1, eq. 30: three Gaussian classes with ordered means, exchangeable units.

mu ~ Normal((-2, 0, 2), 1), increasing      pi ~ Dirichlet(2, 2, 2)
z_i ~ Categorical(pi)                       y_ij ~ Normal(mu_{z_i}, 1)
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax, logsumexp
from jax.scipy.stats import dirichlet, norm

from amortmix import bijections
from amortmix.cases.base import (
    Case,
    Exact,
    Parameter,
    Stan,
    broadcast_units,
    gaussian_stan_data,
    long_table,
    uniform_integer,
)
from amortmix.distributions import ordered_normal_log_pdf, ordered_normal_sample

UNITS, OBSERVATIONS = (150, 250), (2, 4)
BIJECTION = bijections.stack([(bijections.simplex, 2, 3), (bijections.ordered, 3, 3)])


def sample_prior(key, prior):
    key_pi, key_mu = jax.random.split(key)
    pi = jax.random.dirichlet(key_pi, jnp.array(prior["pi_concentration"], dtype=float))
    return jnp.concatenate([pi, ordered_normal_sample(key_mu, prior["mu_loc"], prior["mu_scale"])])


def sample_context(key):
    key_units, key_observations = jax.random.split(key)
    n, p = uniform_integer(key_units, *UNITS), uniform_integer(key_observations, *OBSERVATIONS)
    exists = (jnp.arange(UNITS[1])[:, None] < n) & (jnp.arange(OBSERVATIONS[1])[None, :] < p)
    return exists.astype(float)


def simulate(key, theta, mask):
    key_z, key_y = jax.random.split(key)
    z = jax.random.categorical(key_z, jnp.log(theta[:3]), shape=mask.shape[:1])
    y = theta[3:][z][:, None] + jax.random.normal(key_y, mask.shape)
    return (y * mask)[..., None], z


def features(data):
    return data.y


def context(data):
    """N and P, scaled to about one."""
    return jnp.stack([data.unit_mask.sum() / 200 - 1, data.mask.sum() / data.unit_mask.sum() - 3])


def unit_conditions(u, data):
    """Number of observations of each unit, and log pi and mu, which the likelihood is simplest in: (N, 7)."""
    theta = BIJECTION.forward(u)
    shared = broadcast_units(jnp.concatenate([jnp.log(theta[:3]), theta[3:]]), data)
    return jnp.concatenate([data.mask.sum(1, keepdims=True) - 3, shared], axis=-1)


def _log_joint_units(theta, data):
    """log p(y_i, z_i = k | theta): (N, K)."""
    log_density = norm.logpdf(data.y, theta[3:]) * data.mask[..., None]
    return jnp.log(theta[:3]) + log_density.sum(1)


def log_prior(theta, prior):
    log_pi = dirichlet.logpdf(theta[:3] / theta[:3].sum(), jnp.array(prior["pi_concentration"], dtype=theta.dtype))
    return log_pi + ordered_normal_log_pdf(theta[3:], prior["mu_loc"], prior["mu_scale"])


def log_likelihood(theta, data):
    return jnp.sum(logsumexp(_log_joint_units(theta, data), axis=-1) * data.unit_mask)


def state_log_probs(theta, data):
    return {"classification": log_softmax(_log_joint_units(theta, data), axis=-1)}


def stan_data(data, prior):
    return gaussian_stan_data(data) | {
        "pi_concentration": list(prior["pi_concentration"]),
        "mu_loc": list(prior["mu_loc"]),
        "mu_scale": prior["mu_scale"],
    }


NETWORKS = {
    "smoke": {
        "local": {"inner": [8], "outer": [8]},
        "summary": {"kind": "deep_set", "width": 16, "depth": 1, "dim": 8},
        "flow": {"depth": 2, "widths": [32], "bins": 4, "whitening": [32]},
        "classifier": {"kind": "unit", "widths": [16]},
        "classified_share": 0.5,
        "schedule": {"phases": [[200, 32]], "learning_rate": 2e-3, "reports": 4},
    },
    "default": {
        "local": {"inner": [8, 8], "outer": [16]},
        "summary": {"kind": "deep_set", "width": 48, "depth": 2, "mix": [128, 128], "dim": 24},
        "flow": {"depth": 5, "widths": [96, 96], "bins": 8, "whitening": [128], "bound": 5.0},
        "classifier": {"kind": "unit", "widths": [48, 48]},
        "classified_share": 0.25,
        "schedule": {"phases": [[36000, 32], [8000, 96]], "optimizer": "muon", "learning_rate": 2e-3},
    },
    # section 3.3: 100 epochs of 2,000 iterations of 128; deep sets of 2+2 and 4+3 layers; 14 splines; 12 layers
    "paper": {
        "local": {"inner": [64, 64], "outer": [64, 64], "equivariant": 2},
        "summary": {"kind": "deep_set", "width": 64, "depth": 3, "inner": 4, "dim": 32},
        "flow": {"depth": 14, "widths": [256, 256], "bins": 16, "whitening": [256]},
        "classifier": {"kind": "unit", "widths": [64] * 12},
        "classified_share": 1.0,
        "schedule": {"phases": [[200000, 128]], "learning_rate": 5e-4},
    },
}

# the networks of "default", trained on from those that are shipped, with the known density
NETWORKS["longer"] = NETWORKS["default"] | {
    "start": "shipped",
    "schedule": {
        "phases": [[24000, 32, 16], [6000, 96, 16]],
        "optimizer": "muon",
        "learning_rate": 1e-3,
    },
}

CASE = Case(
    name="gaussian_mixture",
    title="Gaussian mixture model",
    states=("class 1", "class 2", "class 3"),
    dependent=False,
    parameters=tuple(
        [Parameter(f"pi_{k}", rf"$\pi_{k}$") for k in (1, 2, 3)]
        + [Parameter(f"mu_{k}", rf"$\mu_{k}$") for k in (1, 2, 3)]
    ),
    priors={"paper": {"pi_concentration": [2.0, 2.0, 2.0], "mu_loc": [-2.0, 0.0, 2.0], "mu_scale": 1.0}},
    units=UNITS,
    observations=OBSERVATIONS,
    sample_prior=sample_prior,
    sample_context=sample_context,
    simulate=simulate,
    bijection=lambda data: BIJECTION,
    features=features,
    context=context,
    unit_conditions=unit_conditions,
    networks=NETWORKS,
    table=long_table(),
    exact=Exact(log_prior, log_likelihood, state_log_probs),
    stan=Stan(
        file="gaussian_mixture.stan",
        data=stan_data,
        # Stan wants a sum of one to 1e-8, and draws are single precision
        init=lambda theta: {"pi": (theta[:3] / theta[:3].sum()).tolist(), "mu": theta[3:].tolist()},
        extract=lambda draws: np.concatenate([draws["pi"], draws["mu"]], axis=-1),
    ),
    demo={"gmm_demo": {"theta": [0.3, 0.5, 0.2, -1.8, -0.5, 1.2], "units": 200, "observations": 3, "seed": 2026}},
)
