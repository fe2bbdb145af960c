"""Copies of the workflow in which tests may run, kill and break things."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "config", "profiles", "notebooks", "envs", "models", "tests/workflow")
PARTS += ("data/dutilh2011",)


def copy_workflow(folder):
    """What a run needs beside the library and data, without results, and the compiled functions of the smoke run."""
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    # so that a training starts soon; compiled functions may be in JAX_COMPILATION_CACHE_DIR, which all folders share
    if (ROOT / ".cache").is_dir():
        shutil.copytree(ROOT / ".cache", folder / ".cache")
    return folder


def training_process(folder):
    """Process number of the script of rule train in a folder, or None."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            program, *arguments = path.read_text().split("\0")
            ours = "python" in Path(program).name and any("train.py" in a for a in arguments)
            if ours and os.readlink(path.parent / "cwd") == str(folder):
                return int(path.parent.name)
        except OSError:  # it ended while we looked
            continue
    return None
