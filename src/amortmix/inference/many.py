"""Many data sets, fitted by networks that are loaded and compiled once, as many at a time as there are cores.

Each has a seed of its own, seed + its place, and is fitted as if it were alone.
"""

import os
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from amortmix.inference.fit import Fit
from amortmix.inference.parts import check_names
from amortmix.inference.saved import read_tree
from amortmix.progress import progress
from amortmix.storage import files
from amortmix.storage import tree as trees
from amortmix.storage.files import BadInput

#: What `Fits.summary` shows of each fit after its verdict and parameters.
SHOWN = ("log_evidence", "pareto_k", "mmd_p", "reason")

#: How a warning about data sets with problems begins.
NOT_FITTED = "not fitted: "
#: What one about fits that are there says, as a pattern.
NOT_TO_BE_USED = r"\d+ of \d+ fits are not to be used"


class Fits(Mapping):
    """Name -> `Fit`, in the order of the data sets; each is put together when it is asked for.

    Parameters
    ----------
    rows : {name: dict}
        One row of `summary` each; also an attribute.
    get : {name: callable}
        name -> a function without arguments that gives the `Fit`.
    model : Model or Description
    problems : {name: str}
        Data sets that could not be read, each with a line that says why; also an attribute.
    """

    def __init__(self, rows, get, model, problems):
        self.rows, self._get, self._model, self.problems = rows, get, model, problems

    def __getitem__(self, name) -> Fit:
        if name in self.problems:
            raise files.UnknownName(f"not fitted: {self.problems[name]}")
        return files.look_up(self._get, name, "fit of")()

    def __contains__(self, name):
        return name in self._get  # without reading its file

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)

    def summary(self):
        """Verdict, then mean, sd and 95 % interval of every parameter, k-hat and reason of each data set: DataFrame."""
        index = pd.Index(list(self.rows), name="data set", tupleize_cols=False)
        return pd.DataFrame(list(self.rows.values()), index=index)

    def plot(self):
        """Every parameter of every data set with its 95 % interval, by verdict: a matplotlib figure."""
        from amortmix import plots

        return plots.forest(self._model, self.summary())

    def to_xarray(self):
        """All in one: DataTree with the groups `posterior` (dataset, draw) and `summary` (dataset)."""
        return trees.build_many(self._model, {name: self[name].theta for name in self}, self.summary())

    def save(self, path):
        """Write `to_xarray` as one NetCDF file; xarray.open_datatree reads it."""
        files.save_netcdf(path, self.to_xarray())


def beside(path, parameters):
    """Rows of other data sets in a table of fits that is there already, by name, or an empty table.

    Raises
    ------
    BadInput
        If the table is of another model.
    """
    if not path.exists():
        return pd.DataFrame()
    rows = pd.read_csv(path, dtype={"data set": str})  # 007 is not 7
    if missing := {"data set", *(f"{name} mean" for name in parameters)} - set(rows.columns):
        raise BadInput(f"{path}: no column {sorted(missing)[0]}, so of another model; expected another folder (--out)")
    return rows.set_index("data set")


def fit_many(fitter, parts, seed, folder=None):
    """`Fits` of many data sets.

    Parameters
    ----------
    parts : Parts
        See `amortmix.inference.parts.read_parts`.
    folder : path, optional
        Where each fit is written, NAME.nc, as soon as it is made; then none is kept in memory.

    Raises
    ------
    BadInput
        If there are data sets, and none that can be fitted: a line for each.
    """
    model = fitter.amortized.model
    rows, get = {}, {}
    if folder is not None:
        folder = Path(folder).absolute()
        parts = parts.without(check_names(parts, folder))
    if parts.problems and not parts.tables:
        raise BadInput("\n".join(parts.problems.values()))
    bar = progress(len(parts.tables), f"fitting {model.name}", unit="data sets")
    jobs = ((table, seed + parts.places[name]) for name, table in parts.tables.items())
    try:
        for name, found in zip(parts.tables, in_order(lambda job: fitter.numbers(*job), jobs)):
            if folder is None:
                get[name] = found.fit
            else:
                path = folder / f"{name}.nc"
                found.fit().save(path)
                get[name] = lambda path=path: Fit(read_tree(path), model, fitter.amortized)
            rows[name] = row_of(found.best.theta, model.parameter_names, found.attrs)
            bar.advance(1, str(name))
    finally:
        bar.close()
    return Fits(rows, get, model, parts.problems)


def read_fits(paths, model):
    """`Fits` of files that `Fit.save` wrote: {name: path}; one at a time is in memory."""
    rows = {}
    for name, path in paths.items():
        tree = read_tree(path)
        rows[name] = row_of(trees.draws(tree), model.parameter_names, tree.attrs)
    return Fits(rows, {n: lambda path=path: Fit(read_tree(path), model) for n, path in paths.items()}, model, {})


def row_of(theta, names, attrs):
    """What `Fits.summary` shows of a fit: of its draws (S, D) and attributes."""
    low, high = np.quantile(theta, [0.025, 0.975], axis=0)
    moments = {"mean": theta.mean(0), "sd": theta.std(0, ddof=1), "2.5%": low, "97.5%": high}
    row = {f"{name} {what}": float(values[j]) for j, name in enumerate(names) for what, values in moments.items()}
    return {"verdict": attrs.get("verdict")} | row | {k: attrs.get(k) for k in SHOWN}


def in_order(work, jobs):
    """Results of ``work`` for each of ``jobs``, in their order; a few are at work at a time, and none waits long.

    Compiled functions leave Python while they run, so threads fill the cores. The first job runs alone: what it
    compiles serves the others.
    """
    jobs, waiting, workers = iter(jobs), deque(), threads()
    for job in jobs:
        yield work(job)
        break
    with ThreadPoolExecutor(workers) as pool:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def threads():
    """Cores that this process may use: NPROC, where a job of a workflow was given so many."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, int(os.environ.get("NPROC") or here))
