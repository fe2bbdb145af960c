"""A fit whose draws have their states in order: permuted draws are draws of the same posterior.

    theta' = pi theta with s(theta')_1 <= ... <= s(theta')_K,   p(z | y, theta') asked again

It holds where labels are not identified (`amortmix.model.labels`), and the result is the posterior under the prior with
that order. States are averaged over the ordered draws.
"""

import jax
import numpy as np
import xarray as xr

from amortmix.model import labels
from amortmix.storage import tree as trees
from amortmix.storage.files import BadInput

#: Draws at which it is asked whether another order has the same density.
COMPARED = 8


def relabelled(fit, by):
    """See `amortmix.inference.fit.Fit.relabel`."""
    model, engine, data = fit.declaration, fit._engine(), trees.observed(fit.tree)
    theta = labels.in_order(model, fit.theta, by)
    if not labels.exchangeable(model, fit.theta[:COMPARED], data):
        raise BadInput(f"{model.name}: another order of the states has another density; draws stay as they are")
    tree, draws = fit.tree.copy(), fit.tree["posterior"].to_dataset()
    columns = {k: (draws[k].dims, x.reshape(draws[k].shape)) for k, x in zip(model.parameter_names, theta.T)}
    tree["posterior"] = xr.DataTree(draws.assign(columns))
    some = theta[: fit.tree.attrs.get("states_draws", len(theta))]
    if fit.tree.attrs["engine"] == "abi":
        found = engine.probabilities(data, engine.run("unconstrain", engine.frame(data), some))
    else:  # MCMC, whose states are exact
        exact = jax.jit(jax.vmap(model.state_log_probs, in_axes=(0, None)))(some, data)
        found = {head: np.exp(p) for head, p in exact.items() if head in model.heads}
    summaries = trees.summarize_probabilities(found)
    latent = fit.tree["latent_probabilities"].to_dataset()
    tree["latent_probabilities"] = xr.DataTree(latent.assign({k: (latent[k].dims, p) for k, p in summaries.items()}))
    tree.attrs["relabelled"] = by if isinstance(by, str) else "a function of theta"
    return type(fit)(tree, fit.model, fit.amortized)
