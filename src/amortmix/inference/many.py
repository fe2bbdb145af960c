"""Many data sets, fitted one after the other by networks that are loaded and compiled once."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from amortmix.inference.fit import Fit
from amortmix.model import tables
from amortmix.progress import progress
from amortmix.storage.files import BadInput


class Fits(Mapping):
    """Name -> `Fit`, in the order of the data sets."""

    def __init__(self, fits):
        self._fits = dict(fits)

    def __getitem__(self, name) -> Fit:
        return self._fits[name]

    def __iter__(self):
        return iter(self._fits)

    def __len__(self):
        return len(self._fits)

    def summary(self):
        """Mean and sd of every parameter, k-hat, verdict and reason of each data set: DataFrame."""
        rows = {}
        for name, fit in self._fits.items():
            table = fit.summary()
            row = {f"{p} {c}": table.loc[p, c] for p in table.index for c in ("mean", "sd")}
            attrs = fit.tree.attrs
            rows[name] = row | {k: attrs.get(k) for k in ("log_evidence", "pareto_k", "mmd_p", "verdict", "reason")}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("data set")


def split(model, data, by):
    """{name: table} of a table by a column, or of a mapping as it is.

    Raises
    ------
    BadInput
        If the column is not there.
    """
    if isinstance(data, Mapping):
        return dict(data)
    where = tables.TABLE
    if isinstance(data, (str, Path)):
        where, data = str(data), tables.read_csv(model, data)
    if by is None or by not in data.columns:
        raise BadInput(f"{where}: no column {by!r} to split by; expected one of {', '.join(map(str, data.columns))}")
    return dict(list(data.groupby(by, sort=False)))


def fit_many(fitter, data, by, seed):
    """`Fits` of many data sets; all are read before the first is fitted.

    Raises
    ------
    BadInput
        One line with the name of the first bad data set, and how many others there are.
    """
    model = fitter.amortized.model
    parts, found = _read(model, split(model, data, by)), {}
    bar = progress(len(parts), f"fitting {model.name}", unit="data sets")
    for number, (name, table) in enumerate(parts.items()):
        found[name] = fitter.fit(table, seed + number)
        bar.advance(1, str(name))
    bar.close()
    return Fits(found)


def _read(model, parts):
    read, bad = {}, []
    for name, part in parts.items():
        try:
            read[name] = tables.read(model, part)
        except BadInput as error:
            bad.append(f"data set {name}: {error}")
    if bad:
        raise BadInput(bad[0] if len(bad) == 1 else f"{bad[0]} (and {len(bad) - 1} more data sets cannot be read)")
    return read
