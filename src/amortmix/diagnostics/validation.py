"""Validation of networks on simulations they have not seen: one function for the library and the workflow.

With a density: SBC, recovery, amortization gap, divergence on corrupted data sets, excess cross-entropy of every head.
Without: SBC, recovery, cross-entropy and calibration of the states against the simulated truth.
"""

import time
from typing import NamedTuple

import jax
import numpy as np
import xarray as xr

from amortmix.diagnostics import simulated, states
from amortmix.inference.reference import reference_of
from amortmix.model.data import Data, as_numpy
from amortmix.networks.classifiers import smoothing
from amortmix.progress import progress

MISFIT = 5  # data sets of the gap for each corrupted one
#: What `amortmix.train` and `amortmix validate` spend.
SETTINGS = {"datasets": 500, "draws": 500, "gap_datasets": 200, "gap_draws": 1000, "share_draws": 200}


class HeldOut(NamedTuple):
    """Simulated data sets with their truth, in the frame of training."""

    theta: np.ndarray
    data: Data
    z: np.ndarray


def simulate_held_out(model, datasets, seed):
    """New data sets under the model's prior."""
    keys = jax.random.split(jax.random.key(seed), datasets)
    theta, data, z = jax.jit(jax.vmap(model.simulate_dataset))(keys)
    return HeldOut(np.asarray(theta), as_numpy(data), np.asarray(z))


def validate(amortized, settings, seed, held_out):
    """Metrics and draws of networks.

    Parameters
    ----------
    amortized : Amortized
    settings : mapping
        ``draws``, ``gap_datasets``, ``gap_draws``, ``share_draws``.
    seed : int
    held_out : HeldOut

    Returns
    -------
    metrics : dict
        The content of ``metrics.json``.
    recovery : xarray.Dataset
        theta, draws, summary and gap of every data set.
    """
    began, model = time.perf_counter(), amortized.model
    theta, data, z = held_out
    bar = progress(5, f"validating {model.name}", unit="parts")
    draws = amortized.sample_many(data, settings["draws"], seed).theta
    bar.advance(1, "posterior draws")
    metrics = {
        "model": model.name,
        "meaningful": amortized.card["meaningful"],
        "parameters": model.parameter_names,
        "datasets": len(theta),
        "draws": settings["draws"],
        "not_finite": int((~np.isfinite(draws).all((1, 2))).sum()),
        "sbc": simulated.calibration(theta, draws, seed),
        "recovery": simulated.recovery(theta, draws),
    }
    few = settings["gap_datasets"]
    some = jax.tree.map(lambda a: a[:few], data)
    if len(model.states) > 1:
        metrics["share_sbc"] = states.share_calibration(amortized, some, z[:few], settings["share_draws"], seed)
    bar.advance(1, "calibration")
    gaps = np.full(len(theta), np.nan)
    if model.has_density:
        gap = simulated.amortization_gap(amortized, theta[:few], some, settings["gap_draws"], seed)
        gaps[:few] = gap.pop("gaps")
        metrics["gap_nats"] = gap
        corrupted = simulated.misfit_divergence(amortized, -(-few // MISFIT), settings["gap_draws"], seed)
        metrics["misfit"] = corrupted
    bar.advance(1, "amortization gap")
    metrics |= _states(amortized, held_out)
    bar.advance(1, "states")
    reference = reference_of(amortized, data)
    bar.advance(1, "summaries")
    bar.close()
    dims = ("dataset", "parameter")
    recovery = xr.Dataset(
        {
            "theta": (dims, theta),
            "draws": (("dataset", "draw", "parameter"), draws.astype(np.float32)),
            "summary": (("dataset", "statistic"), reference.summaries),
            "gap": ("dataset", gaps),
            "value_range": (("variable", "end"), reference.values),
            "mean_range": (("variable", "end"), reference.means),
        },
        coords={"parameter": list(model.parameter_names)},
    )
    metrics["seconds"] = time.perf_counter() - began
    return metrics, recovery


def _states(amortized, held_out):
    """Metrics of every head of the classifier."""
    model, mask = amortized.model, held_out.data.exists
    exact, network = states.state_log_probs(amortized, held_out.theta, held_out.data)
    found = {}
    if model.dependent:
        if model.has_density:
            found["smoothing_errors"] = states.smoothing_errors(exact, network, mask)
        network["smoothing"] = np.asarray(smoothing(network, amortized.smoothing_rule))
    if model.has_density:
        found["excess_ce"] = {
            head: states.excess_cross_entropy(exact[head], q, mask, held_out.z) for head, q in network.items()
        }
    else:
        head = "smoothing" if model.dependent else "classification"
        found["state_calibration"] = {head: states.reliability(network[head], mask, held_out.z)}
    return found
