"""Columns of other names and codes in other words: what a user declares about a table gives it the model's form.

Nothing is guessed: a table that has the model's columns by other names, or another code, is refused in a line that says
how to declare it. Of `OPTIONAL` columns, which nobody would miss, the case of letters does not count.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from amortmix.model.columns import Choice
from amortmix.model.reading import HEADER
from amortmix.storage.files import BadInput

UNIT = "unit"
#: Columns that a table of any model may have.
OPTIONAL = (UNIT, "trial")
#: What else separates values in files that look like tables.
ODD_SEPARATORS = {"|": "'|'", ":": "':'", " ": "spaces"}


def needed(model):
    """Names of the columns without which there is no data set."""
    repeated = (UNIT,) if model.design.observations[1] > 1 else ()
    return (*repeated, *model.columns, *model.covariates)


def named(model, frame, where, columns=None):
    """A table under the model's names of its columns, all of which it has.

    Parameters
    ----------
    model : Model or Description
    frame : DataFrame
    where : str
        What messages call it.
    columns : {str: str}, optional
        Name in the model -> name in the table, where they differ.

    Raises
    ------
    BadInput
        One line with the columns that were found.
    """
    columns = dict(columns or {})
    wanted = needed(model)
    for name in columns:
        if name not in (*wanted, *OPTIONAL):
            raise BadInput(f"columns: {name!r} is not one of the model; expected {', '.join(wanted)}")
    header = f"{where}, row {frame.attrs[HEADER]}" if HEADER in frame.attrs else where
    for name, theirs in columns.items():
        if theirs not in frame.columns:
            raise BadInput(f"{header}: no column {theirs}, which is declared to be {name}; {_found(frame, wanted)}")
    sources = {theirs: name for name, theirs in columns.items()}
    if len(sources) < len(columns):
        raise BadInput(f"columns: {', '.join(columns)} are one column of the table; expected one for each")
    if columns:
        # a column that has the name of the model but is declared not to be meant makes room
        room = [name for name in columns if name in frame.columns and name not in sources]
        frame = frame.drop(columns=room).rename(columns=sources)
    if missing := [name for name in wanted if name not in frame.columns]:
        expected = f"no column {', '.join(missing)}; expected {', '.join(wanted)}"
        number = f"; number the rows in {UNIT}, where each is one" if missing == [UNIT] else ""
        raise BadInput(f"{header}: {expected}; {_found(frame, wanted)}{_alike(frame, missing)}{number}")
    frame = frame.rename(columns=_optional(model, frame))
    if twice := [name for name in wanted if (frame.columns == name).sum() > 1]:
        raise BadInput(f"{header}: several columns {twice[0]}; expected one")
    return frame


def _optional(model, frame):
    """{column: name} of optional columns that are written in another case, as Trial."""
    absent = [name for name in OPTIONAL if name not in frame.columns and name not in model.columns]
    alike = {name: [theirs for theirs in frame.columns if _same(name, theirs)] for name in absent}
    return {theirs[0]: name for name, theirs in alike.items() if len(theirs) == 1}


def scaled(model, frame, scale=None):
    """A table whose columns are multiplied: ``{"rt": 0.001}`` makes seconds of milliseconds.

    Raises
    ------
    BadInput
        If a column is not the model's, or a factor is not a positive number.
    """
    for name, factor in dict(scale or {}).items():
        if name not in model.columns or isinstance(model.columns[name], Choice):
            known = [n for n, kind in model.columns.items() if not isinstance(kind, Choice)]
            raise BadInput(f"scale of {name!r}; expected that of {' or '.join(known)}")
        if not (isinstance(factor, (int, float)) and 0 < factor < np.inf):
            raise BadInput(f"scale of {name} is {factor!r}; expected a positive number, as in 0.001 for milliseconds")
        # what is no number stays, and is refused where numbers are read
        numbers = pd.to_numeric(frame[name], errors="coerce")
        frame = frame.assign(**{name: (numbers * factor).astype(object).where(numbers.notna(), frame[name])})
    return frame


def _found(frame, wanted):
    found = [str(name) for name in frame.columns]
    text = f"columns found: {', '.join(map(repr, found))}"
    for character, words in ODD_SEPARATORS.items():
        if len(found) == 1 and {*wanted} <= {*found[0].split(character)}:
            text += f" (separated by {words}? expected commas, semicolons or tabs)"
    return text


def _alike(frame, missing):
    """A declaration of columns whose names differ in nothing but case."""
    alike = {name: theirs for name in missing for theirs in frame.columns if _same(name, theirs)}
    if not alike:
        return ""
    pairs = ", ".join(f'"{name}": "{theirs}"' for name, theirs in alike.items())
    options = " ".join(f"--columns {name}={theirs}" for name, theirs in alike.items())
    return f"; perhaps columns={{{pairs}}} ({options})"


def _same(name, other):
    return isinstance(other, str) and name.casefold() == other.strip().casefold()


def coded(model, frame, where, codes=None):
    """A table with the model's codes in the place of a user's own.

    Parameters
    ----------
    model : Model or Description
    frame : DataFrame
        As `named` gives it.
    where : str
    codes : {str: {value: number or None}}, optional
        Column -> value in the table -> code of the model, or None for a value that says that there is none.

    Raises
    ------
    BadInput
        One line with the row of a value that is not declared, or the declaration that cannot be.
    """
    codes = dict(codes or {})
    for name, words in codes.items():
        kind = model.columns.get(name)
        if kind is None:
            raise BadInput(f"codes: {name!r} is not one of the model; expected {' or '.join(model.columns)}")
        frame = frame.assign(**{name: _translated(where, frame[name], name, kind, words)})
    for name in (*model.columns, *model.covariates):
        if name not in codes:
            _check_codes(where, frame[name], name, model.columns.get(name))
    return frame


def _translated(where, column, name, kind, words):
    """A column as numbers, by a declaration."""
    if not isinstance(words, Mapping) or not words:
        raise BadInput(f"codes: {name} is {words!r}; expected {{value in the table: code of the model}}")
    for word, code in words.items():
        number = pd.to_numeric(code, errors="coerce") if code is not None else None
        if code is not None and not kind.accepts(np.array([number]))[0]:
            raise BadInput(f"codes: {name} {word!r} becomes {code!r}; expected {kind.expected}")
    known = {_key(word): np.nan if code is None else float(code) for word, code in words.items()}
    places, values = pd.factorize(column.astype(object))
    if not isinstance(kind, Choice):  # words among numbers: the numbers are themselves
        numbers = pd.to_numeric(pd.Series(values), errors="coerce")
        known = {_key(v): n for v, n in zip(values, numbers.to_numpy(float)) if np.isfinite(n)} | known
    unknown = [place for place, value in enumerate(values) if _key(value) not in known]
    if unknown:
        row = int(np.isin(places, unknown).argmax())
        declared = ", ".join(map(str, words))
        raise BadInput(f"{value_at(where, column, row, name)}; expected a value whose code is declared: {declared}")
    numbers = np.array([*(known.get(_key(value)) for value in values), np.nan], dtype=float)
    return pd.Series(numbers[places], column.index, name=name)  # place -1, a missing value, is the last


def _key(value):
    """A value as text that is the same for 1, 1.0 and '1', and for True and 'TRUE'."""
    text = str(value).strip()
    if text.casefold() in ("true", "false"):
        return text.casefold()
    try:
        return repr(float(text))
    except ValueError:
        return text


def _check_codes(where, column, name, kind):
    """BadInput for truth values, and for codes other than the model's own: neither has a meaning of its own."""
    truth = np.zeros(len(column), dtype=bool)
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        truth = np.array([isinstance(value, (bool, np.bool_)) for value in column.astype(object)], dtype=bool)
    bad = truth
    if isinstance(kind, Choice):
        numbers = pd.to_numeric(column.where(~truth), errors="coerce").to_numpy(dtype=float)
        bad = truth | ~(kind.accepts(numbers) | column.isna().to_numpy())
    if bad.any():
        expected = "a number" if kind is None else kind.expected
        how = f'codes={{"{name}": {{VALUE: CODE, ...}}}} (--codes {name}:VALUE=CODE,...)'
        raise BadInput(f"{value_at(where, column, int(bad.argmax()), name)}; expected {expected}, or {how}")


