"""A fit by MCMC in the layout of all fits, with exact state probabilities of its draws and a verdict on its chains."""

import json

import jax
import numpy as np

from amortmix.inference.members import flaw
from amortmix.model import identity, shown
from amortmix.storage import tree

PARTS = 8  # pieces in which draws are classified: few at a time fit the memory of any machine
#: Largest rank-normalized R-hat of chains that agree (Vehtari et al. 2021), and share of divergent transitions.
RHAT, DIVERGENT = 1.01, 0.01


def verdict_of(found, density=None):
    """CONVERGED or NOT CONVERGED of a `McmcFit`, UNRELIABLE under a learned density that is wrong; and why."""
    if density is not None and (wrong := flaw(density.report)):
        return "UNRELIABLE", wrong
    divergences = int(found.stats["diverging"].sum())
    numbers = f"largest R-hat {found.rhat_max:.3f}, {divergences} divergent transitions"
    fine = found.rhat_max <= RHAT and divergences <= DIVERGENT * found.stats["diverging"].size
    return ("CONVERGED", numbers) if fine else ("NOT CONVERGED", f"{numbers}: run longer chains")


def tree_of(model, table, found, attrs):
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
    heads = [h for h in parts[0] if h in model.heads]
    each = {h: [shown.probabilities(model.states, np.exp(np.asarray(p[h]))) for p in parts] for h in heads}
    probabilities = {h: np.concatenate(p) for h, p in each.items()}
    word, reason = verdict_of(found, model.density)
    attrs = {
        "engine": found.engine,
        "seconds": found.seconds,
        "cpu_seconds": found.cpu_seconds,
        "rhat_max": found.rhat_max,
        "divergences": int(found.stats["diverging"].sum()),
        "mean_tree_depth": float(np.mean(found.stats["tree_depth"])),
        "verdict": word,
        "reason": reason,
        "warnings": [*found.warnings, *([reason] if word != "CONVERGED" else [])],
        "priors": model.prior_name,
        "identity": json.dumps(identity.parts(model)),
        **attrs,
    }
    latent = tree.summarize_probabilities(probabilities)
    return tree.build(model, table, found.theta, found.stats, latent, attrs)
