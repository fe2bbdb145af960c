"""Reading and writing results. Every file appears whole or not at all."""

import contextlib
import hashlib
import json
import os
import subprocess
import threading
from importlib.metadata import version
from pathlib import Path

import platformdirs

#: Names that a message lists.
LISTED = 10
REMAKE = "delete it and run again: it is made anew"
PACKAGES = (
    "bayesflow", "keras", "jax", "jaxlib", "numpyro", "onnxruntime", "arviz-stats", "numpy", "pystan", "snakemake",
)  # fmt: skip


class BadInput(ValueError):
    """A file or setting is not as expected; the message is one line with file, place and expected form.

    Examples
    --------
    >>> try:
    ...     am.load("gaussian_hmm", engine="fast")
    ... except am.BadInput as error:
    ...     print(error)
    engine 'fast'; expected exported or jax
    """


class UnknownName(BadInput, KeyError):
    """A name that is not there: also a `KeyError`, so that ``in`` and ``get`` of a mapping are what they should be."""

    __str__ = Exception.__str__  # that of a KeyError puts quotation marks around its message


def look_up(known, name, what):
    """``known[name]`` of a mapping; `UnknownName`, with the first names that are there, if it is not."""
    if name in known:
        return known[name]
    names = list(map(str, known))
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    raise UnknownName(f"no {what} {name!r}; expected one of {', '.join(names[:LISTED])}{more}")


@contextlib.contextmanager
def atomic(path):
    """A temporary path beside ``path`` that takes its name when the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the suffix stays last: Keras and pandas choose the format by it
    temporary = path.with_name(f".part-{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, content):
    """Write ``content`` as JSON; NaN and infinity become null, which JSON has no other word for."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(_finite(content), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path):
    """Content of a JSON file; `BadInput` names the file and line if it is damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}, line {error.lineno}: damaged, not valid JSON ({error.msg}); {REMAKE}") from error


def save_netcdf(path, content):
    """Write a Dataset or DataTree with checksums, so that damage is noticed when it is read."""
    from amortmix.storage import netcdf  # xarray is slow to import, and the workflow's start needs the rest only

    with atomic(path) as temporary:
        try:
            netcdf.write(temporary, content)
        except RuntimeError:
            # the library does not say why; where the disk is full, the system does
            temporary.write_bytes(bytes(2 * content.nbytes + 2**20))
            raise


def load_netcdf(path):
    """The Dataset of a file, or its DataTree if it has groups, in memory; `BadInput` names a damaged file."""
    from amortmix.storage import netcdf

    try:
        return netcdf.read(path)
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError, AttributeError, KeyError, ValueError) as error:
        raise BadInput(f"{path}: damaged, not the NetCDF file that was written ({error}); {REMAKE}") from error


def _finite(value):
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def plain(value):
    """Arrays, tuples and numbers of NumPy or JAX as what JSON keeps: lists and plain numbers."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.tolist() if hasattr(value, "tolist") else value


def span(ends):
    """A range as text: 8 for (8, 8), 1 to 8 for (1, 8)."""
    low, high = ends
    return f"{low}" if low == high else f"{low} to {high}"


def users_cache():
    """The user's cache folder for this library, which XDG_CACHE_HOME moves."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(cache) / "amortmix" if cache else Path(platformdirs.user_cache_dir("amortmix"))


def sha256(path):
    """Hexadecimal SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def versions():
    """Versions of the packages that decide results."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(ModuleNotFoundError):
            found[package] = version(package)
    return found


def git_commit():
    """Commit of this project's working tree, with ``+changes`` if it is not clean; None without one of its own.

    A copy inside the repository of something else has no commit: that of the other says nothing about it.
    """
    root = Path(__file__).resolve().parents[3]
    try:
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return None
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        dirty = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if dirty else "")


def _git(folder, *arguments):
    """What git answers in a folder."""
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace", check=True)
    return done.stdout.strip()
