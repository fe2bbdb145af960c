"""The last line of a run: where to begin to read, or what to read about what failed."""

import atexit
import re
import sys

FAILED = re.compile(r"^\s+log: (.+?) \(check log file", re.MULTILINE)


def say_at_the_end(line):
    """Print a line when this process ends: Snakemake still speaks after its last handler."""
    atexit.register(print, line, file=sys.stderr, flush=True)


def finished(pages):
    """Of a run that made everything that was asked for, with the start pages that there are now."""
    return f"Finished. Start page: {', '.join(pages)}" if pages else "Finished."


def failed(text):
    """Of a run whose log, by Snakemake, is ``text``: the logs of the jobs that failed."""
    logs = list(dict.fromkeys(FAILED.findall(text)))
    return f"Failed. What went wrong is in {', '.join(logs)}" if logs else "Failed. What went wrong stands above."
