"""Data sets: where they come from, and their list.

``config/datasets.tsv`` is the only list. A row names a data set, its model and its source:

    demo:NAME           a demonstration data set of the model, simulated with a fixed seed
    prior:SEED          simulated from the prior
    participant:LETTER  one of the eleven participants of Dutilh et al. (2011)
    file:PATH           a CSV file of the user's own

The model, in the column ``case``, is one that comes with the library or the path of a file that declares one.
"""

import csv
import re
from typing import NamedTuple

from amortmix.storage.files import BadInput
from amortmix_paper.participants import MODEL, letter_of

COLUMNS = ("dataset", "case", "source", "rows")
SOURCE = re.compile(r"demo:\w+|prior:\d+|participant:[A-K]|file:.+")


class Dataset(NamedTuple):
    """A row of ``datasets.tsv``; ``case`` is the name of its model, also where the row has a file."""

    dataset: str
    case: str
    source: str
    rows: int | None

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
    try:
        with open(path, newline="") as file:
            lines = list(csv.reader(file, delimiter="\t"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; expected a list of data sets as config/datasets.tsv") from None
    if not lines or tuple(lines[0]) != COLUMNS:
        raise BadInput(f"{path}, line 1: expected the tab-separated columns {', '.join(COLUMNS)}")
    found = {}
    for number, row in enumerate(lines[1:], start=2):
        if not row or not "".join(row).strip():
            continue
        item = _dataset(f"{path}, line {number}", row, models)
        if item.dataset in found:
            raise BadInput(f"{path}, line {number}: {item.dataset!r} is named twice; expected unique names")
        found[item.dataset] = item
    return found


def _dataset(where, row, models):
    if len(row) != len(COLUMNS):
        raise BadInput(f"{where}: expected {len(COLUMNS)} tab-separated fields, found {len(row)}")
    dataset, model, source, rows = (field.strip() for field in row)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", dataset):
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
    return Dataset(dataset, case, source, int(rows) if rows else None)


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

        from amortmix.model.tables import read

        if item.kind in ("file", "participant"):
            return read(self.model, path, rows=item.rows), None
        if item.kind == "demo":
            data, z = self.model.simulate_demo(item.name)
            theta = self.model.demos[item.name]["theta"]
        else:
            seed = ord(item.name) if item.kind == "simulated" else int(item.name)
            theta, data, z = self._simulated(seed)
        return read(self.model, data), (np.asarray(theta), np.asarray(z))

    def _simulated(self, seed):
        import jax
        import numpy as np

        theta, data, z = self._simulate(jax.random.key(seed))
        n = int(np.asarray(data.exists).sum())
        return theta, jax.tree.map(lambda x: np.asarray(x)[:n], data), z[:n]
