"""A fit as a file: one layout for ABI and for Stan.

posterior             scalars with the paper's names (chain, draw)
corrected             the same for ABI draws resampled by importance weight, where there is a likelihood
latent_probabilities  each head (statistic, unit, state)
sample_stats          log_q, log_joint, log_weight per draw; divergences and more for Stan
observed_data         y (unit, observation, variable), mask
"""

import numpy as np
import xarray as xr

from amortmix import io
from amortmix.cases import Data

QUANTILES = {"q005": 0.005, "q025": 0.025, "median": 0.5, "q975": 0.975, "q995": 0.995}


def summarize_probabilities(probabilities, weights=None):
    """Mean and quantiles over draws, and the importance weighted mean if there are weights.

    Parameters
    ----------
    probabilities : dict
        Head -> (S, N, K).
    weights : (S,), optional
        Normalized importance weights.
    """
    names = ["mean", *QUANTILES] + (["psis_mean"] if weights is not None else [])
    found = {}
    for head, p in probabilities.items():
        rows = [p.mean(0), *np.quantile(p, list(QUANTILES.values()), axis=0)]
        if weights is not None:
            rows.append(np.einsum("s,snk->nk", weights, p))
        found[head] = (("statistic", "unit", "state"), np.stack(rows).astype(np.float32))
    return names, found


def save(path, case, theta, stats, latent, data, attrs, corrected=None):
    """Write a fit.

    Parameters
    ----------
    theta : (chains, draws, D)
    stats : dict of (chains, draws)
    latent : (names, {head: (dims, array)}) from `summarize_probabilities`
    data : Data
    attrs : dict
        Strings and numbers: engine, seconds, warnings, ...
    corrected : (chains, draws, D), optional
    """
    dims = ("chain", "draw")
    coords = {"chain": np.arange(theta.shape[0]), "draw": np.arange(theta.shape[1])}
    groups = {"posterior": theta} | ({} if corrected is None else {"corrected": corrected})
    parameters = {
        group: xr.Dataset({n: (dims, values[..., j]) for j, n in enumerate(case.parameter_names)}, coords)
        for group, values in groups.items()
    }
    names, heads = latent
    tree = xr.DataTree.from_dict(
        {
            **parameters,
            "sample_stats": xr.Dataset({k: (dims, v) for k, v in stats.items()}, coords),
            "latent_probabilities": xr.Dataset(heads, {"statistic": names, "state": list(case.states)}),
            "observed_data": xr.Dataset(
                {"y": (("unit", "observation", "variable"), data.y), "mask": (("unit", "observation"), data.mask)}
            ),
        }
    )
    tree.attrs = attrs | {"case": case.name}
    io.save_netcdf(path, tree)


def save_not_run(path, reason):
    """A fit that could not be made: an empty tree that says why."""
    io.save_netcdf(path, xr.Dataset(attrs={"not_run": reason}))


def not_run(tree):
    """Why a fit was not made, or None."""
    return tree.attrs.get("not_run")


def draws(tree, case, group="posterior"):
    """Draws of a group (S, D), chains merged."""
    return np.stack([tree[group][n].values.ravel() for n in case.parameter_names], axis=-1)


def observed(tree):
    return Data(tree["observed_data"]["y"].values, tree["observed_data"]["mask"].values)


def save_data(path, data, truth, attrs):
    """A prepared data set, with its truth where it was simulated."""
    fields = {
        "y": (("unit", "observation", "variable"), np.asarray(data.y, dtype=np.float32)),
        "mask": (("unit", "observation"), np.asarray(data.mask, dtype=np.float32)),
    }
    if truth is not None:
        fields["theta"] = ("parameter", truth[0])
        fields["z"] = ("unit", truth[1])
    io.save_netcdf(path, xr.Dataset(fields, attrs=attrs))


def load_data(path):
    """Data, truth (theta, z) or None, attributes."""
    file = io.load_netcdf(path)
    truth = (file["theta"].values, file["z"].values) if "z" in file else None
    return Data(file["y"].values, file["mask"].values), truth, dict(file.attrs)
