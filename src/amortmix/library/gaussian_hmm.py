"""Case study 2, eq. 31: a two-state Gaussian hidden Markov model with ordered means.

    alpha_kk ~ Beta(2, 2)                             mu ~ Normal((-1.5, 1.5), 1), increasing
    z_1 ~ Categorical(.5, .5), z_i ~ Categorical(alpha_{z_i-1})
    P_i ~ Uniform(2, 5)                               y_ij ~ Normal(mu_{z_i}, 1)

A row of a two-state transition matrix has one free number. It is the logit of staying: eq. 25 with
the diagonal element first.
"""

import numpyro.distributions as dist
from numpyro import sample

from amortmix.model.columns import Real
from amortmix.model.distributions import OrderedNormal
from amortmix.model.features import each_unit
from amortmix.model.hmm import two_state
from amortmix.model.markov import HiddenMarkov


def prior(stay, mu_loc, mu_scale):
    alpha = sample("stay", dist.Beta(*stay).expand([2]).to_event(1))
    return {"stay": alpha, "mu": sample("mu", OrderedNormal(mu_loc, mu_scale))}


MODEL = HiddenMarkov(
    name="gaussian_hmm",
    title="Gaussian hidden Markov model",
    states=("state 1", "state 2"),
    prior=prior,
    variants={
        "paper": {"stay": [2.0, 2.0], "mu_loc": [-1.5, 1.5], "mu_scale": 1.0},
        "reference": {"stay": [2.0, 2.0], "mu_loc": [-1.0, 1.0], "mu_scale": 1.0},
    },
    transitions=lambda p: two_state(p["stay"]),
    emission=lambda p: dist.Normal(p["mu"], 1),
    columns={"y": Real()},
    units=(100, 100),
    observations=(2, 5),
    names={"stay": ("alpha_11", "alpha_22")},
    features=lambda data: data.y,
    conditions=lambda model, u, data: each_unit(u, data),
    stan="gaussian_hmm.stan",
    demos={"hmm_demo": {"theta": [0.8, 0.7, -1.0, 1.0], "units": 100, "observations": 3, "seed": 2026}},
)
