"""Data sets of files that cannot be read are left out of a run, which makes everything else and says so at its end.

Every job begins with the plan: what was found of a file is kept in ``.cache/datasets``, by its time and size.
"""

import hashlib
import json
import os
from pathlib import Path

from amortmix.storage.files import BadInput, read_json, write_json
from amortmix_paper.datasets import Reader
from amortmix_paper.planned_models import derivation

CACHE = Path(".cache/datasets")


def find_problems(datasets, files, models):
    """{data set: message} of those whose file is there and cannot be read.

    Parameters
    ----------
    datasets : {name: Dataset}
    files : {name: path}
    models : `amortmix_paper.planned_models.Models`
    """
    groups = {}
    for name, item in datasets.items():
        if item.kind == "file":
            groups.setdefault((files[name], item.case), []).append(item)
    found = {}
    for (path, case), items in groups.items():
        found |= _of_file(path, items, models[case].description)
    return found


def _of_file(path, items, description):
    """Problems of the data sets of one file under one model."""
    stat = os.stat(path)
    key = json.dumps([path, stat.st_mtime_ns, stat.st_size, items, description, derivation()])
    kept = CACHE / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.json"
    if not kept.is_file():
        write_json(kept, _read_all(path, items, description))
    return read_json(kept)


def _read_all(path, items, description):
    from amortmix.model.description import Description

    reader, found = Reader(Description.from_json(description)), {}
    for item in items:
        try:
            reader.read(item, path)
        except BadInput as error:
            found[item.dataset] = f"data set {item.dataset}: {error}"
    return found
