"""Case study 2, eq. 31: a two-state Gaussian hidden Markov model with ordered means.

    alpha_kk ~ Beta(2, 2)                             mu ~ Normal((-1.5, 1.5), 1), increasing
    z_1 ~ Categorical(.5, .5), z_i ~ Categorical(alpha_{z_i-1})
    P_i ~ Uniform(2, 5)                               y_ij ~ Normal(mu_{z_i}, 1)

A row of a two-state transition matrix has one free number. It is the logit of staying: eq. 25 with
the diagonal element first.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import beta, norm

from amortmix import bijections, hmm
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

UNITS, OBSERVATIONS = (100, 100), (2, 5)
BIJECTION = bijections.stack([(bijections.unit_interval, 2, 2), (bijections.ordered, 2, 2)])


def sample_prior(key, prior):
    key_stay, key_mu = jax.random.split(key)
    stay = jax.random.beta(key_stay, *prior["stay"], shape=(2,))
    return jnp.concatenate([stay, ordered_normal_sample(key_mu, prior["mu_loc"], prior["mu_scale"])])


def sample_context(key):
    p = uniform_integer(key, *OBSERVATIONS, shape=(UNITS[1], 1))
    return (jnp.arange(OBSERVATIONS[1])[None, :] < p).astype(float)


def simulate(key, theta, mask):
    key_z, key_y = jax.random.split(key)
    z = hmm.simulate_states(key_z, *chain(theta), mask.shape[0])
    y = theta[2:][z][:, None] + jax.random.normal(key_y, mask.shape)
    return (y * mask)[..., None], z


def context(data):
    """N and the mean of P_i, scaled to about one."""
    return jnp.stack([data.unit_mask.sum() / 100 - 1, data.mask.sum() / data.unit_mask.sum() - 3.5])


def chain(theta):
    return hmm.two_state_chain(theta[:2])


def _chain(theta, data):
    log_lik = jnp.sum(norm.logpdf(data.y, theta[2:]) * data.mask[..., None], axis=1)
    return *chain(theta), log_lik


def log_prior(theta, prior):
    log_stay = beta.logpdf(theta[:2], *prior["stay"]).sum()
    return log_stay + ordered_normal_log_pdf(theta[2:], prior["mu_loc"], prior["mu_scale"])


def log_likelihood(theta, data):
    return hmm.filter(*_chain(theta, data)).log_marginal


def state_log_probs(theta, data):
    return hmm.state_log_probs(*_chain(theta, data))


def stan_data(data, prior):
    return gaussian_stan_data(data) | {
        "stay": list(prior["stay"]),
        "mu_loc": list(prior["mu_loc"]),
        "mu_scale": prior["mu_scale"],
        "states": 0,
    }


NETWORKS = {
    "smoke": {
        "local": {"inner": [8], "outer": [8]},
        "summary": {"kind": "recurrent", "width": 16, "dim": 8},
        "flow": {"depth": 2, "widths": [32], "bins": 4, "whitening": [32]},
        "classifier": {"kind": "filter", "widths": [16], "recurrent": 16},
        "classified_share": 0.5,
        "schedule": {"phases": [[200, 32]], "learning_rate": 2e-3, "reports": 4},
    },
    "default": {
        "local": {"inner": [8, 8], "outer": [16]},
        "summary": {"kind": "recurrent", "width": 48, "mix": [96, 96], "dim": 16},
        "flow": {"depth": 4, "widths": [96, 96], "bins": 8, "whitening": [96]},
        "classifier": {"kind": "emission", "widths": [32, 32]},
        "classified_share": 0.25,
        "schedule": {"phases": [[14000, 32], [10000, 32, 16]], "optimizer": "muon", "learning_rate": 4e-3},
    },
    # section 3.4: 50 epochs of 500 iterations of 512
    "paper": {
        "local": {"inner": [64, 64], "outer": [64, 64], "equivariant": 2},
        "summary": {"kind": "recurrent", "width": 128, "dim": 32},
        "flow": {"depth": 8, "widths": [256, 256], "bins": 16, "whitening": [256]},
        "classifier": {"kind": "filter", "widths": [64, 64, 64], "recurrent": 32},
        "classified_share": 1.0,
        "schedule": {"phases": [[25000, 512]], "learning_rate": 1e-3},
    },
}

# the networks of "default", trained on from those that are shipped, with the known density
NETWORKS["longer"] = NETWORKS["default"] | {
    "start": "shipped",
    "schedule": {
        "phases": [[14000, 32, 16], [3000, 96, 16]],
        "optimizer": "muon",
        "learning_rate": 1e-3,
    },
}

CASE = Case(
    name="gaussian_hmm",
    title="Gaussian hidden Markov model",
    states=("state 1", "state 2"),
    dependent=True,
    parameters=(
        Parameter("alpha_11", r"$\alpha_{11}$"),
        Parameter("alpha_22", r"$\alpha_{22}$"),
        Parameter("mu_1", r"$\mu_1$"),
        Parameter("mu_2", r"$\mu_2$"),
    ),
    priors={
        "paper": {"stay": [2.0, 2.0], "mu_loc": [-1.5, 1.5], "mu_scale": 1.0},
        "reference": {"stay": [2.0, 2.0], "mu_loc": [-1.0, 1.0], "mu_scale": 1.0},
    },
    units=UNITS,
    observations=OBSERVATIONS,
    sample_prior=sample_prior,
    sample_context=sample_context,
    simulate=simulate,
    bijection=lambda data: BIJECTION,
    features=lambda data: data.y,
    context=context,
    unit_conditions=broadcast_units,
    networks=NETWORKS,
    chain=chain,
    table=long_table(),
    exact=Exact(log_prior, log_likelihood, state_log_probs),
    stan=Stan(
        file="gaussian_hmm.stan",
        data=stan_data,
        init=lambda theta: {
            "alpha_11": float(theta[0]),
            "alpha_22": float(theta[1]),
            "mu": theta[2:].tolist(),
        },
        extract=lambda draws: np.concatenate(
            [draws["alpha_11"][:, None], draws["alpha_22"][:, None], draws["mu"]], axis=-1
        ),
    ),
    demo={"hmm_demo": {"theta": [0.8, 0.7, -1.0, 1.0], "units": 100, "observations": 3, "seed": 2026}},
)
