"""What every rule's script does first: threads, compilation cache, and a log file that keeps everything."""

import contextlib
import errno
import logging
import os
import sys
import time
import traceback

from amortmix.storage.files import BadInput


def limit_threads(threads):
    """Keep XLA to ``threads`` threads; must run before JAX starts. Jobs side by side otherwise fight for cores."""
    os.environ["NPROC"] = str(threads)  # the size of XLA's pool; no flag of XLA limits it
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))


def cache_compilations():
    """Keep compiled functions in ``.cache/jax`` under the working directory."""
    from amortmix.storage import compiled

    compiled.keep(".cache/jax")


def measured(function, *arguments):
    """What a function returns, and the CPU seconds that it took."""
    began = time.process_time()
    found = function(*arguments)
    return found, time.process_time() - began


def _disk_is_full(error):
    # HDF5 has no error of its own for it
    return isinstance(error, OSError) and (error.errno == errno.ENOSPC or "No space left" in str(error))


def _in_a_line(error, snakemake):
    """What went wrong, for the terminal."""
    if isinstance(error, BadInput) or (isinstance(error, SystemExit) and isinstance(error.code, str)):
        return str(error)
    if _disk_is_full(error):
        return f"no space left to write {snakemake.output}: free some and run again"
    return f"{type(error).__name__}: {error}".split("\n")[0] + f"; see {snakemake.log[0]}"


def _into(path):
    """Send what this process and those that it starts write to the terminal into a file; returns the terminal.

    File descriptors are changed, since compilers, kernels and chains know nothing of ``sys.stdout``; until the process
    ends, for libraries keep the streams and may still write at exit.
    """
    terminal = os.fdopen(os.dup(2), "w", encoding="utf-8")
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
        stream.reconfigure(encoding="utf-8", line_buffering=True)
    os.close(log)
    return terminal


@contextlib.contextmanager
def job(snakemake):
    """Run a rule's script: what it says goes to the log, and an error as one line to the terminal as well."""
    limit_threads(snakemake.threads)
    os.environ.setdefault("MPLBACKEND", "Agg")
    logging.getLogger("jax").setLevel(logging.ERROR)
    terminal = _into(snakemake.log[0])
    try:
        cache_compilations()
        yield
    except (Exception, SystemExit) as error:  # whatever it is, its text belongs into the log
        if not isinstance(error, BadInput):
            traceback.print_exc()
        line = f"error: {_in_a_line(error, snakemake)}"
        print(line)
        print(line, file=terminal, flush=True)
        sys.exit(1)
