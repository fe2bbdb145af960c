"""A table, a file or an array becomes `Data`, every value checked.

A row is a unit; where a unit can have several observations a column ``unit`` says which rows belong together, in the
order in which units first appear. An empty field, or a value outside declared limits, is an observation that was not
made: its unit stays in its place (`amortmix.model.places`). Where each column has a distribution of its own, the others
of the row are kept.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from amortmix.model.data import Data, as_numpy, complete, filled, one_sequence
from amortmix.model.naming import coded, named, scaled
from amortmix.model.naming import needed as _needed
from amortmix.model.places import at, places_of
from amortmix.model.pooled import check_pooled
from amortmix.model.reading import FILE, read_file
from amortmix.storage.files import BadInput

TABLE = "the table"  # what messages call a DataFrame
FEW = 5  # rows that a note names
NO_LIMITS = (-np.inf, np.inf)


class Table(NamedTuple):
    """Data, the user's own labels of the units, and what was left out in words."""

    data: Data
    labels: tuple
    notes: tuple = ()


def read(
    model, source, rows=None, columns=None, codes=None, sequence=None, keep=None, min_rt=None, max_rt=None, scale=None
) -> Table:
    """A data set of a model.

    Parameters
    ----------
    model : Model or Description
    source : path, DataFrame, array or Data
        A file (`amortmix.model.reading`) or a DataFrame with the model's columns; or y with shape (N,), (N, P), (N, D)
        or (N, P, D). Empty fields and NaN are observations that were not made.
    rows : int, optional
        Only the first ``rows`` rows of a table.
    columns : {str: str}, optional
        The model's name of a column -> the table's, where they differ: ``{"rt": "RT"}``.
    codes : {str: {value: number}}, optional
        Column -> value in the table -> code of the model: ``{"accumulator": {"correct": 1, "error": 2}}``; None for a
        value that says that there is none.
    sequence : str, optional
        Column of a table whose values are sequences, such as sessions: a chain of states begins anew in each.
    keep : dict, optional
        Column -> (smallest, largest) value; others are declared missing, in their place. An end may be None.
    min_rt, max_rt : float, optional
        The same for a column ``rt``, in its unit.
    scale : {str: float}, optional
        Column -> factor by which a table's values are multiplied first: ``{"rt": 0.001}`` for milliseconds.

    Returns
    -------
    Table

    Raises
    ------
    BadInput
        One line with file, row and expected form.
    """
    if (columns or codes or scale) and not isinstance(source, (str, Path, pd.DataFrame)):
        raise BadInput(f"columns, codes or scale of a {type(source).__name__}; expected a table or a file for them")
    if isinstance(source, Table):
        return source
    keep = limits(model, keep, min_rt, max_rt)
    if isinstance(source, Data):
        data = as_numpy(source)
        written = one_sequence(data)
        # units that were not observed lie between others: they are missing, not padding
        data = written if np.any(written.exists > data.exists) else data
        return Table(data, _numbers(data), tuple(_conditioning(model, data)))
    if isinstance(source, (str, Path)):
        source = load(model, source, columns)
    if isinstance(source, pd.DataFrame):
        where = source.attrs.get(FILE, TABLE)
        frame = coded(model, named(model, source.iloc[:rows], where, columns), where, codes)
        frame = scaled(model, frame, scale)
        check_pooled(frame, where, (*model.columns, *model.covariates, sequence))
        return _from_frame(model, frame, where, sequence, keep)
    return _from_array(model, source, keep)


def limits(model, keep=None, min_rt=None, max_rt=None):
    """{column: (smallest, largest)} of values that count as observations, infinite where there is no end.

    Raises
    ------
    BadInput
        If a column is not the model's, or its limits leave nothing.
    """
    found = {column: tuple(ends) for column, ends in dict(keep or {}).items()}
    if (min_rt, max_rt) != (None, None):
        found["rt"] = (min_rt, max_rt)
    for column, ends in found.items():
        if column not in model.columns:
            raise BadInput(f"limits of {column}: expected those of {' or '.join(model.columns)}")
        low, high = ends if len(ends) == 2 else (None, None)
        if (low, high) == (None, None) or (None not in (low, high) and not low < high):
            raise BadInput(f"limits of {column}: {ends}; expected (smallest, largest), of which one may be None")
        found[column] = (-np.inf if low is None else low, np.inf if high is None else high)
    return found


def _numbers(data):
    return tuple(range(1, data.y.shape[0] + 1))


def load(model, path, columns=None):
    """A file as a table, not yet under the model's names; parameters as for `read`."""
    names = dict(columns or {})
    numbers = [names.get(name, name) for name in (*model.columns, *model.covariates)]
    return read_file(path, [names.get(name, name) for name in _needed(model)], numbers)


def _from_frame(model, frame, where, sequence, keep):
    if not len(frame):
        raise BadInput(f"{where}: no rows of data; expected one for each observation")
    values = {c: _numeric(frame[c], where, c) for c in model.columns}
    notes, seen = _observed(model, frame, values, where, keep)
    covariates = [_numeric(frame[c], where, c, empty=False) for c in model.covariates]
    places = places_of(model, frame, where, sequence)
    y = np.stack([kind.stored(values[c]) for c, kind in model.columns.items()], axis=-1)
    x = np.stack(covariates, axis=-1) if covariates else None
    data = _framed(y, x, seen, places, where, model)
    notes += _conditioning(model, data)
    if gaps := len(places.labels) - len(set(places.unit.tolist())):
        notes.append(f"{gaps} units between those of the table were not observed")
    return Table(data, places.labels, tuple(notes))


