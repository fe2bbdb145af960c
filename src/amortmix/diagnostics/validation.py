"""Validation of networks on simulations they have not seen: one function for the library and the workflow.

With a density: SBC, recovery, amortization gap, divergence on corrupted data sets, excess cross-entropy of every head.
Without: SBC, recovery, cross-entropy and calibration of the states against the simulated truth.
"""

import time
from typing import NamedTuple

import jax
import numpy as np

from amortmix.diagnostics import simulated, states
from amortmix.model import shown
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


def simulate_held_out(model, datasets, seed, units=None):
    """New data sets under the model's prior and of its design, or of it with so many units."""
    if units is not None:
        model = model.changed(design=model.design._replace(units=(units, units), padding=None))
    keys = jax.random.split(jax.random.key(seed), datasets)
    theta, data, z = jax.jit(jax.vmap(model.simulate_dataset))(keys)
    return HeldOut(np.asarray(theta), as_numpy(data), np.asarray(z))


def validate(amortized, settings, seed, held_out):
    """Metrics of networks, and statistics of their draws.

    Parameters
    ----------
    amortized : Amortized
    settings : mapping
        As `SETTINGS`.
    seed : int
    held_out : HeldOut

    Returns
    -------
    metrics : dict
        The content of ``metrics.json``, with the settings, the seed and the checksum of the networks.
    recovery : xarray.Dataset
        `simulated.statistics` and the ``gap`` (M,) of every data set, NaN where it was not asked for.
    """
    began, model = time.perf_counter(), amortized.model
    theta, data, z = held_out
    bar = progress(4, f"validating {model.name}", unit="parts")
    draws = amortized.sample_many(data, settings["draws"], seed).theta
    bar.advance(1, "posterior draws")
    recovery = simulated.statistics(model.parameter_names, theta, draws)
    metrics = {
        "model": model.name,
        "sha256": amortized.card["sha256"],
        "settings": dict(settings),
        "seed": seed,
        "meaningful": amortized.card["meaningful"],
        "parameters": model.parameter_names,
        "datasets": len(theta),
        "not_finite": int((recovery["not_finite"] > 0).sum()),
        "sbc": simulated.calibration(theta, draws, seed),
        "recovery": simulated.recovery(theta, draws),
    }
    few = settings["gap_datasets"]
    some = jax.tree.map(lambda a: a[:few], data)
    if len(model.states) > 1:
        metrics |= states.path_calibration(amortized, some, z[:few], settings["share_draws"], seed)
    bar.advance(1, "calibration")
    gaps = np.full(len(theta), np.nan, np.float32)
    if model.has_density:
        gap = simulated.amortization_gap(amortized, theta[:few], some, settings["gap_draws"], seed)
        gaps[:few] = gap.pop("gaps")
        metrics["gap_nats"] = gap
        if model.density is not None:
            metrics["density"] = model.density.report
        corrupted = simulated.misfit_divergence(amortized, -(-few // MISFIT), settings["gap_draws"], seed)
        metrics["misfit"] = corrupted
    recovery["gap"] = "dataset", gaps
    bar.advance(1, "amortization gap")
    metrics |= _states(amortized, held_out)
    bar.advance(1, "states")
    bar.close()
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
    exact, network = ({k: shown.log_probabilities(model.states, p) for k, p in x.items()} for x in (exact, network))
    z = shown.path(model.states, np.asarray(held_out.z))
    if model.has_density:
        found["excess_ce"] = {head: states.excess_cross_entropy(exact[head], q, mask, z) for head, q in network.items()}
    if model.emission is None:
        head = "smoothing" if model.dependent else "classification"
        found["state_calibration"] = {head: states.reliability(network[head], mask, z)}
    return found
