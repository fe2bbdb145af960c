"""A fit as an ArviZ DataTree: one layout for the networks and for MCMC.

posterior             the best draws there are; scalars by parameter name (chain, draw)
flow                  the networks' own draws, before any weight
sample_stats          log_q, log_joint, log_weight of the flow's draws; divergences and more for MCMC
latent_probabilities  each head (statistic, unit, state) over the draws of ``posterior``
log_likelihood        of each unit (chain, draw, unit), where it is known
observed_data         y (unit, observation, variable), mask, x, sequence, components
"""

import json

import numpy as np
import xarray as xr

from amortmix.model.data import Data
from amortmix.storage import files

QUANTILES = {"q005": 0.005, "q025": 0.025, "median": 0.5, "q975": 0.975, "q995": 0.995}
STATISTICS = ("mean", *QUANTILES)
DIMS = ("chain", "draw")
#: Columns of a summary of many fits that are text.
WORDS = ("verdict", "reason")


def summarize_probabilities(probabilities):
    """Mean and quantiles over draws: {head: (statistics, N, K)} of {head: (S, N, K)}."""
    return {
        head: np.concatenate([p.mean(0)[None], _quantiles(p)]).astype(np.float32) for head, p in probabilities.items()
    }


def _quantiles(p):
    """`QUANTILES` of p (S, ...) over its first axis, interpolated linearly; for few draws faster than NumPy's own."""
    ordered = np.sort(np.ascontiguousarray(np.moveaxis(p, 0, -1)), axis=-1)
    place = np.array(list(QUANTILES.values())) * (len(p) - 1)
    below = place.astype(int)
    share = (place - below).astype(p.dtype)
    found = ordered[..., below] * (1 - share) + ordered[..., np.minimum(below + 1, len(p) - 1)] * share
    found = np.where(np.isnan(ordered[..., -1:]), np.nan, found)  # NaN comes last in order
    return np.moveaxis(found, -1, 0)


def build(model, table, theta, stats, latent, attrs, flow=None, log_likelihood=None):
    """A fit as a DataTree.

    Parameters
    ----------
    model : Model
    table : Table
        Data and the labels of their units.
    theta : (chains, draws, D)
        The best draws.
    stats : dict of (chains, draws)
    latent : {head: (statistics, N, K)}
        See `summarize_probabilities`.
    attrs : dict
        Strings and numbers; a list becomes JSON.
    flow : (chains, draws, D), optional
    log_likelihood : (chains, draws, N), optional
    """
    unit = {"unit": list(table.labels)}
    groups = {
        "posterior": _parameters(model, theta),
        "sample_stats": xr.Dataset({k: (DIMS, v) for k, v in stats.items()}, _draws(next(iter(stats.values())))),
        "latent_probabilities": xr.Dataset(
            {head: (("statistic", "unit", "state"), p) for head, p in latent.items()},
            {"statistic": list(STATISTICS), "state": list(model.state_labels), **unit},
        ),
        "observed_data": _observed(model, table.data, unit),
    }
    if flow is not None:
        groups["flow"] = _parameters(model, flow)
    if log_likelihood is not None:
        coords = {**_draws(log_likelihood), **unit}
        groups["log_likelihood"] = xr.Dataset({"y": ((*DIMS, "unit"), log_likelihood.astype(np.float32))}, coords)
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = {k: json.dumps(v) if isinstance(v, (list, tuple)) else v for k, v in attrs.items()}
    tree.attrs["model"] = model.name
    return tree


def build_many(model, theta, summary):
    """Draws and summaries of many fits as a DataTree whose groups have the dimension ``dataset``.

    Parameters
    ----------
    model : Model or Description
    theta : {name: (S, D)}
        As many draws of each; where one has fewer, NaN follows.
    summary : DataFrame
        A row for each, see `amortmix.inference.many.Fits.summary`.
    """
    names = [str(name) for name in theta]
    draws = np.full((len(names), max(map(len, theta.values()), default=0), len(model.parameter_names)), np.nan)
    for place, values in enumerate(theta.values()):
        draws[place, : len(values)] = values
    columns = {c: summary[c].to_numpy() for c in summary.columns}
    # NetCDF has text and numbers, and None is neither
    columns = {c: v.astype(str) if c in WORDS else v.astype(float) for c, v in columns.items()}
    coords = {"dataset": names}
    posterior = {n: (("dataset", "draw"), draws[..., j]) for j, n in enumerate(model.parameter_names)}
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(posterior, coords | {"draw": np.arange(draws.shape[1])}),
            "summary": xr.Dataset({c: ("dataset", v) for c, v in columns.items()}, coords),
        }
    )
    tree.attrs = {"model": model.name, "priors": model.prior_name}
    return tree


def _draws(values):
    return {"chain": np.arange(values.shape[0]), "draw": np.arange(values.shape[1])}


def _parameters(model, theta):
    return xr.Dataset({n: (DIMS, theta[..., j]) for j, n in enumerate(model.parameter_names)}, _draws(theta))


def _observed(model, data, unit):
    fields = {
        "y": (("unit", "observation", "variable"), np.asarray(data.y, np.float32)),
        "mask": (("unit", "observation"), np.asarray(data.mask, np.float32)),
    }
    coords = {**unit, "variable": list(model.columns)}
    if data.x is not None:
        fields["x"] = (("unit", "covariate"), np.asarray(data.x, np.float32))
        coords["covariate"] = list(model.covariates)
    if data.sequence is not None:
        fields["sequence"] = ("unit", np.asarray(data.sequence, np.float32))
    if data.components is not None:
        fields["components"] = (("unit", "observation", "variable"), np.asarray(data.components, np.float32))
    return xr.Dataset(fields, coords)


def _data(content):
    """`Data` of what `_observed` made."""
    return Data(*(content[name].values if name in content else None for name in Data._fields))


def not_run(reason):
    """A fit that could not be made: an empty tree that says why."""
    return xr.DataTree(xr.Dataset(attrs={"not_run": reason}))


def why_not_run(tree):
    """Why a fit was not made, or None."""
    return tree.attrs.get("not_run")


def warnings_of(tree):
    """The sentences that a user must know."""
    return json.loads(tree.attrs.get("warnings", "[]"))


def draws(tree, group="posterior"):
    """Draws of a group (S, D), chains merged."""
    return np.stack([tree[group][n].values.ravel() for n in tree[group].data_vars], axis=-1)


def observed(tree):
    """The `Data` that were fitted."""
    return _data(tree["observed_data"])


def labels_of(tree):
    """The user's labels of the units."""
    return tuple(tree["observed_data"]["unit"].values.tolist())


def save_data(path, model, table, truth, attrs):
    """A prepared data set, with its truth where it was simulated."""
    content = _observed(model, table.data, {"unit": list(table.labels)})
    if truth is not None:
        content["theta"] = ("parameter", np.asarray(truth[0]))
        content["z"] = ("unit", np.asarray(truth[1]))
    content.attrs = attrs
    files.save_netcdf(path, content)


def load_data(path):
    """Table, truth (theta, z) or None, attributes of a prepared data set."""
    from amortmix.model.tables import Table

    content = files.load_netcdf(path)
    truth = (content["theta"].values, content["z"].values) if "z" in content else None
    return Table(_data(content), tuple(content["unit"].values.tolist())), truth, dict(content.attrs)
