"""Where the files of the project are: a run may work in another folder, or be a module of another workflow."""

from pathlib import Path

import amortmix_paper

ROOT = Path(next(iter(amortmix_paper.__path__))).parents[1]


def in_project(path):
    """A path as it is where it leads to something in the working directory, else below this project's folder."""
    return path if Path(path).exists() or not (ROOT / path).exists() else str(ROOT / path)
