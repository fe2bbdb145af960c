"""Data sets: where they come from, and their list.

``config/datasets.tsv`` is the only list. A row names a data set, its model and its source:

    demo:NAME           a demonstration data set of the model, simulated with a fixed seed
    prior:SEED          simulated from the prior
    participant:LETTER  one of the eleven participants of Dutilh et al. (2011)
    file:PATH           a file of the user's own

Where a file has several people, the column ``by`` names the column of that file that says whose each row is: the row of
the list stands for a data set of each value, named ROW_VALUE. ``reading`` says how a file is read, in the words of the
command line: ``columns=rt=RT; sequence=block; min_rt=0.15``. ``rows``, ``by`` and ``reading`` may be missing.

The model, in the column ``case``, is one that comes with the library or the path of a file that declares one.
"""

import csv
import re
from typing import NamedTuple

from amortmix.model.text import decoded, read_bytes
from amortmix.storage.files import BadInput
from amortmix_paper.participants import MODEL, letter_of

COLUMNS = ("dataset", "case", "source", "rows", "by", "reading")
#: So many fields of a row must be there; those behind them may be missing.
FEWEST_FIELDS = 3
NAME = re.compile(r"[A-Za-z0-9_.-]+")
SOURCE = re.compile(r"demo:\w+|prior:\d+|participant:[A-K]|file:.+")


class Dataset(NamedTuple):
    """A row of ``datasets.tsv``, or one of its parts.

    ``case`` is the name of its model, also where the row has a file; ``part`` the column by which a file is split, and
    the value that is meant; ``reading`` how the file is read, see `reading_of`.
    """

    dataset: str
    case: str
    source: str
    rows: int | None
    part: tuple[str, str] | None = None
    reading: str = ""

    @property
    def kind(self):
        """``demo``, ``prior``, ``participant``, ``file``, or ``simulated`` for the stand-in of a participant."""
        return self.source.split(":", 1)[0]

    @property
    def name(self):
        return self.source.split(":", 1)[1]

    @property
    def is_participant(self):
        """Whether it is one of the paper's eleven, or the stand-in of one, under the paper's model."""
        return letter_of(self.source) is not None and self.case == MODEL

    @property
    def simulated(self):
        return self.kind in ("demo", "prior", "simulated")


def read_datasets(path, models):
    """The rows of ``datasets.tsv``, checked.

    Parameters
    ----------
    path : path
    models : `amortmix_paper.models.Models`
        Finds the model of each row.

    Returns
    -------
    {name: Dataset}
    """
    text = decoded(read_bytes(path, "a list of data sets as config/datasets.tsv"), path)
    lines = [_values(line) for line in text.split("\n")]
    columns = tuple(lines[0])
    if len(columns) < FEWEST_FIELDS or columns != COLUMNS[: len(columns)]:
        raise BadInput(f"{path}, line 1: expected the tab-separated columns {', '.join(COLUMNS)}")
    found = {}
    for number, row in enumerate(lines[1:], start=2):
        if not row:
            continue
        where = f"{path}, line {number}"
        for item in _datasets(where, row, len(columns), models):
            if item.dataset in found:
                raise BadInput(f"{where}: {item.dataset!r} is named twice; expected unique names")
            found[item.dataset] = item
    return found


def _values(line):
    """Fields of a line, without empty ones at its end; a list that was typed may have spaces in place of tabs."""
    fields = next(csv.reader([line], delimiter="\t"), []) if "\t" in line else line.split(maxsplit=len(COLUMNS) - 1)
    fields = [field.strip() for field in fields]
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _datasets(where, row, width, models):
    """Data sets of a row: one, or one for each value of its column ``by``."""
    if not FEWEST_FIELDS <= len(row) <= width:
        raise BadInput(f"{where}: expected {width} tab-separated fields, found {len(row)}")
    dataset, model, source, rows, by, reading = [*row, *[""] * (len(COLUMNS) - len(row))]
    if not NAME.fullmatch(dataset):
        raise BadInput(f"{where}: {dataset!r} is no name; expected letters, digits, '_', '.' and '-'")
    case = models.find(model, where)
    if not SOURCE.fullmatch(source):
        raise BadInput(f"{where}: source {source!r}; expected demo:NAME, prior:SEED, participant:A to K or file:PATH")
    demos = models[case].demos
    if source.startswith("demo:") and source[5:] not in demos:
        known = f"one of {', '.join(demos)}" if demos else "prior:SEED or file:PATH"
        raise BadInput(f"{where}: {case} has no demo {source[5:]!r}; expected {known}")
    if rows and (not rows.isdigit() or int(rows) == 0):
        raise BadInput(f"{where}: rows {rows!r}; expected nothing or a whole number above 0")
    item = Dataset(dataset, case, source, int(rows) if rows else None, reading=reading)
    for column, given in (("by", by), ("reading", reading)):
        if given and item.kind != "file":
            raise BadInput(f"{where}: {column} {given!r} of {source}; expected it for a file only")
    reading_of(reading, where)
    if not by:
        return [item]
    return [item._replace(dataset=_name_of(where, dataset, v), part=(by, v)) for v in _people(where, item.name, by)]


