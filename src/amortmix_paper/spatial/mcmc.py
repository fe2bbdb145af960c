"""MCMC for single fields: NUTS by NumPyro, with the exact likelihood.

Each step of the sampler factors the covariance matrix and differentiates the factor, for each field anew.
"""

import jax
import numpy as np
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC, NUTS

from amortmix_paper.spatial.field import model


def nuts(fields, settings, seed):
    """Draws of theta.

    Parameters
    ----------
    fields : (n, 16, 16, 1)
    settings : dict
        ``chains``, ``warmup``, ``draws`` and ``adapt_delta``.
    seed : int

    Returns
    -------
    dict of arrays
        ``theta`` (n, chains, draws), ``rhat`` (n,) and ``ess`` (n,).
    """
    sampler = MCMC(
        NUTS(model, target_accept_prob=settings["adapt_delta"]),
        num_warmup=settings["warmup"],
        num_samples=settings["draws"],
        num_chains=settings["chains"],
        chain_method="sequential",
        progress_bar=False,
    )
    found = []
    for key, field in zip(jax.random.split(jax.random.key(seed), len(fields)), fields[..., 0]):
        sampler.run(key, field)
        found.append(np.asarray(sampler.get_samples(group_by_chain=True)["theta"]))
    return {
        "theta": np.array(found),
        "rhat": np.array([split_gelman_rubin(theta) for theta in found]),
        "ess": np.array([effective_sample_size(theta) for theta in found]),
    }