def value_at(where, column, row, name):
    """Where a value of a table stands, and what it is, as messages begin."""
    value = column.iloc[row]
    value = value.item() if hasattr(value, "item") else value
    return f"{where}, row {column.index[row]}: {name} is {value!r}"


def columns_of(options):
    """{name in the model: name in the table} of options like ``rt=RT``."""
    found = {}
    for option in options:
        # several at once, unless a comma is part of a name
        several = option.split(",") if all("=" in part for part in option.split(",")) else [option]
        for name, equals, theirs in (part.partition("=") for part in several):
            if not (name and equals and theirs):
                raise BadInput(f"--columns {option}; expected the model's name and the table's, as in rt=RT")
            found[name.strip()] = theirs.strip()
    return found


def scale_of(options):
    """{column: factor} of options like ``rt=0.001``."""
    found = {}
    for option in options:
        name, _, factor = option.partition("=")
        try:
            found[name.strip()] = float(factor)
        except ValueError:
            raise BadInput(f"--scale {option}; expected COLUMN=FACTOR, as in rt=0.001 for milliseconds") from None
    return found


def codes_of(options):
    """{column: {value: code or None}} of options like ``accumulator:correct=1,error=2``; nothing is None."""
    found = {}
    for option in options:
        name, colon, pairs = option.partition(":")
        for pair in pairs.split(","):
            word, equals, code = pair.rpartition("=")
            if not (name and colon and equals and word):
                raise BadInput(f"--codes {option}; expected COLUMN:VALUE=CODE,..., as in accumulator:correct=1,error=2")
            found.setdefault(name.strip(), {})[word.strip()] = code.strip() or None
    return found


def limits_of(options):
    """{column: (smallest, largest)} of options like ``rt:0.15:5``; an end may be left out."""
    found = {}
    for option in options:
        name, *ends = option.split(":")
        try:
            low, high = (float(end) if end.strip() else None for end in ends)
        except ValueError:
            raise BadInput(f"--keep {option}; expected COLUMN:SMALLEST:LARGEST, as in rt:0.15:5 or rt:0.15:") from None
        found[name.strip()] = low, high
    return found
