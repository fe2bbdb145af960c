"""Many data sets, fitted one after the other by networks that are loaded and compiled once."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from amortmix.inference.fit import Fit
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


def split(data, by):
    """{name: table} of a table by a column, or of a mapping as it is.

    Raises
    ------
    BadInput
        If the column is not there.
    """
    if isinstance(data, Mapping):
        return dict(data)
    where = "the table"
    if isinstance(data, (str, Path)):
        where, data = str(data), pd.read_csv(data)
    if by is None or by not in data.columns:
        raise BadInput(f"{where}: no column {by!r} to split by; expected one of {', '.join(map(str, data.columns))}")
    return {name: rows.reset_index(drop=True) for name, rows in data.groupby(by, sort=False)}


def fit_many(fitter, data, by, seed):
    """`Fits` of many data sets; the message of bad data begins with the name of the data set."""
    parts, found = split(data, by), {}
    bar = progress(len(parts), f"fitting {fitter.amortized.model.name}", unit="data sets")
    for number, (name, part) in enumerate(parts.items()):
        try:
            found[name] = fitter.fit(part, seed + number)
        except BadInput as error:
            raise BadInput(f"data set {name}: {error}") from None
        bar.advance(1, str(name))
    bar.close()
    return Fits(found)
