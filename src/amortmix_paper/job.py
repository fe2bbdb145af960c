"""What every rule's script does first: threads, compilation cache, and a log file that keeps everything."""

import contextlib
import errno
import logging
import os
import sys
import time
import traceback

from amortmix.storage.files import BadInput


class _Tee:
    """The terminal's stream, with a copy of everything in the log."""

    def __init__(self, log, terminal):
        self.log, self.terminal = log, terminal

    def write(self, text):
        # libraries keep the stream and may still write at exit
        if not self.log.closed:
            self.log.write(text)
        return self.terminal.write(text)

    def close(self):
        """The terminal is not ours to close."""

    def __getattr__(self, name):
        return getattr(self.terminal, name)


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


@contextlib.contextmanager
def job(snakemake):
    """Run a rule's script: output goes to the log and the terminal, bad input ends in one line."""
    limit_threads(snakemake.threads)
    os.environ.setdefault("MPLBACKEND", "Agg")
    logging.getLogger("jax").setLevel(logging.ERROR)
    with open(snakemake.log[0], "w", buffering=1) as log:
        out, err = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Tee(log, out), _Tee(log, err)
        try:
            cache_compilations()
            yield
        except BadInput as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        except Exception as error:
            # into the log as well; the exception itself goes on
            log.write(traceback.format_exc())
            if _disk_is_full(error):
                print(f"error: no space left to write {snakemake.output}: free some and run again", file=sys.stderr)
                sys.exit(1)
            raise
        finally:
            sys.stdout, sys.stderr = out, err
