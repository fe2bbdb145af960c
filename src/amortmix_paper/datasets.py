"""Data sets: where they come from, and whether they are what they should be.

``config/datasets.tsv`` is the only list. A row names a data set, its case study and its source:

    demo:NAME           a demonstration data set of the case study, simulated with a fixed seed
    prior:SEED          simulated from the prior
    participant:LETTER  one of the eleven participants of Dutilh et al. (2011)
    file:PATH           a CSV file of the user's own
"""

import csv
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from amortmix import io
from amortmix.cases import CASES, Data, get_case
from amortmix.io import BadInput

REPOSITORY = "https://raw.githubusercontent.com/Kucharssim/hmm_slba/c3fc74f9405f2171c0d206a14eb92fe3448cba9a/data/"
DOWNLOAD_FOLDER = Path("data/dutilh2011")
DOWNLOAD_TIMEOUT = 15
COLUMNS = ("dataset", "case", "source", "rows")
SOURCE = re.compile(r"demo:\w+|prior:\d+|participant:[A-K]|file:.+")
MIN_UNITS = 20
CHECKSUMS = {
    "A": "c913491b6c5f7bafc4399c2a81a6738cc6865d67efac46cd66904283976c4d95",
    "B": "18add72cdc1e59eeac84be9b2b2d975e300842a05973b45f871c7491068480fb",
    "C": "561c180bd312addbc50f6388ad99173d7019630289cd4a4feffff147183d83a3",
    "D": "15f8ee5807f3f8234f0f736c866b7c2d84483f5e9582e289f8b4efa8a32a9125",
    "E": "bc9f671420a1efa098c246506de25621a90b1a7056500abe2594327967b33304",
    "F": "7713a03d238da606b26aed0929e292044dff908a38d8954c2e9346681d4814a4",
    "G": "d5daf243cc96e31badf202081c3ba27294823101a3b3d67adcac3ad1a5e6bcd9",
    "H": "a49b166db823941b481fb1219c6f52da2cc18877a45c50db5856441a112625d2",
    "I": "e7af00c8af6b43370487585aa298a3d4c6984890da6d10c5a704f3881673ee03",
    "J": "9b468a368acc215af7adf63965c58c80e0bd42732f250f50d329e78a285e5040",
    "K": "1ae47eb462c6459397a4c28833e4d42a8c9c1a0628984c82eb093654a0f315f4",
}


@dataclass(frozen=True)
class Dataset:
    """A row of ``datasets.tsv``."""

    dataset: str
    case: str
    source: str
    rows: int | None

    @property
    def kind(self):
        return self.source.split(":", 1)[0]

    @property
    def name(self):
        return self.source.split(":", 1)[1]

    @property
    def simulated(self):
        return self.kind in ("demo", "prior")


def read_datasets(path):
    """The rows of ``datasets.tsv``, checked. {dataset: Dataset}"""
    with open(path, newline="") as file:
        lines = list(csv.reader(file, delimiter="\t"))
    if not lines or tuple(lines[0]) != COLUMNS:
        raise BadInput(f"{path}, line 1: expected the tab-separated columns {', '.join(COLUMNS)}")
    found = {}
    for number, row in enumerate(lines[1:], start=2):
        if not row or not "".join(row).strip():
            continue
        item = _dataset(path, number, row)
        if item.dataset in found:
            raise BadInput(f"{path}, line {number}: {item.dataset!r} is named twice; expected unique names")
        found[item.dataset] = item
    return found


def _dataset(path, number, row):
    where = f"{path}, line {number}"
    if len(row) != len(COLUMNS):
        raise BadInput(f"{where}: expected {len(COLUMNS)} tab-separated fields, found {len(row)}")
    dataset, case, source, rows = (field.strip() for field in row)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", dataset):
        raise BadInput(f"{where}: {dataset!r} is no name; expected letters, digits, '_', '.' and '-'")
    if case not in CASES:
        raise BadInput(f"{where}: unknown case study {case!r}; expected one of {', '.join(sorted(CASES))}")
    if not SOURCE.fullmatch(source):
        raise BadInput(f"{where}: source {source!r}; expected demo:NAME, prior:SEED, participant:A to K or file:PATH")
    if source.startswith("demo:") and source[5:] not in CASES[case].demo:
        raise BadInput(f"{where}: {case} has no demo {source[5:]!r}; expected one of {', '.join(CASES[case].demo)}")
    if rows and (not rows.isdigit() or int(rows) < MIN_UNITS):
        raise BadInput(f"{where}: rows {rows!r}; expected nothing or a whole number of at least {MIN_UNITS}")
    return Dataset(dataset, case, source, int(rows) if rows else None)


def simulated_participants(datasets):
    """The same list with every participant X replaced by ``sim_X``, drawn from the prior."""
    replaced = {}
    for item in datasets.values():
        if item.kind == "participant":
            item = Dataset(f"sim_{item.name}", item.case, f"prior:{ord(item.name)}", item.rows)
        replaced[item.dataset] = item
    return replaced


