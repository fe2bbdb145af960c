"""Inference by networks that begin with the indicators (section 2.5), as pure functions of one framed data set.

    z_i ~ p_alpha(z_i | y)  independently (eq. 22),     theta ~ q_phi(theta | z, y)  (eq. 23)

A Gibbs step, which makes up for the independence, redraws z_i ~ p(z_i | y_i, theta) (eq. 5 or 15) and theta after it.
"""

from amortmix.inference.amortized import drawn, log_density
from amortmix.networks.estimator import pack


def indicator_log_probs(model, estimator, data):
    """log p(z_i | y), theta integrated out: (N, K)."""
    inputs = pack(model, data)[None], model.context(data)[None]
    return estimator.classify(*inputs)["classification"][0]


def _conditions(model, estimator, data, z):
    return estimator.flow_conditions(pack(model, data)[None], model.context(data)[None], z)


def parameters_given(model, estimator, data, z, noise):
    """theta (S, D), u (S, d) and log q (S,): a draw for each of many indicators.

    Parameters
    ----------
    z : (S, N)
    noise : (S, d)
        Standard normal.
    """
    return drawn(model, estimator, data, _conditions(model, estimator, data, z), noise)


def log_density_given(model, estimator, data, z, u):
    """log q(theta | z, y) of u (S, d) and indicators z (S, N), a density of the constrained parameters: (S,)."""
    return log_density(model, estimator, data, _conditions(model, estimator, data, z), u)
