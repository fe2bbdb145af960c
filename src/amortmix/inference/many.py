"""Many data sets, fitted by networks that are loaded and compiled once, as many at a time as there are cores.

Each has a seed of its own, seed + its place, and is fitted as if it were alone.
"""

import os
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from amortmix.inference.fit import Fit, read_tree
from amortmix.model import tables
from amortmix.progress import progress
from amortmix.storage.files import BadInput

#: What `Fits.summary` shows of each fit beside its parameters.
SHOWN = ("log_evidence", "pareto_k", "mmd_p", "verdict", "reason")


#: Bytes of the name of a data set that has a file: endings are added to it.
LONGEST_NAME = 200


class Fits(Mapping):
    """Name -> `Fit`, in the order of the data sets; each is put together when it is asked for.

    Parameters
    ----------
    rows : {name: dict}
        One row of `summary` each; also an attribute.
    get : {name: callable}
        name -> a function without arguments that gives the `Fit`.
    """

    def __init__(self, rows, get):
        self.rows, self._get = rows, get

    def __getitem__(self, name) -> Fit:
        return self._get[name]()

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)

    def summary(self):
        """Mean and sd of every parameter, k-hat, verdict and reason of each data set: DataFrame."""
        index = pd.Index(list(self.rows), name="data set", tupleize_cols=False)
        return pd.DataFrame(list(self.rows.values()), index=index)


def split(model, data, by):
    """{name: table} of a table by a column, or of a mapping as it is.

    Raises
    ------
    BadInput
        If the column is not there.
    """
    if isinstance(data, Mapping):
        return dict(data)
    if isinstance(data, (str, Path)):
        data = tables.read_csv(model, data)
    if by is None or by not in data.columns:
        where = data.attrs.get(tables.FILE, tables.TABLE)
        raise BadInput(f"{where}: no column {by!r} to split by; expected one of {', '.join(map(str, data.columns))}")
    return dict(list(data.groupby(by, sort=False)))


def fit_many(fitter, parts, seed, folder=None):
    """`Fits` of many data sets.

    Parameters
    ----------
    parts : {name: Table}
        See `read`.
    folder : path, optional
        Where each fit is written, NAME.nc, as soon as it is made; then none is kept in memory.
    """
    model = fitter.amortized.model
    rows, get = {}, {}
    if folder is not None:
        folder = Path(folder).absolute()
        _check_names(parts, folder)
    bar = progress(len(parts), f"fitting {model.name}", unit="data sets")
    jobs = ((table, seed + number) for number, table in enumerate(parts.values()))
    try:
        for name, found in zip(parts, in_order(lambda job: fitter.numbers(*job), jobs)):
            if folder is None:
                get[name] = found.fit
            else:
                path = folder / f"{name}.nc"
                found.fit().save(path)
                get[name] = lambda path=path: Fit(read_tree(path), model, fitter.amortized)
            rows[name] = _row(found)
            bar.advance(1, str(name))
    finally:
        bar.close()
    return Fits(rows, get)


def _row(found):
    """What `Fits.summary` shows of a `Fitted`."""
    theta, names = found.best.theta, found.amortized.model.parameter_names
    moments = {"mean": theta.mean(0), "sd": theta.std(0, ddof=1)}
    row = {f"{name} {what}": float(values[j]) for j, name in enumerate(names) for what, values in moments.items()}
    return row | {k: found.attrs.get(k) for k in SHOWN}


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


def _check_names(parts, folder):
    """Every data set can have a file of its own in the folder; BadInput names the first that cannot."""
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: a file; expected a folder for the fits")
    seen = set()
    for name in map(str, parts):
        file = Path(name).name == name and name not in ("", "..") and "\0" not in name
        if not file or len(name.encode()) > LONGEST_NAME:
            raise BadInput(
                f"data set {name[:50]!r}: cannot be the name of a file; expected a short one without slashes"
            )
        if name.casefold() in seen:  # some file systems do not tell A from a
            raise BadInput(f"data set {name!r}: a second one of this name; expected names that differ")
        seen.add(name.casefold())


def read(model, data, by):
    """{name: Table} of many data sets, see `split`.

    Raises
    ------
    BadInput
        One line with the name of the first bad data set, and how many others there are.
    """
    found, bad = {}, []
    for name, part in split(model, data, by).items():
        try:
            found[name] = tables.read(model, part)
        except BadInput as error:
            bad.append(f"data set {name}: {error}")
    if bad:
        raise BadInput(bad[0] if len(bad) == 1 else f"{bad[0]} (and {len(bad) - 1} more data sets cannot be read)")
    return found