def _numeric(column, where, name, empty=True):
    """Values (R,), NaN for empty fields."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(numbers) & ~(column.isna().to_numpy() & empty)
    if bad.any():
        raise BadInput(at(where, column, name, int(bad.argmax()), "a finite number" + " or nothing" * empty))
    return numbers


def _observed(model, frame, values, where, keep):
    """Sentences about what was left out, and whether each value (R, D) is observed; refuses those that cannot be."""
    seen, notes = np.ones((len(frame), len(model.columns)), bool), []
    for j, (column, kind) in enumerate(model.columns.items()):
        low, high = keep.get(column, NO_LIMITS)
        empty = np.isnan(values[column])
        outside = ~empty & ~((values[column] >= low) & (values[column] <= high))
        bad = ~(kind.accepts(values[column]) | empty | outside)
        if bad.any():
            raise BadInput(at(where, frame[column], column, int(bad.argmax()), kind.expected))
        for left_out, words in ((empty, "is empty"), (outside, f"is {_beyond(low, high)}")):
            if left_out.any():
                which = ", ".join(map(str, frame.index[left_out][:FEW])) + (", ..." if left_out.sum() > FEW else "")
                notes.append(f"{column} {words} in {left_out.sum()} rows, not observed: {which}")
        lost = empty | outside
        seen[:, slice(j, j + 1) if model.divisible else slice(None)] &= ~lost[:, None]
    if not seen.any(0).all():
        lacks = "" if seen.any() and model.divisible else ", ".join(model.columns)
        lacks = lacks or ", ".join(c for c, there in zip(model.columns, seen.any(0)) if not there)
        raise BadInput(f"{where}: no row is an observation; expected at least one with {lacks}")
    return notes, seen


def _beyond(low, high):
    """Limits in words."""
    ends = [f"below {low:g}"] * (low > -np.inf) + [f"above {high:g}"] * (high < np.inf)
    return " or ".join(ends)


def _framed(y, x, seen, places, where, model):
    """Rows (R, D), of which ``seen`` (R, D) are observed, as padded `Data`."""
    rows = seen.any(1)
    number, codes = len(places.labels), places.unit[rows]
    place = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    padded = np.full((number, np.bincount(codes).max(), y.shape[1]), np.nan, np.float32)
    mask, components = np.zeros(padded.shape[:2], np.float32), np.zeros(padded.shape, np.float32)
    padded[codes, place], mask[codes, place], components[codes, place] = y[rows], 1, seen[rows]
    covariates = None if x is None else _of_units(x, places, where, model)
    regular = bool(mask.any(1).all()) and places.sequence[-1] == 1
    sequence = None if regular else places.sequence.astype(np.float32)
    return filled(Data(padded, mask, covariates, sequence, components=None if seen[rows].all() else components))


def _conditioning(model, data):
    """A sentence about the observations that condition, where the model has lags, in a list.

    Raises
    ------
    BadInput
        If there is no other.
    """
    if not model.lags:
        return []
    given = int(((np.asarray(data.observed) > 0) & ~(complete(data, model.lags) > 0)).sum())
    if given == int(np.asarray(data.observed).sum()):
        raise BadInput(
            f"{model.name}: no unit follows {model.lags} observed ones; expected some, for a model with lags"
        )
    return [
        f"{given} observations have fewer than {model.lags} before them: they are given, and say nothing of a state"
    ]


def _of_units(x, places, where, model):
    """Covariates (N, C) of units from those of rows (R, C), which must agree."""
    found = np.full((len(places.labels), x.shape[1]), np.nan, dtype=np.float32)
    found[places.unit[::-1]] = x[::-1]
    if not np.allclose(found[places.unit], x):
        column = list(model.covariates)[int(np.argmax(np.any(~np.isclose(found[places.unit], x), axis=0)))]
        raise BadInput(f"{where}: {column} differs within a unit; expected one value for each unit")
    if (unknown := np.isnan(found).any(1)).any():
        label = places.labels[int(unknown.argmax())]
        raise BadInput(
            f"{where}: unit {label} has no row; expected one with {', '.join(model.covariates)} for each unit"
        )
    return found


def _from_array(model, source, keep):
    components, expected = len(model.columns), _shapes(model)
    try:
        y = np.array(source, dtype=np.float32)
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
    seen = np.ones(y.shape, dtype=bool)
    for j, (column, kind) in enumerate(model.columns.items()):
        low, high = keep.get(column, NO_LIMITS)
        missing = np.isnan(y[..., j]) | ~((y[..., j] >= low) & (y[..., j] <= high))
        good = missing | (np.isfinite(y[..., j]) & kind.valid(y[..., j]))
        y[..., j] = kind.usual(y[..., j])
        if not good.all():
            where = tuple(int(i) for i in np.argwhere(~good)[0])
            raise BadInput(f"data at {where}: {column} is {y[(*where, j)]:g}; expected {kind.expected}")
        seen[..., slice(j, j + 1) if model.divisible else slice(None)] &= ~missing[..., None]
    mask = seen.any(-1)
    if not seen.any((0, 1)).all():
        raise BadInput("data: nothing was observed; expected a number that is not NaN, of each column")
    components = None if seen[mask].all() else seen.astype(np.float32)
    data, left_out = filled(Data(y, mask.astype(np.float32), components=components)), int((~seen.all(-1)).sum())
    if not mask.any(1).all():
        data = data._replace(sequence=np.ones(len(y), np.float32))
    notes = [f"{left_out} observations are NaN or outside the limits: not observed"] if left_out else []
    return Table(data, _numbers(data), tuple(notes + _conditioning(model, data)))


def _shapes(model):
    d = len(model.columns)
    if d == 1:
        return "numbers of shape (units,) or (units, observations)"
    if model.design.observations[1] == 1:
        return f"numbers of shape (units, {d}): {', '.join(model.columns)}"
    return f"numbers of shape (units, observations, {d}): {', '.join(model.columns)}"
