"""PyStan, started as a process of its own for every request (see `pystan_child`).

It has only a diagonal metric, so adapt_delta should be 0.95 or more.
"""

import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path

import numpy as np

from amortmix.mcmc import programs
from amortmix.mcmc.blocks import data_block, stan_file
from amortmix.mcmc.results import Draws, EngineBroken, McmcFailed, one_line

CHILD = Path(__file__).with_name("pystan_child.py")
#: Exit status of the child for what is no chain's fault, and of Python where it finds no child.
CANNOT_START = 2
#: Column of PyStan -> our name.
STATS = {"lp__": "lp", "accept_stat__": "acceptance_rate", "treedepth__": "tree_depth", "divergent__": "diverging"}


def find():
    """Its version, or None where it is not installed or there is no compiler.

    Raises
    ------
    EngineBroken
        If CXX names a compiler that does not exist.
    """
    try:
        version = f"{package_version('pystan')} (httpstan {package_version('httpstan')})"
    except PackageNotFoundError:
        return None
    named = os.environ.get("CXX", "")
    for word in _commands(named):
        if shutil.which(word) is None:
            raise EngineBroken(f"CXX is {named!r}, and {word} is not found")
    if not named and shutil.which("g++") is None and shutil.which("c++") is None:
        return None
    return version


def _commands(named):
    """The commands in a value of CXX such as ``ccache g++ -O2``: all words before the first option."""
    try:
        words = shlex.split(named)
    except ValueError as error:
        raise EngineBroken(f"CXX is {named!r}, which is no command ({error})") from error
    return itertools.takewhile(lambda word: not word.startswith("-"), words)


def program(model, version):
    """Path of the model's compiled program, compiled if there is none that works."""
    text = stan_file(model).read_text(encoding="utf-8")
    key = [text, "pystan", version, sys.version, sys.executable, programs.flags()]
    return programs.program(model.name, key, lambda folder: _build(text, folder), _answers)


def _build(text, folder):
    code, message = _ask({"action": "compile", "text": text}, folder, folder / "program")
    if code or not (folder / "program").is_file():
        raise EngineBroken(one_line(f"it cannot compile the model ({message})"))
    return folder / "program"


def _answers(path):
    with programs.scratch() as folder:
        return _ask({"action": "info", "program": str(path)}, folder, folder / "answer.npz")[0] == 0


def sample(program, text, block, starts, seed, settings, names):
    """Run all chains.

    Parameters
    ----------
    program : Path
    text : str
        The Stan program.
    block : dict
        Data block.
    starts : list of dict
        Starting values of each chain.
    names : sequence of str
        Sites, and generated quantities, whose draws are wanted.

    Returns
    -------
    Draws

    Raises
    ------
    McmcFailed
        With PyStan's message if a chain failed.
    """
    request = {"action": "sample", "program": str(program), "text": text, "data": block, "starts": starts}
    request |= {"seed": seed, "names": list(names), **settings._asdict()}
    found = _answer(request)
    stats = {ours: found[f"stat {theirs}"] for theirs, ours in STATS.items()}
    stats["diverging"] = stats["diverging"] > 0
    sites = {name: found[f"site {name}"] for name in names}
    return Draws(sites, stats, float(found["seconds"]), float(found["cpu_seconds"]))


def log_density(model, data, points):
    """Stan's log density of the constrained parameters, without Jacobian, constants dropped; for tests.

    Parameters
    ----------
    points : list of dict
        Site -> value, where to evaluate.
    """
    text = stan_file(model).read_text(encoding="utf-8")
    request = {"action": "log_density", "program": str(program(model, find())), "text": text, "points": points}
    return _answer(request | {"data": data_block(model, data)})["log_density"]


def _answer(request):
    with programs.scratch() as folder:
        code, message = _ask(request, folder, folder / "answer.npz")
        if code == CANNOT_START:
            raise EngineBroken(one_line(f"it cannot start ({message})"))
        if code:
            raise McmcFailed(one_line(f"PyStan failed: {_unwrapped(message)}"))
        with np.load(folder / "answer.npz") as found:
            return dict(found)


def _ask(request, folder, answer):
    """Run the child in ``folder``; its exit status, and its message if that is not zero."""
    try:
        (folder / "request.json").write_text(json.dumps(request | {"folder": str(folder)}), encoding="utf-8")
    except OSError as error:
        raise EngineBroken(f"{folder.parent} cannot hold its files ({error.strerror})") from error
    run = subprocess.run(
        # -P: the folder of the child has modules whose names mean something else to PyStan
        [sys.executable, "-P", str(CHILD), str(folder / "request.json"), str(answer)],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    said = Path(f"{answer}.error")
    if said.is_file():
        return run.returncode, said.read_text(encoding="utf-8")
    if run.returncode < 0:
        return run.returncode, f"its process was killed ({signal.Signals(-run.returncode).name})"
    return run.returncode, run.stderr.strip().rsplit("\n", 1)[-1]


def _unwrapped(message):
    """The chain's own words, of the message that PyStan wraps around them."""
    message = message.split("`, traceback:")[0]
    for mark in ("Exception: ", "Rejecting initial value: "):
        if mark in message:
            message = message.split(mark)[-1]
            break
    return message.removesuffix("`").removesuffix('")')
