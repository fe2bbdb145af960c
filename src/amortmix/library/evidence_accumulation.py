"""Case study 3, eq. 32: guessing and controlled responding as hidden states of a decision maker.

    state 1, guessing:   rt - tau ~ Wald(alpha_1, nu_1), choice ~ Bernoulli(1/2)
    state 2, controlled: (rt - tau, choice) ~ race of two Wald processes to alpha_2, with drift
                         nu_22 for the correct and nu_21 for the wrong answer

Response times in seconds. An observation is (rt, correct), correct being 1 or 0. The non-decision
time tau is learned as a logit scaled to (0, min rt), so the bijection depends on the data.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import beta, expon

from amortmix import bijections, hmm
from amortmix.cases.base import Case, Data, Exact, Parameter, Stan, Table, uniform_integer
from amortmix.distributions import (
    positive_normal_log_pdf,
    positive_normal_sample,
    race_log_pdf,
    race_sample,
    wald_log_pdf,
    wald_sample,
)

UNITS, OBSERVATIONS = (300, 400), (1, 1)
RHO_11, RHO_22, ALPHA_1, ALPHA_2, NU_1, NU_21, NU_22, TAU = range(8)


def sample_prior(key, prior):
    keys = jax.random.split(key, 7)
    stay = jax.random.beta(keys[0], *prior["stay"], shape=(2,))
    alpha_1 = positive_normal_sample(keys[1], *prior["alpha_1"])
    alpha_2 = alpha_1 + positive_normal_sample(keys[2], *prior["alpha_gap"])
    nu_1 = positive_normal_sample(keys[3], *prior["nu_1"])
    nu_21 = positive_normal_sample(keys[4], *prior["nu_21"])
    nu_22 = nu_21 + positive_normal_sample(keys[5], *prior["nu_gap"])
    tau = jax.random.exponential(keys[6]) / prior["tau_rate"]
    return jnp.stack([stay[0], stay[1], alpha_1, alpha_2, nu_1, nu_21, nu_22, tau])


def sample_context(key):
    n = uniform_integer(key, *UNITS)
    return (jnp.arange(UNITS[1]) < n).astype(float)[:, None]


def simulate(key, theta, mask):
    key_z, key_guess, key_coin, key_race = jax.random.split(key, 4)
    n = mask.shape[:1]
    z = hmm.simulate_states(key_z, *chain(theta), n[0])
    t_guess = wald_sample(key_guess, theta[ALPHA_1], theta[NU_1], n)
    coin = jax.random.bernoulli(key_coin, 0.5, n).astype(t_guess.dtype)
    t_race, correct = race_sample(key_race, theta[ALPHA_2], theta[NU_22], theta[NU_21], n)
    y = jnp.stack([jnp.where(z == 0, t_guess, t_race) + theta[TAU], jnp.where(z == 0, coin, correct)], axis=-1)
    # padding repeats the first trial: a valid response time, so that no log ever sees a zero
    return jnp.where(mask > 0, y, y[:1])[:, None, :], z


def min_rt(data):
    """Fastest response of the data set: the upper end of tau."""
    return jnp.min(jnp.where(data.mask > 0, data.y[..., 0], jnp.inf))


def bijection(data):
    return bijections.stack(
        [
            (bijections.unit_interval, 2, 2),
            (bijections.positive_ordered, 2, 2),
            (bijections.positive, 1, 1),
            (bijections.positive_ordered, 2, 2),
            (bijections.scaled_logit(min_rt(data)), 1, 1),
        ]
    )


def features(data):
    """rt / min rt (at least one), log rt, and the choice as -1 or 1: (N, 1, 3)."""
    rt, correct = data.y[..., 0], data.y[..., 1]
    return jnp.stack([rt / min_rt(data), jnp.log(rt), 2 * correct - 1], axis=-1)


def context(data):
    return jnp.stack([data.unit_mask.sum() / 350 - 1, jnp.log(min_rt(data))])


def unit_conditions(u, data):
    """u at every trial, and the decision time rt - tau that it implies: (N, d + 4)."""
    tau = min_rt(data) * jax.nn.sigmoid(u[TAU])
    rt, correct = data.y[:, 0, 0], data.y[:, 0, 1]
    t = jnp.maximum(rt - tau, 1e-4)
    log_t = jnp.log(t)
    trial = jnp.stack([log_t, t, jnp.minimum(0.1 / t, 5.0), 2 * correct - 1], axis=-1)
    return jnp.concatenate([trial, jnp.broadcast_to(u, (rt.shape[0], u.shape[0]))], axis=-1)


def chain(theta):
    return hmm.two_state_chain(theta[:2])


def _chain(theta, data):
    rt, correct = data.y[:, 0, 0], data.y[:, 0, 1]
    t = jnp.maximum(rt - theta[TAU], jnp.finfo(rt.dtype).eps)
    guess = wald_log_pdf(t, theta[ALPHA_1], theta[NU_1]) - jnp.log(2.0)
    control = race_log_pdf(t, correct, theta[ALPHA_2], theta[NU_22], theta[NU_21])
    log_lik = jnp.stack([guess, control], axis=-1) * data.unit_mask[:, None]
    return *chain(theta), log_lik


def log_prior(theta, prior):
    return (
        beta.logpdf(theta[:2], *prior["stay"]).sum()
        + positive_normal_log_pdf(theta[ALPHA_1], *prior["alpha_1"])
        + positive_normal_log_pdf(theta[ALPHA_2] - theta[ALPHA_1], *prior["alpha_gap"])
        + positive_normal_log_pdf(theta[NU_1], *prior["nu_1"])
        + positive_normal_log_pdf(theta[NU_21], *prior["nu_21"])
        + positive_normal_log_pdf(theta[NU_22] - theta[NU_21], *prior["nu_gap"])
        + expon.logpdf(theta[TAU], scale=1 / prior["tau_rate"])
    )


def log_likelihood(theta, data):
    return hmm.filter(*_chain(theta, data)).log_marginal


def state_log_probs(theta, data):
    return hmm.state_log_probs(*_chain(theta, data))


def stan_data(data, prior):
    observed = data.unit_mask > 0
    rt, correct = data.y[observed, 0, 0], data.y[observed, 0, 1]
    return {
        "N": int(observed.sum()),
        "rt": rt.tolist(),
        "correct": correct.astype(int).tolist(),
        "stay": list(prior["stay"]),
        "alpha_1_prior": list(prior["alpha_1"]),
        "alpha_gap_prior": list(prior["alpha_gap"]),
        "nu_1_prior": list(prior["nu_1"]),
        "nu_21_prior": list(prior["nu_21"]),
        "nu_gap_prior": list(prior["nu_gap"]),
        "tau_rate": prior["tau_rate"],
        "states": 0,
    }


def stan_init(theta):
    return {
        "rho_11": float(theta[RHO_11]),
        "rho_22": float(theta[RHO_22]),
        "alpha_1": float(theta[ALPHA_1]),
        "alpha_gap": float(theta[ALPHA_2] - theta[ALPHA_1]),
        "nu_1": float(theta[NU_1]),
        "nu_21": float(theta[NU_21]),
        "nu_gap": float(theta[NU_22] - theta[NU_21]),
        "tau": float(theta[TAU]),
    }


def stan_extract(draws):
    alpha_2 = draws["alpha_1"] + draws["alpha_gap"]
    nu_22 = draws["nu_21"] + draws["nu_gap"]
    names = [draws["rho_11"], draws["rho_22"], draws["alpha_1"], alpha_2]
    return np.stack([*names, draws["nu_1"], draws["nu_21"], nu_22, draws["tau"]], axis=-1)


def _to_data(frame):
    """Accumulator 1 is the correct answer, 2 the wrong one."""
    y = np.stack([frame["rt"], 2 - frame["accumulator"]], axis=-1).astype(np.float32)[:, None, :]
    return Data(y, np.ones(y.shape[:2], dtype=np.float32))


MAX_RT = 30.0
TABLE = Table(
    columns=("rt", "accumulator"),
    checks=(
        ("rt", lambda x: x > 0, "a positive response time in seconds"),
        ("rt", lambda x: x < MAX_RT, f"a response time in seconds below {MAX_RT:g} (is it in milliseconds?)"),
        ("accumulator", lambda x: np.isin(x, (1, 2)), "1 (correct) or 2 (error)"),
    ),
    to_data=_to_data,
)

_STICKY = [16.0, 4.0]
_PRIOR = {
    "alpha_1": [0.5, 0.3],
    "alpha_gap": [1.5, 0.5],
    "nu_1": [5.5, 1.0],
    "nu_21": [2.5, 0.5],
    "nu_gap": [2.5, 1.0],
    "tau_rate": 5.0,
}

NETWORKS = {
    "smoke": {
        "local": None,
        "summary": {"kind": "trials", "width": 16, "blocks": 1, "shifts": 2, "states": 2, "dim": 12},
        "flow": {"depth": 2, "widths": [32], "bins": 4, "whitening": [32], "bound": 5.0},
        "classifier": {"kind": "emission", "widths": [16]},
        "classified_share": 0.25,
        "schedule": {"phases": [[120, 32]], "optimizer": "muon", "learning_rate": 4e-3, "reports": 4},
    },
    "default": {
        "local": None,
        "summary": {"kind": "trials", "width": 32, "blocks": 4, "shifts": 4, "states": 8, "mix": [128, 128], "dim": 48},
        "flow": {"depth": 5, "widths": [128, 128], "bins": 8, "whitening": [128], "bound": 5.0},
        "classifier": {"kind": "emission", "widths": [32, 32]},
        "classified_share": 0.25,
        # participants last long in each state, which the printed prior makes rarely, and differ from every simulation
        "schedule": {
            "phases": [[16000, 32], [14000, 32, 16]],
            "optimizer": "muon",
            "learning_rate": 2.5e-3,
            "proposal": {"stay": _STICKY},
            "misfit": 0.5,
        },
    },
    # section 3.5: 100 epochs of 1,000 iterations of 256; 4 convolutions, recurrent summary, 32 outputs
    "paper": {
        "local": None,
        "summary": {"kind": "trials", "width": 64, "blocks": 4, "shifts": 4, "states": 8, "recurrent": 256, "dim": 32},
        "flow": {"depth": 10, "widths": [256, 256], "bins": 16, "whitening": [256], "bound": 5.0},
        "classifier": {"kind": "filter", "widths": [64, 64, 64], "recurrent": 32},
        "classified_share": 1.0,
        "schedule": {"phases": [[100000, 256]], "learning_rate": 5e-4},
    },
}

# the networks of "default", trained on from those that are shipped, with the known density
NETWORKS["longer"] = NETWORKS["default"] | {
    "start": "shipped",
    "schedule": NETWORKS["default"]["schedule"] | {"phases": [[12000, 32, 16], [3000, 96, 16]], "learning_rate": 8e-4},
}

CASE = Case(
    name="evidence_accumulation",
    title="Latent switches in cognitive processing",
    states=("guessing", "controlled"),
    dependent=True,
    parameters=(
        Parameter("rho_11", r"$\rho_{11}$"),
        Parameter("rho_22", r"$\rho_{22}$"),
        Parameter("alpha_1", r"$\alpha_1$"),
        Parameter("alpha_2", r"$\alpha_2$"),
        Parameter("nu_1", r"$\nu_1$", "1/s"),
        Parameter("nu_21", r"$\nu_{21}$", "1/s"),
        Parameter("nu_22", r"$\nu_{22}$", "1/s"),
        Parameter("tau", r"$\tau$", "s"),
    ),
    priors={"paper": {"stay": [2.0, 2.0], **_PRIOR}, "reference": {"stay": _STICKY, **_PRIOR}},
    units=UNITS,
    observations=OBSERVATIONS,
    sample_prior=sample_prior,
    sample_context=sample_context,
    simulate=simulate,
    bijection=bijection,
    features=features,
    context=context,
    unit_conditions=unit_conditions,
    networks=NETWORKS,
    chain=chain,
    table=TABLE,
    exact=Exact(log_prior, log_likelihood, state_log_probs),
    stan=Stan(file="evidence_accumulation.stan", data=stan_data, init=stan_init, extract=stan_extract),
)
