"""Many data sets of one call: parts of a table, several files, or a mapping, each read for itself.

What is wrong with one of them does not concern the others: it is kept beside them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from amortmix.model import tables
from amortmix.model.naming import named
from amortmix.model.pooled import by_value
from amortmix.storage.files import BadInput

#: Bytes of the name of a data set that has a file: endings are added to it.
LONGEST_NAME = 200


class Parts(NamedTuple):
    """Data sets that could be read, and what is wrong with the others.

    Attributes
    ----------
    tables : {name: Table}
    problems : {name: str}
        A line each.
    places : {name: int}
        Of each among all: its random numbers do not depend on whether the others can be read.
    """

    tables: dict
    problems: dict
    places: dict

    def without(self, problems):
        """The same without some more that have problems: {name: str}."""
        found = {name: table for name, table in self.tables.items() if name not in problems}
        return Parts(found, self.problems | problems, self.places)


def read_parts(model, data, by=None, **reading) -> Parts:
    """Many data sets, those that can be read.

    Parameters
    ----------
    model : Model or Description
    data : path, DataFrame, sequence of paths, or mapping of what `amortmix.model.tables.read` takes
    by : str, optional
        Column of a table that says which rows belong to one data set. Those of a file among several, or of an item of
        a mapping, are named NAME_VALUE.
    reading : optional
        How tables are read, see `amortmix.model.tables.read`.

    Raises
    ------
    BadInput
        If ``data`` are no data sets.
    """
    if isinstance(data, Parts):
        return data
    if isinstance(data, (str, Path, pd.DataFrame)):
        if by is None:
            frame = _loaded(model, data, reading)
            known = ", ".join(map(str, frame.columns))
            raise BadInput(f"{_where(frame)}: no column to split by is named; expected by=, one of {known}")
        return _read(model, split(model, data, by, **reading), {}, reading)
    if not isinstance(data, Mapping):
        data = _by_name(data)
    sources, problems = dict(data) if by is None else {}, {}
    for name, item in data.items() if by is not None else ():
        try:
            found = {f"{name}_{value}": part for value, part in split(model, item, by, **reading).items()}
            if both := found.keys() & sources.keys():
                raise BadInput(f"data set {min(both)} is in {name} and in another; expected names that differ")
        except BadInput as error:
            problems[name], found = f"data set {name}: {error}", {}
        sources |= found
    return _read(model, sources, problems, reading)


def split(model, data, by, **reading):
    """{value: table} of a table or its file, by the values of a column in the order in which they first appear.

    Raises
    ------
    BadInput
        If the column is not there or a row has no value of it, or a column of the model is missing.
    """
    frame = _loaded(model, data, reading)
    where = _where(frame)
    found = by_value(frame, where, by)
    named(model, frame, where, reading.get("columns"))  # what all parts lack is said once
    return found


def _loaded(model, data, reading):
    if isinstance(data, (str, Path)):
        return tables.load(model, data, reading.get("columns"))
    if not isinstance(data, pd.DataFrame):
        raise BadInput(f"data of type {type(data).__name__} to split by a column; expected a table or a file")
    return data


def _where(frame):
    return frame.attrs.get(tables.FILE, tables.TABLE)


def _by_name(paths):
    """{name: path} of several files; BadInput if two have one name, or they are no files."""
    found = {}
    for path in paths if isinstance(paths, (list, tuple)) else [None]:
        if not isinstance(path, (str, Path)):
            raise BadInput(f"data sets of type {type(paths).__name__}; expected files, a table with by=, or a mapping")
        name = Path(path).stem
        if name in found:
            raise BadInput(f"{path}: a second data set named {name}; expected files whose names differ")
        found[name] = path
    return found


def _read(model, sources, problems, reading):
    found = {}
    for name, source in sources.items():
        try:
            found[name] = tables.read(model, source, **reading)
        except BadInput as error:
            problems[name] = f"data set {name}: {error}"
    return Parts(found, problems, {name: place for place, name in enumerate(sources)})


def check_names(parts, folder):
    """{name: str} of the data sets that cannot have a file of their own in a folder; BadInput if it is none."""
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: a file; expected a folder for the fits")
    seen, problems = set(), {}
    for key in parts.tables:
        name = str(key)
        is_file = Path(name).name == name and name not in ("", "..") and "\0" not in name
        if not is_file or len(name.encode()) > LONGEST_NAME:
            problems[key] = (
                f"data set {name[:50]!r}: cannot be the name of a file; expected a short one without slashes"
            )
        elif name.casefold() in seen:  # some file systems do not tell A from a
            problems[key] = f"data set {name!r}: a second one of this name; expected names that differ"
        seen.add(name.casefold())
    return problems
