"""Files of data as people have them become tables: CSV with any usual separator and encoding, Parquet, Feather.

The index of a table is the number of each row in its file, as an editor counts lines, so that messages can name it.
"""

import csv
import io
import re

import pandas as pd

from amortmix.model.text import decoded, read_bytes
from amortmix.storage.files import BadInput

FILE = "file"  # attribute of a DataFrame that was read from a file: messages name it
HEADER = "header"  # attribute: the row of the file that names the columns
SEPARATORS = ",;\t"
SPREADSHEET = "spreadsheet"
#: First bytes of files that are no text.
KINDS = {
    b"PAR1": "Parquet",
    b"ARROW1": "Feather",
    b"FEA1": "Feather",
    b"PK\x03\x04": SPREADSHEET,
    b"\xd0\xcf\x11\xe0": SPREADSHEET,
}
COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")


def read_file(path, wanted, numbers=()):
    """A file as a table.

    Parameters
    ----------
    path : path
        CSV (separated by commas, semicolons or tabs, plain or as .gz, .bz2 or .xz), Parquet or Feather.
    wanted : sequence of str
        Columns that will be asked for.
    numbers : sequence of str
        Columns in which commas may be those of decimals.

    Returns
    -------
    DataFrame
        Its attribute ``file`` is the path.

    Raises
    ------
    BadInput
        One line that says what the file is in place of a table.
    """
    content = read_bytes(path, f"a CSV file with {', '.join(wanted)}")
    kind = next((kind for mark, kind in KINDS.items() if content.startswith(mark)), None)
    if kind == SPREADSHEET:
        raise BadInput(f"{path}: a file of Excel or an archive; expected CSV: save the sheet as CSV")
    frame = _binary(path, content, kind) if kind else _table(path, decoded(content, path), wanted, numbers)
    frame.attrs[FILE] = str(path)
    return frame


def _binary(path, content, kind):
    read = pd.read_parquet if kind == "Parquet" else pd.read_feather
    try:
        frame = read(io.BytesIO(content))
    except ImportError:
        raise BadInput(f"{path}: a {kind} file, which needs pyarrow: pip install pyarrow") from None
    except (ValueError, OSError) as error:
        raise BadInput(f"{path}: damaged, not a {kind} file ({_line(error)})") from None
    named = any(name is not None for name in frame.index.names)
    frame = frame.reset_index(drop=not named)
    frame.index = range(1, len(frame) + 1)
    return frame


def _line(error):
    return str(error).strip().partition("\n")[0]


def _table(path, text, wanted, numbers):
    """The table in the text of a CSV file."""
    records = _records(path, text)
    while records and not records[0][1].strip():
        del records[0]
    separator = None
    if records and (declared := re.fullmatch(r'"?sep=(.)"?', records[0][1])):  # a line for Excel
        separator = declared[1]
        del records[0]
    if not records:
        raise BadInput(f"{path}: empty; expected a CSV file with {', '.join(wanted)}")
    try:
        separator = separator or _separator(records[0][1], wanted)
        # where tabs separate, a line of them is a row without values
        records = [(number, record) for number, record in records if record.strip(_blank(separator))]
        rows = _even(path, records, separator)
        frame = pd.read_csv(
            io.StringIO("\n".join(rows)),
            sep=separator,
            index_col=False,
            skipinitialspace=True,
            skip_blank_lines=False,
            low_memory=False,
        )
    except (pd.errors.ParserError, csv.Error) as error:
        raise BadInput(f"{path}: not a CSV file ({_line(error)})") from None
    if len(frame) != len(rows) - 1:
        raise BadInput(f"{path}: not a CSV file (a quotation mark within a value); expected values without them")
    _check_names(f"{path}, row {records[0][0]}", _fields(rows[0], separator), wanted)
    frame.columns = [str(name).strip() for name in frame.columns]
    frame.index = [number for number, _ in records[1 : len(rows)]]
    frame.attrs[HEADER] = records[0][0]
    return frame if separator == "," else _with_points(path, frame, separator == ";", numbers)


def _check_names(where, names, wanted):
    for name in wanted:
        if names.count(name) > 1:
            raise BadInput(f"{where}: {names.count(name)} columns {name}; expected one")


def _records(path, text):
    """(number of its first line, text) of each record; a quoted value may go on in the next line."""
    found, held, first, is_open = [], [], 0, False
    for number, line in enumerate(text.split("\n"), start=1):
        first = first if is_open else number
        is_open ^= line.count('"') % 2 == 1
        held.append(line)
        if not is_open:
            found.append((first, "\n".join(held)))
            held = []
    if is_open:
        raise BadInput(f"{path}, row {first}: a quotation mark that is not closed; expected pairs of them")
    return found


def _blank(separator):
    return " \t".replace(separator, "")


def _fields(record, separator):
    """Values of a record, as text."""
    if '"' not in record:
        return [field.strip() for field in record.split(separator)]
    lines = io.StringIO(record, newline="")
    return [field.strip() for field in next(csv.reader(lines, delimiter=separator, skipinitialspace=True))]


def _separator(header, wanted):
    """The separator under which a header has most of the columns that are wanted, else most columns."""

    def worth(separator):
        names = _fields(header, separator)
        return len(set(names) & set(wanted)), len(names)

    return max(SEPARATORS, key=worth)


def _even(path, records, separator):
    """Records without what spreadsheets leave behind the last column and the last row; BadInput for other surplus."""
    edge = separator + _blank(separator)
    while len(records) > 1 and not records[-1][1].strip(edge + '"'):
        records = records[:-1]
    (first, header), *rest = records
    rows = [header.rstrip(edge)]
    names = _fields(rows[0], separator)
    for number, record in rest:
        if record.count(separator) >= len(names) and len(values := _fields(record, separator)) > len(names):
            if any(values[len(names) :]):
                hint = " (decimal commas need semicolons or tabs between values)" if separator == "," else ""
                raise BadInput(
                    f"{path}, row {number}: {len(values)} values; expected {len(names)} as in row {first}: "
                    f"{', '.join(map(repr, names))}{hint}"
                )
            record = separator.join('"' + value.replace('"', '""') + '"' for value in values[: len(names)])
        rows.append(record)
    return rows


def _with_points(path, frame, sure, numbers):
    """The table with decimal commas read as such, where commas do not separate values."""
    text = [c for c in numbers if c in frame.columns and not pd.api.types.is_numeric_dtype(frame[c])]
    return frame.assign(**{name: _decimal(path, frame[name].astype(object), name, sure) for name in text})


def _decimal(path, column, name, sure):
    """A column of text with points for its decimal commas.

    Between tabs (not ``sure``) 1,234 may as well be a thousand: a column without a clear number stays as it is.
    """
    text = [value.strip() if isinstance(value, str) else "" for value in column]
    commas = [value for value in text if COMMA.fullmatch(value)]
    if not commas or not (sure or any(not THOUSANDS.fullmatch(value) for value in commas)):
        return column
    for number, value in zip(column.index, text):
        if POINT.fullmatch(value):
            raise BadInput(
                f"{path}, row {number}: {name} is {value!r}, and others have decimal commas; expected one of the two"
            )
    commas = set(commas)
    points = [t.replace(",", ".") if t in commas else value for t, value in zip(text, column)]
    points = pd.Series(points, column.index, dtype=object, name=name)
    numbers = pd.to_numeric(points, errors="coerce")
    return numbers if numbers.isna().equals(points.isna()) else points
