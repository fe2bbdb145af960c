"""Where the rows of a table stand: which unit each belongs to, which units are missing, where sequences begin.

A column ``unit``, or ``trial`` where the states are a chain, labels the units. Whole numbers in it count: where they
jump, units between were not observed, and a chain goes on through them.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from amortmix.model.naming import UNIT, value_at
from amortmix.storage.files import BadInput

TRIAL = "trial"
#: Units that a jump may leave out, for each one that is there: more is a date or an identifier, not a count.
MOST_MISSING = 10


class Places(NamedTuple):
    """The units of R rows.

    Attributes
    ----------
    unit : (R,)
        Index of the unit of each row, 0..N-1.
    labels : tuple of length N
    sequence : (N,)
        1, 2, ... in the order in which the sequences appear.
    """

    unit: np.ndarray
    labels: tuple
    sequence: np.ndarray


def places_of(model, frame, where, sequence=None):
    """`Places` of the rows of a table.

    Parameters
    ----------
    model : Model or Description
    frame : DataFrame
    where : str
        What messages call the table.
    sequence : str, optional
        Column whose values are sequences, such as sessions.

    Raises
    ------
    BadInput
        One line with the row, if a label is missing or used twice, or numbers go back where states are a chain.
    """
    part, parts = _parts(frame, where, sequence)
    name, column = _labels_column(model, frame)
    unit, labels, numbers = np.zeros(len(frame), int), [], []
    for i, title in enumerate(parts):
        rows = np.flatnonzero(part == i)
        codes, found = _units(model, column.iloc[rows], name, where)
        unit[rows] = codes + len(labels)
        labels += [(title, label) for label in found]
        numbers += [i + 1.0] * len(found)
    own = [label for _, label in labels]
    if len(set(own)) < len(own):  # trial 1 of every session
        own = [f"{title}: {label}" for title, label in labels]
    return Places(unit, tuple(own), np.array(numbers))


def _parts(frame, where, sequence):
    """Index of the sequence of each row (R,), and their names."""
    if sequence is None:
        return np.zeros(len(frame), int), [""]
    if sequence not in frame.columns:
        raise BadInput(f"{where}: no column {sequence!r} for sequences; found {', '.join(map(str, frame.columns))}")
    column = frame[sequence]
    _refuse_missing(column, sequence, where, "the sequence of a unit")
    codes, names = pd.factorize(column)
    return codes, list(names)


def _labels_column(model, frame):
    """Name and values of the labels; running numbers where the table has none."""
    for name in (UNIT, TRIAL) if model.dependent else (UNIT,):
        if name in frame.columns and name not in model.columns:
            return name, frame[name]
    return UNIT, pd.Series(np.arange(1, len(frame) + 1), frame.index)


def _units(model, column, name, where):
    """Index of the unit of each row of one sequence, and the labels of all units, missing ones included."""
    _refuse_missing(column, name, where, "the label of a unit")
    codes, labels = pd.factorize(column)
    if model.design.observations[1] == 1 and len(labels) < len(codes):
        twice = int(column.duplicated().to_numpy().argmax())
        raise BadInput(at(where, column, name, twice, "a label of its own: a unit of this model has one observation"))
    whole = _whole(labels) if model.dependent else None
    if whole is None:
        return codes, labels.tolist()
    _refuse_disorder(whole[codes], column, name, where)
    return whole[codes] - whole[0], list(range(whole[0], whole[-1] + 1))


def _whole(labels):
    """Labels as whole numbers, or None if they are words."""
    numbers = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(float)
    return numbers.astype(int) if np.all(np.isfinite(numbers) & (numbers == np.floor(numbers))) else None


def _refuse_disorder(numbers, column, name, where):
    """Whole numbers (R,) of the rows of a chain must not go back, and must count units."""
    steps = np.diff(numbers)
    if (steps < 0).any():
        row = int((steps < 0).argmax()) + 1
        expected = f"at least {numbers[row - 1]}, as before it; of several sequences declare the column (sequence=)"
        raise BadInput(at(where, column, name, row, expected))
    if len(numbers) and steps.sum() > MOST_MISSING * (len(set(numbers)) + 1):
        row = int(steps.argmax()) + 1
        raise BadInput(at(where, column, name, row, f"a count of units, which was {numbers[row - 1]} before it"))


def _refuse_missing(column, name, where, expected):
    if column.isna().any():
        raise BadInput(at(where, column, name, int(column.isna().to_numpy().argmax()), expected))


def at(where, column, name, index, expected):
    """A message about the value of one row."""
    return f"{value_at(where, column, index, name)}; expected {expected}"
