"""Bad days: a run that is killed, interrupted, started twice, or whose disk is full.

Each run works in its own copy of the workflow and is compared with the smoke run that `make test` makes first.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from folders import copy_workflow, training_process

ROOT = Path(__file__).parents[2]
NETWORKS = Path("results/smoke/paper/gaussian_mixture/networks")
HELD_OUT = "results/smoke/paper/gaussian_mixture/simulations/held_out.nc"
PATIENCE = 300  # seconds


@pytest.fixture
def copy(tmp_path):
    return copy_workflow(tmp_path)


def start(folder, target):
    """A run in its own process group, as a terminal makes it; participants simulated, so that nothing is fetched."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "config/presets/smoke.yaml"]
    command += ["--config", "participants=simulated", "--", str(target)]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def wait_for(condition):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE, "waited in vain"
        time.sleep(0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the training's process in /proc")
@pytest.mark.parametrize("fault", ["kill -9", "Ctrl-C"])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(copy, fault):
    """The next run continues from the checkpoint to the same learning curve, digit by digit."""
    run = start(copy, NETWORKS / "bundle.keras")
    checkpoint = copy / NETWORKS.parent / "checkpoint.npz"
    wait_for(checkpoint.exists)
    if fault == "kill -9":
        os.kill(training_process(copy), signal.SIGKILL)
    else:
        os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode != 0, output
    assert checkpoint.exists() and not (copy / NETWORKS / "bundle.keras").exists()
    run = start(copy, NETWORKS / "bundle.keras")
    output, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, output
    assert not checkpoint.exists()
    assert (copy / NETWORKS / "history.csv").read_text() == (ROOT / NETWORKS / "history.csv").read_text()


def test_two_runs_at_once_do_not_meet(copy):
    """The second is told that the folder is in use; the first ends as if alone."""
    first = start(copy, HELD_OUT)
    wait_for(lambda: any((copy / ".snakemake" / "locks").glob("*.lock")))
    second = start(copy, HELD_OUT)
    said, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode != 0 and "cannot be locked" in said
    output, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, output
    assert (copy / HELD_OUT).is_file()


FULL = """
import sys
from types import SimpleNamespace
from amortmix_paper.job import job
with job(SimpleNamespace(threads=1, output=sys.argv[1], log=[sys.argv[2]])):
    import numpy as np, xarray as xr
    from amortmix.storage import files
    files.save_netcdf(sys.argv[1], xr.Dataset({"x": ("i", np.random.default_rng(1).random(10**6))}))
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk: needs root on Linux")
def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk could be mounted here: {mounted.stderr.strip()}")
    try:
        command = [sys.executable, "-c", FULL, str(disk / "x.nc"), str(tmp_path / "log")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        left = [path.name for path in disk.iterdir()]
    finally:
        subprocess.run(["umount", disk], check=True)
    assert done.returncode == 1 and not left
    assert "error: no space left" in done.stderr and "Traceback" not in done.stderr
