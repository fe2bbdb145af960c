"""Case study 1 with known indicators, where theta has an exact posterior: a reference for both factorizations.

    pi | z      ~ Dirichlet(a + n),                                n_k units in class k
    mu | z, y   ~ prod_k Normal(m_k, s_k) on mu_1 < mu_2 < mu_3,    1 / s_k^2 = 1 / s^2 + T_k
                                                                    m_k = s_k^2 (l_k / s^2 + Y_k)

with T_k observations of sum Y_k in class k, and l, s the location and scale of the prior. Bayes' rule then gives the
joint probability of all indicators, theta integrated out, from any one theta:

    log p(z | y) = log p(theta | y) + sum_i log p(z_i | y_i, theta) - log p(theta | z, y).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, log_ndtr, log_softmax, logsumexp

CLASSES = 3
#: Nodes of the integral over mu_2, and standard deviations to either side.
NODES, WIDTH = 321, 8.0


class Units(NamedTuple):
    """Sufficient statistics of the units of a data set, each (N,): number and sum of the observations."""

    count: np.ndarray
    total: np.ndarray


class Given(NamedTuple):
    """p(theta | z, y) of many indicators z, each (..., 3)."""

    concentration: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def units_of(data):
    """`Units` of one data set, maybe padded."""
    mask, y = np.asarray(data.mask, float), np.asarray(data.y, float)[..., 0]
    observed = mask.max(-1) > 0
    return Units(mask.sum(-1)[observed], (mask * y).sum(-1)[observed])


def log_responsibilities(units, theta):
    """log p(z_i = k | y_i, theta) of theta (S, 6), eq. 5: (S, N, 3)."""
    return log_softmax(_log_complete(units, theta), axis=-1)


def log_likelihood(units, theta):
    """log p(y | theta) of theta (S, 6), but for a constant of the data: (S,)."""
    return logsumexp(_log_complete(units, theta), axis=-1).sum(-1)


def _log_complete(units, theta):
    """log p(y_i, z_i = k | theta), but for a constant of the unit: (S, N, 3)."""
    theta = np.asarray(theta, float)[:, None]
    pi, mu = theta[..., :CLASSES], theta[..., CLASSES:]
    return np.log(pi) + mu * units.total[:, None] - 0.5 * units.count[:, None] * mu**2


def given(hyperparameters, units, z):
    """`Given` of indicators z (..., N) in 0, 1, 2; without any unit it is the prior."""
    one_hot = np.eye(CLASSES)[np.asarray(z, int)]
    scale = float(hyperparameters["mu_scale"])
    variance = 1 / (1 / scale**2 + units.count @ one_hot)
    mean = variance * (np.asarray(hyperparameters["mu_loc"]) / scale**2 + units.total @ one_hot)
    concentration = np.asarray(hyperparameters["pi_concentration"]) + one_hot.sum(-2)
    return Given(concentration, mean, np.sqrt(variance))


def prior(hyperparameters):
    """The prior as `Given`: theta without any observation."""
    return given(hyperparameters, Units(np.zeros(0), np.zeros(0)), np.zeros(0))


def log_order(known):
    """log P(mu_1 < mu_2 < mu_3) of independent normals with these means and scales: (...,)."""
    _, mean, scale = known
    nodes = np.linspace(-WIDTH, WIDTH, NODES)
    x = mean[..., 1, None] + scale[..., 1, None] * nodes
    below = log_ndtr((x - mean[..., 0, None]) / scale[..., 0, None])
    above = log_ndtr((mean[..., 2, None] - x) / scale[..., 2, None])
    weight = np.log(nodes[1] - nodes[0]) - 0.5 * (nodes**2 + np.log(2 * np.pi))
    return logsumexp(below + above + weight, axis=-1)


def log_density(known, theta):
    """log p(theta | z, y) at theta (..., 6), a density of pi_1, pi_2 and mu, where both shapes broadcast."""
    theta, a = np.asarray(theta, float), known.concentration
    pi, mu = theta[..., :CLASSES], theta[..., CLASSES:]
    shares = gammaln(a.sum(-1)) - gammaln(a).sum(-1) + ((a - 1) * np.log(pi)).sum(-1)
    standard = (mu - known.mean) / known.scale
    means = -0.5 * (standard**2 + np.log(2 * np.pi)) - np.log(known.scale)
    return shares + means.sum(-1) - log_order(known)


def draw(known, rng):
    """One theta (..., 6) for each: rejection, as section 3.2 draws the prior."""
    gamma = rng.standard_gamma(known.concentration)
    mu = rng.normal(known.mean, known.scale)
    while len(wrong := np.argwhere(~(np.diff(mu, axis=-1) > 0).all(-1))):
        at = tuple(wrong.T)
        mu[at] = rng.normal(known.mean[at], known.scale[at])
    return np.concatenate([gamma / gamma.sum(-1, keepdims=True), mu], axis=-1)
