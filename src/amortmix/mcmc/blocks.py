"""Between our arrays and Stan's blocks: data, starting values and draws, for any model.

The data block of every Stan program of this library, unused entries need not be declared:

    int N; int M; int D;          units, most observations of one unit, columns
    array[N] int P;               observations of each unit
    array[N, M] vector[D] y;      the first P[i] of unit i are real, zeros follow
    int C; array[N] vector[C] x;  covariates, only for models that have them
    int states;                   1: also return state probabilities for every draw
    <hyperparameter>_prior        every number of the prior, by its name

The parameters block has exactly the sites of the model, by their names and with their shapes.
"""

import inspect
from pathlib import Path

import numpy as np


def stan_file(model):
    """Path of the model's Stan program, which lies beside its declaration, or None if it declares none."""
    if model.stan is None:
        return None
    return Path(inspect.getsourcefile(model.prior) or ".").parent / model.stan


def data_block(model, data, states=False):
    """Data block of one data set, made of Python numbers and lists.

    Parameters
    ----------
    data : Data
        y (N, P, D), mask (N, P), x (N, C) or None. Units after the last observed one are left out, and those
        without observations where units are exchangeable; in a chain they stay, with P[i] = 0.
    states : bool
        Ask the program for the state probabilities of every draw.
    """
    mask = np.asarray(data.mask) > 0
    kept = np.flatnonzero(mask.any(1))
    if model.dependent:
        kept = np.arange(kept[-1] + 1)
    mask, y = mask[kept], np.asarray(data.y, dtype=np.float64)[kept]
    # real observations first; the sort is stable, so their order stays
    order = np.argsort(~mask, axis=1, kind="stable")
    y = np.take_along_axis(np.where(mask[..., None], y, 0.0), order[..., None], axis=1)
    width = max(int(mask.sum(1).max()), 1)
    block = {
        "N": len(kept),
        "M": width,
        "D": y.shape[-1],
        "P": mask.sum(1).tolist(),
        "y": y[:, :width].tolist(),
        "states": int(states),
    }
    if getattr(data, "x", None) is not None:
        x = np.asarray(data.x, dtype=np.float64)[kept]
        block |= {"C": x.shape[-1], "x": x.tolist()}
    return block | {f"{name}_prior": _plain(value) for name, value in model.hyperparameters.items()}


def _plain(value):
    value = np.asarray(value)
    return value.astype(np.float64).tolist() if value.dtype.kind == "f" else value.tolist()


def start_block(model, theta):
    """Starting values of one chain: site -> number or nested list, from theta (D,).

    Shares of a simplex are normalized anew: Stan wants a sum of one to 1e-8, and theta may be single precision.
    """
    theta = np.asarray(theta, dtype=np.float64)
    block = {}
    for site in model.sites:
        value = theta[site.start : site.stop].reshape(site.shape)
        if len(site.free_columns) < site.stop - site.start:
            value = value / value.sum(-1, keepdims=True)
        block[site.name] = value.tolist()
    return block


def theta_of(model, sites):
    """theta (..., D) from draws of the sites, each (..., *shape of the site)."""
    parts = []
    for site in model.sites:
        value = np.asarray(sites[site.name], dtype=np.float64)
        lead = value.shape[: value.ndim - len(site.shape)]
        parts.append(value.reshape(*lead, -1))
    return np.concatenate(parts, axis=-1)
