"""From how many data sets on networks are the cheaper way, for every model of a run: one table.

    n* = T / (b - a)    (`amortmix.diagnostics.cost`),

T seconds of training, a of one data set by networks, b by Stan or by NUTS. They are seconds of CPU, of the process that
did the work and of its chains: waiting for a core that others use does not count. Where the card of networks has no
such seconds of their training there is nothing but the clock, and the table says so.
"""

import math

import numpy as np
import pandas as pd

from amortmix.diagnostics.cost import break_even
from amortmix.storage import files, tree
from amortmix_paper.spatial import METHODS as SPATIAL

#: What networks are held against: Stan's chains, and those of NumPyro.
METHODS = ("Stan", "NUTS")
#: Engines that run a Stan program.
STAN = ("cmdstan", "pystan")
CPU, CLOCK = "CPU", "clock"
#: Names of models that have pages of their own.
EPIDEMIC, FIELD = "An epidemic", "A spatial field"
NETWORKS = "posterior and indicators"


def training_of(card):
    """Seconds of a training, and whether they are of CPU or of the clock, which also counts what ran beside it.

    Parameters
    ----------
    card : dict
        Of networks. Seconds of CPU say nothing of an accelerator.
    """
    seconds = card.get("cpu_seconds")
    if seconds is None or not card["device"].startswith("cpu"):
        return card["seconds"], CLOCK
    return seconds, CPU


def row(model, networks, training, measured, fits):
    """A row of `table`.

    Parameters
    ----------
    model, networks : str
        Title of the model, and which networks of it.
    training : float
        Seconds.
    measured : {"CPU", "clock"}
        How those are measured.
    fits : {str: list of float or None}
        ``networks`` and `METHODS` -> seconds of each data set, as far as the method fits it.
    """
    known = {name: [s for s in fits.get(name, []) if s is not None] for name in ("networks", *METHODS)}
    mean = {name: float(np.mean(seconds)) if seconds else math.nan for name, seconds in known.items()}
    meet = {
        f"meets {name}": break_even(training, mean["networks"], mean[name]) if known[name] else math.nan
        for name in METHODS
    }
    about = {"model": model, "trained": networks, "training": training, "measured by": measured}
    return about | mean | {"fits": len(known["networks"])} | meet


def of_model(title, card, seconds):
    """The row of a model of the run.

    Parameters
    ----------
    title : str
    card : dict
    seconds : dict
        ``costs.json``: data set -> {``networks``, ``Stan``, ``NUTS``: seconds or None}.
    """
    fits = {name: [found[name] for found in seconds.values()] for name in ("networks", *METHODS)}
    return row(title, NETWORKS, *training_of(card), fits)


def of_field(costs):
    """Rows of the spatial example, one for each method that is trained.

    Parameters
    ----------
    costs : dict
        ``fields``, ``mcmc`` and methods -> the numbers of their jobs. The fields that all methods learn from are part
        of the training of each.
    """
    simulation, chains = costs["fields"]["seconds"], costs["mcmc"]["seconds"]
    found = []
    for method, cost in costs.items():
        if method in SPATIAL and method != "exact":
            fits = {"networks": [cost["seconds"]], "NUTS": [chains]}
            made = row(FIELD, SPATIAL[method], simulation + cost["training_seconds"], CPU, fits)
            # seconds are means of its jobs already
            found.append(made | {"fits": math.nan})
    return found


def of_epidemic(numbers):
    """The row of the epidemic, from its saved results."""
    fits = {"networks": [numbers["fit_seconds"]], "NUTS": [numbers["mcmc_seconds"]]}
    return row(EPIDEMIC, "posterior", numbers["training_seconds"], CPU, fits)


def table(rows):
    """All rows, in their order."""
    empty = row("", "", 0.0, CPU, {})
    return pd.DataFrame(rows, columns=list(empty))


def stan_seconds(path):
    """CPU seconds of the chains of a fit by MCMC, or None where no Stan program made it."""
    fit = files.load_netcdf(path)
    if tree.why_not_run(fit) or not fit.attrs["engine"].startswith(STAN):
        return None
    return fit.attrs["cpu_seconds"]
