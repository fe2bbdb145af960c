"""A fit by MCMC in the layout of all fits, with exact state probabilities of its draws."""

import jax
import numpy as np

from amortmix.storage import tree

PARTS = 8  # pieces in which draws are classified: few at a time fit the memory of any machine


def mcmc_tree(model, table, found, attrs):
    """The DataTree of `amortmix.storage.tree`.

    Parameters
    ----------
    model : Model
    table : Table
    found : McmcFit
    attrs : dict
        Added to those of the fit.
    """
    exact = jax.jit(jax.vmap(model.state_log_probs, in_axes=(0, None)))
    flat = found.theta.reshape(-1, found.theta.shape[-1]).astype(np.float32)
    parts = [exact(chunk, table.data) for chunk in np.array_split(flat, PARTS)]
    probabilities = {h: np.concatenate([np.exp(np.asarray(p[h])) for p in parts]) for h in parts[0]}
    attrs = {
        "engine": found.engine,
        "seconds": found.seconds,
        "cpu_seconds": found.cpu_seconds,
        "rhat_max": found.rhat_max,
        "divergences": int(found.stats["diverging"].sum()),
        "mean_tree_depth": float(np.mean(found.stats["tree_depth"])),
        "warnings": found.warnings,
        **attrs,
    }
    latent = tree.summarize_probabilities(probabilities)
    return tree.build(model, table, found.theta, found.stats, latent, attrs)