def reading_of(text, where):
    """Arguments of `amortmix.model.tables.read` of a field like ``columns=rt=RT; sequence=block; keep=rt:0.15:5``.

    Raises
    ------
    BadInput
        If there is no such option, or it has not the form of the command line's.
    """
    from amortmix.model.naming import codes_of, columns_of, limits_of, scale_of

    forms = {"columns": columns_of, "codes": codes_of, "keep": limits_of, "scale": scale_of}
    forms |= {"sequence": lambda values: values[-1], "min_rt": _number, "max_rt": _number}
    given = {}
    for option in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (s.strip() for s in option.partition("="))
        if name not in forms or not (equals and value):
            raise BadInput(f"{where}: reading {option!r}; expected OPTION=VALUE; ..., options {', '.join(forms)}")
        given.setdefault(name, []).append(value)
    try:
        return {name: forms[name](values) for name, values in given.items()}
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


def _number(values):
    try:
        return float(values[-1])
    except ValueError:
        raise BadInput(f"{values[-1]!r}; expected a number of seconds") from None


def _name_of(where, dataset, value):
    if not NAME.fullmatch(value):
        raise BadInput(f"{where}: {value!r} cannot be part of a name; expected letters, digits, '_', '.' and '-'")
    return f"{dataset}_{value}"


def _people(where, path, by):
    """Values of a column of a file, as text, in the order in which they appear."""
    from amortmix.model.pooled import by_value
    from amortmix.model.reading import read_file

    try:
        return [str(value) for value in by_value(read_file(path, [by]), path, by)]
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


class Reader:
    """Data sets of files; a file of many people is read once.

    Parameters
    ----------
    model : Model or Description
    """

    def __init__(self, model):
        self.model, self._files = model, {}

    def read(self, item, path):
        """`amortmix.model.tables.Table` of a data set; BadInput says what cannot be read."""
        from amortmix.model.tables import read

        reading = reading_of(item.reading, item.dataset)
        if item.part is not None:
            path = self._part(path, *item.part, reading.get("columns"))
        return read(self.model, path, rows=item.rows, **reading)

    def _part(self, path, by, value, columns):
        from amortmix.model import tables
        from amortmix.model.pooled import by_value

        if (path, by) not in self._files:
            frames = by_value(tables.load(self.model, path, columns), path, by)
            self._files[path, by] = {str(value): frame for value, frame in frames.items()}
        if value not in self._files[path, by]:
            raise BadInput(f"{path}: {by} is never {value}; expected the file as it was when the run was planned")
        return self._files[path, by][value]


class Loader:
    """Data sets of one model; its simulator is compiled once for thousands of them.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model):
        import jax

        self.model = model
        self._simulate = jax.jit(model.simulate_dataset)
        self._reader = Reader(model)

    def load(self, item, path=None):
        """A data set, and the truth where it was simulated.

        Parameters
        ----------
        item : Dataset
        path : Path, optional
            For files and participants.

        Returns
        -------
        Table, (theta, z) or None
        """
        import numpy as np

        from amortmix.model import shown
        from amortmix.model.tables import read

        if item.kind in ("file", "participant"):
            return self._reader.read(item, path), None
        if item.kind == "demo":
            data, z = self.model.simulate_demo(item.name)
            theta = self.model.demos[item.name]["theta"]
        else:
            seed = ord(item.name) if item.kind == "simulated" else int(item.name)
            theta, data, z = self._simulated(seed)
        return read(self.model, data), (np.asarray(theta), shown.path(self.model.states, np.asarray(z)))

    def _simulated(self, seed):
        import jax
        import numpy as np

        theta, data, z = self._simulate(jax.random.key(seed))
        n = int(np.asarray(data.exists).sum())
        return theta, jax.tree.map(lambda x: np.asarray(x)[:n], data), z[:n]
