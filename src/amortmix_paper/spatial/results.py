"""What the jobs left, as the page shows it: one table of all methods, and errors where data say more and less."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from amortmix.diagnostics.intervals import rmse, scores
from amortmix.storage.files import read_json
from amortmix_paper.spatial import METHODS
from amortmix_paper.spatial.field import UPPER
from amortmix_paper.spatial.tables import Answers


class Results(NamedTuple):
    """Everything in the folder of a run.

    Attributes
    ----------
    fields : dict of arrays
        Of the jobs ``spatial_fields``.
    mcmc : dict of arrays
    answers : dict
        Method -> its arrays.
    costs : dict
        Method, ``fields`` and ``mcmc`` -> its numbers.
    """

    fields: dict
    mcmc: dict
    answers: dict
    costs: dict


def read(folder):
    """`Results` of a folder."""
    names = ["fields", "mcmc", *METHODS]
    arrays = {name: dict(np.load(Path(folder) / f"{name}.npz")) for name in names}
    costs = {name: read_json(Path(folder) / f"{name}.json") for name in names}
    return Results(arrays.pop("fields"), arrays.pop("mcmc"), arrays, costs)


def table(results):
    """One row for each method.

    Returns
    -------
    DataFrame
        `scores`; root mean square of what separates its means from the exact ones; CPU seconds for one field and of the
        training. The seconds of the first row are those of MCMC, whose limit the exact posterior is.
    """
    theta = results.fields["test_theta"][:, 0]
    exact = results.answers["exact"]["mean"]
    rows = {}
    for method, found in results.answers.items():
        cost = results.costs["mcmc" if method == "exact" else method]
        named = scores(*(found[name] for name in Answers._fields), theta)
        rows[METHODS[method]] = {
            "RMSPE": named.pop("RMSE"),
            **named,
            "from the exact mean": rmse(found["mean"], exact),
            "seconds for a field": cost["seconds"],
            "seconds of training": cost.get("training_seconds", 0.0),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def in_halves(results):
    """RMSPE and what separates means from the exact ones, where theta is in the lower and in the upper half.

    Returns
    -------
    DataFrame
        A row for each method; columns (quantity, half).
    """
    theta = results.fields["test_theta"][:, 0]
    halves = {"lower half": theta < UPPER / 2, "upper half": theta >= UPPER / 2}
    others = {"RMSPE": theta, "from the exact mean": results.answers["exact"]["mean"]}
    rows = {
        METHODS[method]: {
            (name, words): rmse(found["mean"][half], other[half])
            for name, other in others.items()
            for words, half in halves.items()
        }
        for method, found in results.answers.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
