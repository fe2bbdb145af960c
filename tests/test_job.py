"""What every job does first."""

import os
import subprocess
import sys

import pytest

from amortmix_paper.ending import failed, finished

THREADS = """
import sys
from pathlib import Path
from amortmix_paper.job import limit_threads
limit_threads(int(sys.argv[1]))
import jax.numpy as jnp
jnp.ones(3).block_until_ready()
names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
print(sum("Eigen" in name for name in names))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads that Linux lists")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_job_has_as_many_threads_as_its_rule_says(threads):
    """XLA's pool, whose size no flag of XLA limits: jobs side by side would else fight for cores."""
    command = [sys.executable, "-c", THREADS, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) == threads


TALKS = """
import os, subprocess, sys
from types import SimpleNamespace
from amortmix_paper.job import job
with job(SimpleNamespace(threads=1, output="x.nc", log=["job.log"])):
    print("Python \\u2013 says")
    subprocess.run(["echo", "a compiler says"], check=True)
    os.write(2, b"C says\\n")
    if len(sys.argv) > 1:
        raise ZeroDivisionError("by nothing")
"""


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_job_says_is_in_its_log_and_not_on_the_terminal(tmp_path, fails):
    """Whoever says it, in every locale; of an error the terminal has one line, which names the log."""
    command = [sys.executable, "-c", TALKS, *["fail"] * fails]
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=tmp_path, env=ascii_only)
    log = (tmp_path / "job.log").read_text(encoding="utf-8")
    assert log.startswith("Python – says\na compiler says\nC says\n")
    line = "error: ZeroDivisionError: by nothing; see job.log\n"
    assert (done.returncode, done.stdout, done.stderr) == ((1, "", line) if fails else (0, "", ""))
    assert ("Traceback" in log and log.endswith(line)) == fails


def test_the_last_line_names_the_start_page_or_the_logs_of_what_failed():
    text = "Error in rule x:\n    log: logs/a b.log (check log file(s) for error details)\n"
    assert failed(text + text) == "Failed. What went wrong is in logs/a b.log"
    assert finished(["results/overview.html"]) == "Finished. Start page: results/overview.html"
