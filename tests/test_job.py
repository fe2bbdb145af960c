"""What every job does first."""

import subprocess
import sys

import pytest

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
