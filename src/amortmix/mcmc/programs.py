"""Compiled programs, kept in the user's cache.

A program is known by everything that went into it: text, engine, its folder, version and flags. It is compiled
in a temporary folder and takes its place by one rename, so that processes that compile at once never see
each other's half. Before use it has to answer; one that does not is made anew.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from amortmix.mcmc.results import EngineBroken
from amortmix.storage import files

#: Settings of a compiler that change what it makes.
FLAGS = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "LDLIBS", "STANCFLAGS", "STAN_THREADS")
NEEDED_BYTES = 50 * 2**20


def folder():
    """Where programs are kept: ``amortmix/programs`` in the user's cache, which XDG_CACHE_HOME moves."""
    return files.users_cache() / "programs"


def flags():
    """The compiler settings of the environment, part of a program's key."""
    return {name: os.environ[name] for name in FLAGS if name in os.environ}


@contextlib.contextmanager
def scratch():
    """A temporary folder without blanks, which make splits at, and short: the path of a socket has 107 bytes."""
    base = tempfile.gettempdir()
    if len(base) > 60 or " " in base:
        base = "/tmp"
    try:
        made = Path(tempfile.mkdtemp(prefix="amortmix-", dir=base))
    except OSError as error:
        raise EngineBroken(f"no temporary folder can be made in {base} ({error.strerror})") from error
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def program(name, key, build, answers):
    """Path of a compiled program that works, compiled only if there is none yet.

    Parameters
    ----------
    name : str
        Begins the file's name.
    key : sequence
        Plain values of all that decides the program.
    build : callable
        (temporary folder) -> path of the new program in it; raises `EngineBroken` if that fails.
    answers : callable
        (path) -> bool: it starts and says what it is.

    Raises
    ------
    EngineBroken
        If it cannot be compiled, cannot be kept, or does not answer even when new.
    """
    digest = hashlib.sha256(json.dumps(list(key), sort_keys=True).encode()).hexdigest()
    path = folder() / f"{name}-{digest[:16]}"
    if path.is_file() and answers(path):
        return path
    _check_room(path.parent)
    with scratch() as temporary:
        made = build(temporary)
        if not answers(made):
            raise EngineBroken(f"the program of {name} was compiled and does not start")
        _keep(made, path)
    return path


def _check_room(place):
    """Compiling takes a minute: notice before it that the result cannot be kept."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise EngineBroken(_cannot_keep(place, error.strerror)) from error
    if free < NEEDED_BYTES:
        raise EngineBroken(_cannot_keep(place, "its disk is full"))


def _keep(made, path):
    # beside its place, because a rename cannot cross disks
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        shutil.copy2(made, part)
        os.replace(part, path)
    except OSError as error:
        raise EngineBroken(_cannot_keep(path.parent, error.strerror)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _cannot_keep(place, why):
    return f"compiled programs cannot be kept in {place} ({why}); XDG_CACHE_HOME names another folder"