def participant_file(letter):
    return f"dutilh_2010_subject_{letter}.csv"


def find_participants(letters, folders, download=True):
    """Verified local files of the participants, downloaded where there is none.

    Parameters
    ----------
    letters : iterable of str
    folders : list of paths
        Looked through in order.
    download : bool
        Whether to try the public repository.

    Returns
    -------
    found : {letter: Path}
    trouble : str or None
        If any is missing: what was tried and what to do.

    Raises
    ------
    BadInput
        If a file is there but its checksum is wrong.
    """
    found, missing = {}, []
    for letter in sorted(letters):
        paths = [Path(folder) / participant_file(letter) for folder in folders]
        path = next((p for p in paths if p.is_file()), None)
        if path is None:
            missing.append(letter)
            continue
        if io.sha256(path) != CHECKSUMS[letter]:
            raise BadInput(f"{path}: wrong checksum; expected SHA-256 {CHECKSUMS[letter]}, delete the file to fetch it")
        found[letter] = path
    if not missing:
        return found, None
    tried = f"looked in {', '.join(map(str, folders))}"
    if download:
        fetched, reason = _download(missing)
        found |= fetched
        if len(fetched) == len(missing):
            return found, None
        tried += f", downloaded from {REPOSITORY} ({reason})"
    return found, (
        f"no data of participants {', '.join(m for m in missing if m not in found)}: {tried}. Put the files "
        f"{participant_file('X')} into {DOWNLOAD_FOLDER}, or run with --config participants=simulated"
    )


def _download(letters):
    """Files that arrived and passed their checksum, and why the next one did not."""
    import pooch
    from requests.exceptions import RequestException

    fetched = {}
    for letter in letters:
        name = participant_file(letter)
        try:
            path = pooch.retrieve(
                REPOSITORY + name,
                known_hash=f"sha256:{CHECKSUMS[letter]}",
                fname=name,
                path=DOWNLOAD_FOLDER,
                downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT),
            )
        except (RequestException, OSError, ValueError) as error:
            return fetched, f"failed: {type(error).__name__}"
        fetched[letter] = Path(path)
    return fetched, None


def load(item, prior, path=None):
    """A data set as `Data`, and the truth (theta, z) where it was simulated.

    Parameters
    ----------
    item : Dataset
    prior : mapping
        For ``prior:SEED``.
    path : Path, optional
        For files.
    """
    case = get_case(item.case)
    if item.kind == "demo":
        data, z = case.simulate_demo(item.name)
        return data, (np.asarray(case.demo[item.name]["theta"]), z)
    if item.kind == "prior":
        theta, data, z = _simulate(item.case, jax.random.key(int(item.name)), dict(prior))
        n = int(np.asarray(data.unit_mask).sum())
        data = Data(*(np.asarray(x)[:n] for x in data))
        return data, (np.asarray(theta), np.asarray(z)[:n])
    return read_table(case, path, item.rows), None


@partial(jax.jit, static_argnums=0)
def _simulate(case, key, prior):
    """One draw of ``Case.simulate_dataset``, compiled once for thousands of data sets."""
    return get_case(case).simulate_dataset(key, prior)


def read_table(case, path, rows=None):
    """A CSV file as `Data`, its first ``rows`` rows, with every value checked.

    Raises
    ------
    BadInput
        One line with file, row and expected form.
    """
    try:
        frame = pd.read_csv(path)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; expected a CSV file with {', '.join(case.table.columns)}") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not a CSV file ({str(error).splitlines()[0]})") from error
    missing = [c for c in case.table.columns if c not in frame.columns]
    if missing:
        raise BadInput(f"{path}, row 1: no column {', '.join(missing)}; expected {', '.join(case.table.columns)}")
    frame = frame[list(case.table.columns)].iloc[:rows]
    for column in frame:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        bad = ~np.isfinite(numbers.to_numpy(dtype=float))
        if bad.any():
            raise BadInput(_at(path, frame, column, int(bad.argmax()), "a finite number"))
        frame[column] = numbers
    for column, accept, expected in case.table.checks:
        bad = ~accept(frame[column].to_numpy())
        if bad.any():
            raise BadInput(_at(path, frame, column, int(bad.argmax()), expected))
    data = case.table.to_data(frame)
    if data.y.shape[0] < MIN_UNITS:
        raise BadInput(f"{path}: {data.y.shape[0]} units after row 1; expected at least {MIN_UNITS}")
    return data


def _at(path, frame, column, index, expected):
    # the header is row 1 of the file
    value = frame[column].iloc[index]
    value = value.item() if hasattr(value, "item") else value
    return f"{path}, row {index + 2}: {column} is {value!r}; expected {expected}"
