"""The cluster profiles on a real Slurm: a killed job is tried again and continues, and the whole graph runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import local_slurm
import pandas as pd
import pytest
import yaml
from folders import copy_workflow, training_process

ROOT = Path(__file__).parents[2]
NETWORKS = Path("results/smoke/paper/gaussian_mixture/networks")
PATIENCE = 1500  # seconds; the nodes of the test are the cores of this machine
DATASETS = "dataset\tcase\tsource\trows\ngmm_demo\tgaussian_mixture\tdemo:gmm_demo\t\n"


def profile(name):
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())


def test_the_profiles_differ_in_the_gpu_alone():
    cpu, gpu = profile("slurm"), profile("slurm-gpu")
    assert gpu.pop("config") == ["cuda=true"]
    trainings = gpu.pop("set-resources")
    assert cpu == gpu
    rules = subprocess.run(
        [sys.executable, "-m", "snakemake", "--list-rules"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(trainings) == {rule for rule in rules if rule.startswith("train_")}
    assert set(cpu["groups"]) <= set(rules)
    assert all("gpu" in resources["gres"] for resources in trainings.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the workflow with one data set, while Slurm runs."""
    reason = local_slurm.why_not()
    if reason:
        pytest.skip(reason)
    copy = copy_workflow(tmp_path_factory.mktemp("workflow"))
    (copy / "one.tsv").write_text(DATASETS)
    with local_slurm.running(tmp_path_factory.mktemp("slurm") / "node"):
        yield copy


def submit(folder, name, *targets):
    """A run through a profile. Without accounting the plugin asks squeue, and here it asks often."""
    command = [sys.executable, "-m", "snakemake", "--profile", f"profiles/{name}"]
    command += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"]
    command += ["--seconds-between-status-checks", "3", "--group-components", f"comparisons={os.cpu_count()}"]
    command += ["--configfile", "config/presets/smoke.yaml"]
    command += ["--config", "participants=simulated", "datasets=one.tsv", f"cuda={name == 'slurm-gpu'}"]
    return subprocess.Popen(
        [*command, "--", *targets], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_killed_training_is_tried_again_and_continues(folder):
    """On the GPU partition: killed with SIGKILL once, submitted again, and it ends as an uninterrupted training."""
    run = submit(folder, "slurm-gpu", str(NETWORKS / "bundle.keras"))
    checkpoint = folder / NETWORKS.parent / "checkpoint.npz"
    began = time.monotonic()
    while not checkpoint.exists():
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() - began < PATIENCE, "waited in vain"
        time.sleep(0.1)
    os.kill(training_process(folder), signal.SIGKILL)
    output, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, output
    assert "Trying to restart job" in output
    assert output.count("has been submitted with SLURM jobid") == 2, output
    found, straight = (pd.read_csv(path / NETWORKS / "history.csv") for path in (folder, ROOT))
    pd.testing.assert_frame_equal(found, straight, check_exact=True)


def test_the_smoke_run_through_the_profile(folder):
    """Every rule of the workflow, for one data set: the graph of a user who fits that alone."""
    run = submit(folder, "slurm")
    output, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, output
    assert "Group job validation" in output and output.count("Group job comparisons") == 1
    assert (folder / "results/smoke/paper/notebooks/overview_simulated.html").is_file()
    assert len(list((folder / "results/smoke/paper").glob("*/fits/*/comparison.json"))) == 1
