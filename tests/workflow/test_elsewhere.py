"""The workflow in other places: another folder, another workflow, and whatever environment a user has set up."""

import os
import subprocess
import sys

import pytest
from test_dag import ROOT

SMOKE = ROOT / "config" / "presets" / "smoke.yaml"
#: A page that reads saved results alone, and a data set.
PAGE = "results/smoke/paper/notebooks/errata.html"
DATA = "results/smoke/paper/gaussian_hmm/data/hmm_demo.nc"
MODULE = """
module mixtures:
    snakefile: "{root}/Snakefile"
    config: {{"preset": "smoke", "datasets": "mine.tsv"}}

use rule * from mixtures as mixtures_*
"""
#: A kernel of the name that notebooks ask for, which cannot start.
STALE = '{"argv": ["/nowhere/python", "-f", "{connection_file}"], "display_name": "stale", "language": "python"}'


def snakemake(folder, *arguments, **environment):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *map(str, arguments)]
    environment = os.environ | environment
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8")
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def away(tmp_path):
    """A folder with a space in its path, with one data set."""
    folder = tmp_path / "some where"
    folder.mkdir()
    (folder / "mine.tsv").write_text("dataset\tcase\tsource\nhmm_demo\tgaussian_hmm\tdemo:hmm_demo\n")
    return folder


def test_another_folder_a_plain_locale_and_what_other_projects_left(away):
    """A job of each kind; the last line of the run names what to open."""
    kernel = away / "kernels" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(STALE)
    others = {"LC_ALL": "C", "PYTHONUTF8": "0", "KERAS_BACKEND": "tensorflow", "JUPYTER_PATH": str(kernel.parents[1])}
    arguments = ("--snakefile", ROOT / "Snakefile", "--directory", away, "--configfile", SMOKE)
    given = ("--config", "datasets=mine.tsv", "participants=simulated", "--quiet", "rules", "--")
    page = PAGE.replace("errata", "errata_simulated")
    code, output = snakemake(away.parent, *arguments, *given, page, DATA, **others)
    assert code == 0, output
    assert (away / page).is_file() and (away / DATA).is_file()
    assert output.rstrip().splitlines()[-1] == "Finished." and "np.float" not in output


def test_the_workflow_is_a_module_of_another(away):
    """Its configuration has defaults for what the other does not give."""
    (away / "Snakefile").write_text(MODULE.format(root=ROOT))
    code, output = snakemake(away, "--dry-run", "--quiet", "rules", "--", "mixtures_all")
    assert code == 0 and "mixtures_train_gaussian_hmm" in output, output
    code, output = snakemake(away, "--", DATA)
    assert code == 0 and (away / DATA).is_file(), output


def test_a_python_whose_path_has_a_space_is_refused(away):
    """Snakemake could start no job with it: said in one line, before anything else."""
    done = subprocess.run(["make", "-f", ROOT / "Makefile", "help"], cwd=away, capture_output=True, encoding="utf-8")
    assert done.returncode != 0 and "has a space" in done.stderr
    (away / "python").symlink_to(sys.executable)
    code = "import sys; sys.executable = sys.argv.pop(1); from snakemake.cli import main; main()"
    command = [sys.executable, "-c", code, away / "python", "--cores", "1", "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode != 0 and "has a space" in done.stdout + done.stderr, done.stderr


def test_a_run_that_fails_ends_with_the_log_to_read(away):
    """A declaration that is another one each time it is read: one line, and nothing of Python's."""
    model = (ROOT / "tests" / "workflow" / "waiting_2.py").read_text(encoding="utf-8")
    changing = model.replace("import jax\n", "import os\n\nimport jax\n").replace("(50, 80)", "(50, 80 + os.getpid())")
    (away / "mine.py").write_text(changing, encoding="utf-8")
    (away / "mine.tsv").write_text("dataset\tcase\tsource\nx\tmine.py\tprior:1\n")
    arguments = ("--snakefile", ROOT / "Snakefile", "--configfile", SMOKE, "--config", "datasets=mine.tsv", "--")
    code, output = snakemake(away, *arguments, "results/smoke/paper/waiting_2/data/x.nc")
    log = "logs/results/smoke/paper/waiting_2/data_0.log"
    assert code != 0 and output.rstrip().splitlines()[-1] == f"Failed. What went wrong is in {log}", output
    assert "error: mine.py: changed since this run was planned" in output and "Traceback" not in output


def test_the_workflow_has_nothing_for_snakemakes_linter():
    code, output = snakemake(ROOT, "--lint")
    assert code == 0 and "good condition" in output, output
