"""A table, a file or an array becomes `Data`, every value checked.

A row is a unit; where a unit can have several observations a column ``unit`` says which rows belong together, in the
order in which units first appear.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from amortmix.model.data import Data
from amortmix.model.naming import UNIT, coded, named
from amortmix.model.naming import needed as _needed
from amortmix.model.pooled import check_pooled
from amortmix.model.reading import FILE, read_file
from amortmix.storage.files import BadInput

TABLE = "the table"  # what messages call a DataFrame


class Table(NamedTuple):
    """Data and the user's own labels of the units."""

    data: Data
    labels: tuple


def read(model, source, rows=None, columns=None, codes=None):
    """A data set of a model.

    Parameters
    ----------
    model : Model
    source : path, DataFrame, array or Data
        A file (`amortmix.model.reading`) or a DataFrame with the model's columns; or y with shape (N,), (N, P), (N, D)
        or (N, P, D).
    rows : int, optional
        Only the first ``rows`` rows of a table.
    columns : {str: str}, optional
        The model's name of a column -> the table's, where they differ: ``{"rt": "RT"}``.
    codes : {str: {value: number}}, optional
        Column -> value in the table -> code of the model: ``{"accumulator": {"correct": 1, "error": 2}}``; None for a
        value that says that there is none.

    Returns
    -------
    Table

    Raises
    ------
    BadInput
        One line with file, row and expected form.
    """
    if (columns or codes) and not isinstance(source, (str, Path, pd.DataFrame)):
        raise BadInput(f"columns and codes of a {type(source).__name__}; expected a table or a file for them")
    if isinstance(source, Table):
        return source
    if isinstance(source, Data):
        return Table(Data(*(None if a is None else np.asarray(a, np.float32) for a in source)), _numbers(source))
    if isinstance(source, (str, Path)):
        source = load(model, source, columns)
    if isinstance(source, pd.DataFrame):
        where = source.attrs.get(FILE, TABLE)
        frame = coded(model, named(model, source.iloc[:rows], where, columns), where, codes)
        check_pooled(frame, where, (*model.columns, *model.covariates))
        return _from_frame(model, frame, where, rows)
    return _from_array(model, source)


def _numbers(data):
    return tuple(range(1, data.y.shape[0] + 1))


def load(model, path, columns=None):
    """A file as a table, not yet under the model's names; parameters as for `read`."""
    names = dict(columns or {})
    numbers = [names.get(name, name) for name in (*model.columns, *model.covariates)]
    return read_file(path, [names.get(name, name) for name in _needed(model)], numbers)


def _from_frame(model, frame, where, rows):
    needed = _needed(model)
    missing = [c for c in needed if c not in frame.columns]
    if missing:
        header = where if where == TABLE else f"{where}, row 1"
        raise BadInput(
            f"{header}: no column {', '.join(missing)}; expected {', '.join(needed)}; found "
            f"{', '.join(map(str, frame.columns))}"
        )
    frame = frame.iloc[:rows]
    if not len(frame):
        raise BadInput(f"{where}: no rows of data; expected one for each observation")
    values = {c: _numeric(frame[c], where, c) for c in (*model.columns, *model.covariates)}
    for column, kind in model.columns.items():
        good = kind.accepts(values[column])
        if not good.all():
            raise BadInput(_at(where, frame[column], column, int((~good).argmax()), kind.expected))
    unit = frame[UNIT] if UNIT in frame.columns else pd.Series(np.arange(1, len(frame) + 1), frame.index)
    if unit.isna().any():
        raise BadInput(_at(where, unit, UNIT, int(unit.isna().argmax()), "the label of a unit"))
    codes, labels = pd.factorize(unit)
    _check_units(model, where, unit, codes)
    y = np.stack([kind.stored(values[c]) for c, kind in model.columns.items()], axis=-1)
    x = np.stack([values[c] for c in model.covariates], axis=-1) if model.covariates else None
    return Table(_framed(y, x, codes, len(labels), where, model), tuple(labels.tolist()))


def _numeric(column, where, name):
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(numbers)
    if bad.any():
        raise BadInput(_at(where, column, name, int(bad.argmax()), "a finite number"))
    return numbers


def _check_units(model, where, unit, codes):
    if model.observations[1] == 1 and len(set(codes)) < len(codes):
        second = int(pd.Series(codes).duplicated().argmax())
        raise BadInput(_at(where, unit, UNIT, second, "a label of its own: a unit of this model has one observation"))


def _framed(y, x, codes, number, where, model):
    """Rows (R, D) of units ``codes`` (R,) as padded `Data`."""
    counts = np.bincount(codes, minlength=number)
    place = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    padded = np.zeros((number, counts.max(), y.shape[1]), dtype=np.float32)
    mask = np.zeros(padded.shape[:2], dtype=np.float32)
    padded[codes, place], mask[codes, place] = y, 1
    padded = np.where(mask[..., None] > 0, padded, padded[:1, :1])
    if x is None:
        return Data(padded, mask)
    first = np.zeros((number, x.shape[1]), dtype=np.float32)
    first[codes[::-1]] = x[::-1]
    if not np.allclose(first[codes], x):
        column = list(model.covariates)[int(np.argmax(np.any(~np.isclose(first[codes], x), axis=0)))]
        raise BadInput(f"{where}: {column} differs within a unit; expected one value for each unit")
    return Data(padded, mask, first)


def _from_array(model, source):
    components, expected = len(model.columns), _shapes(model)
    try:
        y = np.asarray(source, dtype=np.float32)
    except (TypeError, ValueError):
        raise BadInput(f"data of type {type(source).__name__}; expected {expected}") from None
    if model.covariates:
        raise BadInput(f"an array has no covariates; expected a table with {', '.join(_needed(model))}")
    if y.ndim == 1 and components == 1:
        y = y[:, None, None]
    elif y.ndim == 2:
        y = y[:, :, None] if components == 1 else y[:, None, :]
    if y.ndim != 3 or y.shape[-1] != components or not y.size:
        raise BadInput(f"data of shape {np.shape(source)}; expected {expected}")
    for j, (column, kind) in enumerate(model.columns.items()):
        good = np.isfinite(y[..., j]) & kind.valid(y[..., j])
        if not good.all():
            at = tuple(int(i) for i in np.argwhere(~good)[0])
            raise BadInput(f"data at {at}: {column} is {y[(*at, j)]:g}; expected {kind.expected}")
    data = Data(y, np.ones(y.shape[:2], dtype=np.float32))
    return Table(data, _numbers(data))


def _shapes(model):
    d = len(model.columns)
    if d == 1:
        return "numbers of shape (units,) or (units, observations)"
    if model.observations[1] == 1:
        return f"numbers of shape (units, {d}): {', '.join(model.columns)}"
    return f"numbers of shape (units, observations, {d}): {', '.join(model.columns)}"


def _at(where, column, name, index, expected):
    value = column.iloc[index]
    value = value.item() if hasattr(value, "item") else value
    return f"{where}, row {column.index[index]}: {name} is {value!r}; expected {expected}"
