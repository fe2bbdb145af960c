"""Case study 3, eq. 32: guessing and controlled responding as hidden states of a decision maker.

    state 1, guessing:   rt - tau ~ Wald(alpha_1, nu_1), choice ~ Bernoulli(1/2)
    state 2, controlled: (rt - tau, choice) ~ race of two Wald processes to alpha_2, with drift
                         nu_22 for the correct and nu_21 for the wrong answer

Response times in seconds. An observation is (rt, correct), correct being 1 or 0. The non-decision
time tau is learned as a logit scaled to (0, min rt), so the bijection depends on the data.
"""

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro import sample

from amortmix.model.columns import Choice, Positive
from amortmix.model.distributions import Guess, Increments, Race
from amortmix.model.features import each_unit
from amortmix.model.hmm import two_state
from amortmix.model.markov import HiddenMarkov


def positive_normal(loc, scale):
    return dist.TruncatedNormal(loc, scale, low=0.0)


def prior(stay, alpha_1, alpha_gap, nu_1, nu_21, nu_gap, tau_rate):
    return {
        "stay": sample("stay", dist.Beta(*stay).expand([2]).to_event(1)),
        "alpha": sample("alpha", Increments(positive_normal(*alpha_1), positive_normal(*alpha_gap))),
        "nu_guess": sample("nu_guess", positive_normal(*nu_1)),
        "nu": sample("nu", Increments(positive_normal(*nu_21), positive_normal(*nu_gap))),
        "tau": sample("tau", dist.Exponential(tau_rate)),
    }


def emission(p):
    alpha, (nu_error, nu_correct) = p["alpha"], p["nu"]
    return [Guess(alpha[0], p["nu_guess"], p["tau"]), Race(alpha[1], nu_correct, nu_error, p["tau"])]


def min_rt(data):
    """Fastest response of the data set: the upper end of tau."""
    return jnp.min(jnp.where(data.mask > 0, data.y[..., 0], jnp.inf))


def features(data):
    """rt / min rt (at least one), log rt, and the choice as -1 or 1: (N, 1, 3)."""
    rt, correct = data.y[..., 0], data.y[..., 1]
    return jnp.stack([rt / min_rt(data), jnp.log(rt), 2 * correct - 1], axis=-1)


def conditions(model, u, data):
    """u at every trial, and the decision time rt - tau that it implies: (N, d + 4)."""
    rt, correct = data.y[:, 0, 0], data.y[:, 0, 1]
    t = jnp.maximum(rt - min_rt(data) * jax.nn.sigmoid(u[-1]), 1e-4)
    trial = jnp.stack([jnp.log(t), t, jnp.minimum(0.1 / t, 5.0), 2 * correct - 1], axis=-1)
    return jnp.concatenate([trial, each_unit(u, data)], axis=-1)


_STAY = {"paper": [2.0, 2.0], "reference": [16.0, 4.0]}
_PRIOR = {"alpha_1": [0.5, 0.3], "alpha_gap": [1.5, 0.5], "nu_1": [5.5, 1.0], "nu_21": [2.5, 0.5], "nu_gap": [2.5, 1.0]}

MODEL = HiddenMarkov(
    name="evidence_accumulation",
    title="Latent switches in cognitive processing",
    states=("guessing", "controlled"),
    prior=prior,
    variants={name: {"stay": stay, **_PRIOR, "tau_rate": 5.0} for name, stay in _STAY.items()},
    transitions=lambda p: two_state(p["stay"]),
    emission=emission,
    columns={
        "rt": Positive(30, "a response time in seconds (is it in milliseconds?), positive and"),
        "accumulator": Choice({1: 1.0, 2: 0.0}, "1 (correct) or 2 (error)"),
    },
    units=(300, 400),
    below={"tau": "rt"},
    names={"stay": ("rho_11", "rho_22"), "nu_guess": "nu_1", "nu": ("nu_21", "nu_22")},
    physical={"nu_1": "1/s", "nu_21": "1/s", "nu_22": "1/s", "tau": "s"},
    features=features,
    conditions=conditions,
    stan="evidence_accumulation.stan",
)
