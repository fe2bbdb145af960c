"""Hundreds of data sets in a job: what Snakemake keeps of each does not grow with the others, changes are seen."""

import json
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from folders import copy_workflow

DATA = Path("results/smoke/paper/gaussian_hmm/data")
#: More than a chunk, each with a file of its own.
PEOPLE = 60


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A workflow that has read 60 people in chunks of 50."""
    folder = copy_workflow(tmp_path_factory.mktemp("people"))
    rows = ["dataset\tcase\tsource\trows"]
    for i in range(PEOPLE):
        table = "".join(f"{unit},{unit % 7 + i}\n" for unit in range(10))
        (folder / f"person_{i}.csv").write_text(f"unit,y\n{table}")
        rows.append(f"p{i}\tgaussian_hmm\tfile:person_{i}.csv\t")
    (folder / "many.tsv").write_text("\n".join(rows) + "\n")
    code, output = snakemake(folder)
    assert code == 0, output
    return folder


def snakemake(folder, *more):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *more, "--configfile", "config/presets/smoke.yaml"]
    command += ["--config", "datasets=many.tsv", "fits_per_job=50"]
    targets = [f"data_paper_gaussian_hmm_{number}" for number in (0, 1)]
    done = subprocess.run([*command, "--", *targets], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def record(folder, path):
    """What Snakemake keeps of a file."""
    return folder / ".snakemake" / "metadata" / urlsafe_b64encode(str(path).encode()).decode()


def test_a_record_does_not_grow_with_the_chunk(people):
    sizes = [record(people, DATA / f"p{i}.nc").stat().st_size for i in (0, PEOPLE - 1)]
    assert abs(sizes[0] - sizes[1]) < 100 and max(sizes) < 4000, sizes


def test_checksums_name_every_data_set_of_the_chunk(people):
    names = [list(json.loads(path.read_text())) for path in (people / DATA).glob("checksums_*.json")]
    assert sorted(names) == [[f"p{i}" for i in range(50)], [f"p{i}" for i in range(50, PEOPLE)]]


@pytest.mark.parametrize("changed", ["person_55.csv", "a row", "a new row"])
def test_a_change_makes_its_chunk_again_and_no_other(people, changed):
    """Of one person's file, of one row of the list, or a row added to it."""
    code, output = snakemake(people, "--dry-run")
    assert code == 0 and "Nothing to be done" in output, output
    path = people / (changed if changed.endswith("csv") else "many.tsv")
    old = path.read_text()
    new = {"a row": old.replace("person_55.csv\t", "person_54.csv\t")}
    new |= {"a new row": old + "new\tgaussian_hmm\tfile:person_3.csv\t\n", "person_55.csv": old + "10,3\n"}
    path.write_text(new[changed])
    code, output = snakemake(people, "--dry-run")
    assert code == 0 and "/p50.nc" in output and "/p0.nc" not in output, output
    path.write_text(old)
    code, output = snakemake(people)
    assert code == 0, output
