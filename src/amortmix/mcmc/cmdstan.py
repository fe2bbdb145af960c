"""CmdStan: its make compiles, its programs sample, one process per chain, all at once, with a dense metric."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from amortmix.mcmc import programs
from amortmix.mcmc.blocks import stan_file
from amortmix.mcmc.results import Draws, EngineBroken, McmcFailed, one_line, telling_line

#: Column of a chain's file -> our name.
STATS = {"lp__": "lp", "accept_stat__": "acceptance_rate", "treedepth__": "tree_depth", "divergent__": "diverging"}


class Installation(NamedTuple):
    """A CmdStan: its folder and the version that its makefile states."""

    folder: Path
    version: str


def find():
    """The CmdStan of this machine, or None.

    CMDSTAN names its folder; else the one of the active conda environment, else the newest in ``~/.cmdstan``.

    Raises
    ------
    EngineBroken
        If CMDSTAN points to a folder without a CmdStan.
    """
    named = os.environ.get("CMDSTAN")
    if named:
        if not _is_cmdstan(Path(named).expanduser()):
            raise EngineBroken(f"CMDSTAN points to {named}, where there is no CmdStan")
        return _installation(Path(named).expanduser())
    conda = os.environ.get("CONDA_PREFIX")
    candidates = [Path(conda) / "bin" / "cmdstan"] if conda else []
    candidates += sorted((Path.home() / ".cmdstan").glob("cmdstan-*"), key=_numbers, reverse=True)
    return next((_installation(c) for c in candidates if _is_cmdstan(c)), None)


def _is_cmdstan(folder):
    return (folder / "makefile").is_file()


def _numbers(folder):
    return [int(x) for x in re.findall(r"\d+", folder.name)]


def _installation(folder):
    found = re.search(
        r"^CMDSTAN_VERSION\s*:?=\s*(\S+)", (folder / "makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    return Installation(folder.resolve(), found[1] if found else "of unknown version")


def program(model, installation):
    """Path of the model's compiled program, compiled if there is none that works."""
    text = stan_file(model).read_text(encoding="utf-8")
    local = installation.folder / "make" / "local"
    made_with = local.read_text(encoding="utf-8") if local.is_file() else ""
    key = [text, "cmdstan", str(installation.folder), installation.version, made_with, programs.flags()]
    return programs.program(model.name, key, lambda folder: _build(text, installation, folder), _answers)


def _build(text, installation, folder):
    make = os.environ.get("MAKE", "make")
    if shutil.which(make) is None:
        raise EngineBroken(f"it compiles with {make}, which is not found")
    target = folder / "model"
    target.with_suffix(".stan").write_text(text, encoding="utf-8")
    run = subprocess.run(
        [make, "--no-print-directory", "-C", str(installation.folder), str(target)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if run.returncode or not target.is_file():
        raise EngineBroken(one_line(f"it cannot compile the model ({telling_line(run.stdout)})"))
    return target


def _answers(path):
    """Whether a program starts and states its version, as every CmdStan program does when asked for ``info``."""
    try:
        run = subprocess.run([path, "info"], capture_output=True, encoding="utf-8", errors="replace", timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0 and "stan_version" in run.stdout


def sample(program, block, starts, seed, settings, shapes):
    """Run all chains.

    Parameters
    ----------
    program : Path
    block : dict
        Data block.
    starts : list of dict
        Starting values of each chain.
    shapes : dict
        Site -> shape.

    Returns
    -------
    Draws

    Raises
    ------
    McmcFailed
        With the message of the first chain that failed.
    """
    with programs.scratch() as folder:
        try:
            (folder / "data.json").write_text(json.dumps(block), encoding="utf-8")
            for i, start in enumerate(starts, 1):
                (folder / f"start_{i}.json").write_text(json.dumps(start), encoding="utf-8")
        except OSError as error:
            raise EngineBroken(f"{tempfile.gettempdir()} cannot hold its files ({error.strerror})") from error
        began = time.perf_counter()
        cpu = _run([_command(program, folder, i, seed, settings) for i in range(1, settings.chains + 1)], folder)
        seconds = time.perf_counter() - began
        read = [_read(folder / f"chain_{i}.csv", i, settings.draws, shapes) for i in range(1, settings.chains + 1)]
    sites = {name: np.stack([r[0][name] for r in read]) for name in shapes}
    stats = {name: np.stack([r[1][name] for r in read]) for name in STATS.values()}
    return Draws(sites, stats | {"diverging": stats["diverging"] > 0}, seconds, cpu)


def _command(program, folder, chain, seed, settings):
    words = f"id={chain} random seed={seed} data file=data.json init=start_{chain}.json "
    words += f"output file=chain_{chain}.csv refresh=0 sig_figs=18 "
    words += f"method=sample num_samples={settings.draws} num_warmup={settings.warmup} "
    words += f"algorithm=hmc metric=dense_e adapt engaged=1 delta={settings.adapt_delta}"
    return [str(program), *words.split()]


def _run(commands, folder):
    """Run processes side by side; their processor time in seconds."""
    running, cpu = [], 0.0
    try:
        for i, command in enumerate(commands, 1):
            with (folder / f"chain_{i}.log").open("w", encoding="utf-8") as log:
                running.append(subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        for i, process in enumerate(running, 1):
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu += used.ru_utime + used.ru_stime
            if process.returncode:
                raise McmcFailed(_why(i, process.returncode, folder / f"chain_{i}.log"))
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
                process.wait()
    return cpu


def _why(chain, code, log):
    if code < 0:
        return f"chain {chain} of CmdStan was killed ({signal.Signals(-code).name})"
    return one_line(
        f"chain {chain} of CmdStan failed: {telling_line(log.read_text('utf-8', errors='replace'), last=True)}"
    )


def _read(path, chain, draws, shapes):
    """Draws of the sites and of `STATS` from one chain's file."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(line for line in file if not line.startswith("#"))
        names = next(rows, [])
        values = [row for row in rows if len(row) == len(names)]
    if len(values) != draws:
        wrote = f"chain {chain} of CmdStan wrote {len(values)} of {draws} draws"
        raise McmcFailed(f"{wrote}: is the disk of temporary files (TMPDIR) full?")
    column = {name: j for j, name in enumerate(names)}
    table = np.array(values, dtype=np.float64)
    sites = {}
    for site, shape in shapes.items():
        # Stan numbers from one and lets the first index run fastest: go by name, not by place
        cells = [".".join([site, *(str(i + 1) for i in index)]) for index in np.ndindex(*shape)]
        sites[site] = table[:, [column[c] for c in cells]].reshape(draws, *shape)
    return sites, {ours: table[:, column[theirs]] for theirs, ours in STATS.items()}
