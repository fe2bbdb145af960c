"""The three case studies simulated with NumPy, one data set after the other: what a first program would do.

Only `benchmarks/run.py` uses them, as the comparison for simulation inside the training step.
Each returns theta (D,), y (N_max, P_max, D_y), mask (N_max, P_max) and z (N_max,).
"""

import numpy as np


def _ordered_normal(rng, loc, scale):
    while True:
        mu = rng.normal(loc, scale)
        if np.all(np.diff(mu) > 0):
            return mu


def _positive_normal(rng, loc, scale):
    while True:
        x = rng.normal(loc, scale)
        if x > 0:
            return x


def _chain(rng, stay, n):
    z = np.zeros(n, dtype=np.int32)
    z[0] = rng.integers(2)
    for t in range(1, n):
        z[t] = z[t - 1] if rng.random() < stay[z[t - 1]] else 1 - z[t - 1]
    return z


def gaussian_mixture(rng, prior):
    pi = rng.dirichlet(prior["pi_concentration"])
    mu = _ordered_normal(rng, prior["mu_loc"], prior["mu_scale"])
    mask = np.zeros((250, 4))
    mask[: rng.integers(150, 251), : rng.integers(2, 5)] = 1
    z = rng.choice(3, size=250, p=pi)
    y = rng.normal(mu[z][:, None], 1, size=(250, 4)) * mask
    return np.concatenate([pi, mu]), y[..., None], mask, z


def gaussian_hmm(rng, prior):
    stay = rng.beta(*prior["stay"], size=2)
    mu = _ordered_normal(rng, prior["mu_loc"], prior["mu_scale"])
    mask = (np.arange(5) < rng.integers(2, 6, size=(100, 1))).astype(float)
    z = _chain(rng, stay, 100)
    y = rng.normal(mu[z][:, None], 1, size=(100, 5)) * mask
    return np.concatenate([stay, mu]), y[..., None], mask, z


def evidence_accumulation(rng, prior):
    stay = rng.beta(*prior["stay"], size=2)
    alpha_1 = _positive_normal(rng, *prior["alpha_1"])
    alpha_2 = alpha_1 + _positive_normal(rng, *prior["alpha_gap"])
    nu_1, nu_21 = _positive_normal(rng, *prior["nu_1"]), _positive_normal(rng, *prior["nu_21"])
    nu_22 = nu_21 + _positive_normal(rng, *prior["nu_gap"])
    tau = rng.exponential(1 / prior["tau_rate"])
    n = rng.integers(300, 401)
    z = _chain(rng, stay, 400)
    guess = rng.wald(alpha_1 / nu_1, alpha_1**2, size=400)
    error, correct = (rng.wald(alpha_2 / nu, alpha_2**2, size=400) for nu in (nu_21, nu_22))
    rt = tau + np.where(z == 0, guess, np.minimum(error, correct))
    answer = np.where(z == 0, rng.integers(2, size=400), correct <= error)
    y = np.stack([rt, answer], axis=-1)
    y[n:] = y[0]
    theta = np.array([*stay, alpha_1, alpha_2, nu_1, nu_21, nu_22, tau])
    return theta, y[:, None], (np.arange(400) < n).astype(float)[:, None], z


SIMULATORS = {f.__name__: f for f in (gaussian_mixture, gaussian_hmm, evidence_accumulation)}
