"""The workflow as a user meets it: bad config, missing data, own models, and what reruns.

These tests read the smoke run that `make test` makes first.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from folders import copy_workflow

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "results" / "smoke" / "paper"
#: The list of the smoke run: the paper's data sets, and one of each own model, named as if it were a participant.
DATASETS = "datasets=tests/workflow/own_models.tsv"
OWN = {
    "gaussian_scales": "models/gaussian_scales.py",
    "poisson_hmm": "models/poisson_hmm.py",
    "waiting_2": "tests/workflow/waiting_2.py",
}
OWN_DATA_SETS = {"gaussian_scales": "exp1_A", "poisson_hmm": "sim_study", "waiting_2": "dutilh_pilot_A"}
PAPER = ("evidence_accumulation", "gaussian_hmm", "gaussian_mixture")


def snakemake(*targets, config=(DATASETS,), preset="config/presets/smoke.yaml", folder=ROOT, more=()):
    """A dry run; exit code, and standard output and error together."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", *more, "--configfile", str(preset)]
    command += ["--config", *config] if config else []
    done = subprocess.run([*command, "--", *targets], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def job_counts(output):
    """{rule: jobs} of a dry run; trainings, shipped validations, data and ABI fits of all models together."""
    # Snakemake prints the table twice
    table = dict(re.findall(r"^(\w+)\s+(\d+)$", output, flags=re.MULTILINE))
    counts = {}
    for rule, n in table.items():
        rule = next((r for r in ("train", "validated", "data", "fit_abi") if rule.startswith(f"{r}_")), rule)
        counts[rule] = counts.get(rule, 0) + int(n)
    return counts


def outputs(output):
    """Files that a dry run would write, as text."""
    return " ".join(re.findall(r"^ +output: (.*)$", output, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs=3", "config, top level: unknown key epochs; expected cuda, datasets, fits_per_job, models, "),
        (
            "preset=huge",
            "preset: 'huge'; expected smoke or default or longer or wide or likelihood_free or paper",
        ),
        ("priors=flat", "config, priors: 'flat'; expected paper, reference or a list of both"),
        ("participants=none", "config, participants: 'none'; expected real or simulated"),
        ("revalidate=maybe", "config, revalidate: 'maybe'; expected true or false"),
        ("smoothing_rule=magic", "config, smoothing_rule: 'magic'; expected exact or printed or shifted"),
        ("seed=-1", "config, seed: -1; expected: minimum 0"),
        ("datasets=nowhere.tsv", "nowhere.tsv: no such file; expected a list of data sets"),
        ("models=nowhere.yaml", "nowhere.yaml: no such file; expected changes of models"),
    ],
)
def test_bad_config_is_one_clear_line(override, message):
    code, output = snakemake(config=(override,))
    assert code != 0
    assert [line for line in output.splitlines() if message in line], output


def test_a_models_file_with_an_error_is_one_clear_line(tmp_path):
    (tmp_path / "mine.py").write_text("MODEL = HiddenMarkov()\n")
    (tmp_path / "list.tsv").write_text(f"dataset\tcase\tsource\trows\nx\t{tmp_path}/mine.py\tprior:1\t\n")
    code, output = snakemake(config=(f"datasets={tmp_path}/list.tsv",))
    assert code != 0 and "Traceback" not in output
    assert f"{tmp_path}/mine.py, line 1: NameError: name 'HiddenMarkov' is not defined" in output


def test_second_run_does_nothing():
    code, output = snakemake()
    assert code == 0 and "Nothing to be done" in output, output


def test_own_models_leave_the_papers_jobs_alone(tmp_path):
    """Without them in the list the start page and that of all costs, which show them, are all that is made again."""
    rows = (ROOT / DATASETS.removeprefix("datasets=")).read_text().splitlines()
    papers = [row for row in rows if row.split("\t")[0] not in OWN_DATA_SETS.values()]
    (tmp_path / "list.tsv").write_text("\n".join(papers))
    code, output = snakemake(config=(f"datasets={tmp_path}/list.tsv",))
    assert code == 0, output
    assert job_counts(output) == {"break_even": 1, "notebook": 2, "all": 1, "total": 4}, output


def test_a_seed_changes_what_depends_on_it():
    """Another seed: new simulations, networks and fits, but no new data and no new compilation."""
    code, output = snakemake(config=(DATASETS, "seed=7"))
    assert code == 0, output
    counts = job_counts(output)
    assert counts["train"] == 7 and counts["simulate"] == 7 and counts["fit_mcmc"] == 17
    assert "data" not in counts and "compile_mcmc" not in counts
    assert counts["spatial_method"] == 5 and counts["spatial_reverse_kl"] == 2
    assert counts["costs"] == 7 and counts["break_even"] == 1


def test_mcmc_settings_change_only_what_comes_after_mcmc(tmp_path):
    settings = ROOT / "config" / "presets" / "smoke.yaml"
    changed = tmp_path / "smoke.yaml"
    changed.write_text(settings.read_text().replace("adapt_delta: 0.95", "adapt_delta: 0.96"))
    code, output = snakemake(preset=changed)
    assert code == 0, output
    counts = job_counts(output)
    assert counts["fit_mcmc"] == 17 and counts["compare"] == 17 and counts["costs"] == 7
    assert not {"train", "simulate", "validate", "fit_abi", "data", "compile_mcmc"} & set(counts)


def test_another_compiler_compiles_again(monkeypatch):
    monkeypatch.setenv("CXXFLAGS", "-O1")
    code, output = snakemake()
    assert code == 0, output
    counts = job_counts(output)
    assert counts["compile_mcmc"] == 7 and not {"train", "fit_abi", "data"} & set(counts)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the workflow in which the smoke run is done."""
    folder = copy_workflow(tmp_path_factory.mktemp("finished"))
    pages = ("ablation", "components", "epidemic", "factorization", "fields", "population")
    saved = [f"results/published/{name}" for name in pages]
    for name in ("results/smoke", "results/mcmc", *saved, ".snakemake/metadata"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def models_planned(output):
    """Models and pages whose files a dry run would write."""
    found = re.findall(r"results/smoke/paper/(?:notebooks/)?(\w+)[/.]", outputs(output))
    return set(found) - {"tables", "figures", "overview"}


def test_a_declaration_that_changes_makes_its_models_jobs_again_and_no_others(finished):
    """The table and the page of all costs, where it has a line, are the only other ones."""
    path = finished / OWN["waiting_2"]
    text = path.read_text()
    for same in (text, "# a comment\n" + text, text.replace('"""Waiting', '"""Times of waiting')):
        path.write_text(same)
        code, output = snakemake(folder=finished)
        assert code == 0 and "Nothing to be done" in output, output
    path.write_text(text.replace("dist.Beta(8, 2)", "dist.Beta(4, 2)"))
    code, output = snakemake(folder=finished)
    path.write_text(text)
    assert code == 0 and models_planned(output) == {"waiting_2", "break_even"}, output
    once = ("train", "simulate", "validate", "data", "fit_abi", "fit_mcmc", "compare", "costs", "break_even")
    once += ("all",)
    assert job_counts(output) == dict.fromkeys(once, 1) | {"notebook": 3, "total": 13}


def test_hyperparameters_that_change_make_their_models_jobs_again_and_no_others(finished):
    """The pages about smoothing and about costs, which read numbers of the model, are the only other ones."""
    (finished / "models.yaml").write_text("gaussian_hmm: {hyperparameters: {stay: [4.0, 2.0]}}\n")
    code, output = snakemake(folder=finished, config=(DATASETS, "models=models.yaml"))
    assert code == 0 and models_planned(output) == {"gaussian_hmm", "smoothing", "break_even"}, output
    counts = job_counts(output)
    assert counts["train"] == counts["data"] == counts["fit_mcmc"] == 1 and "compile_mcmc" not in counts


def test_reference_priors_run_beside_the_paper_ones():
    """Case study 1 has one prior, and own models run where the report is."""
    code, output = snakemake(config=(DATASETS, "priors=reference"))
    assert code == 0, output
    trained = re.findall(r"results/smoke/(\w+/\w+)/networks/bundle.keras", outputs(output))
    assert sorted(trained) == sorted(f"reference/{m}" for m in ("evidence_accumulation", "gaussian_hmm", *OWN))
    assert "results/smoke/reference/tables/table1.csv" in output


def test_a_model_without_the_prior_asked_for_is_on_the_start_page():
    """Case study 1 under its own prior, whose page lies elsewhere."""
    code, output = snakemake(config=(DATASETS, "priors=reference"), more=["--forceall"])
    start = re.search(r"input: (.*)\n +output: .*reference/notebooks/overview\.html", output)
    assert code == 0 and "results/smoke/paper/notebooks/gaussian_mixture.html" in start[1], output


def test_own_models_run_beside_pretrained_ones():
    code, output = snakemake(config=(DATASETS, "networks=shipped"))
    assert code == 0, output
    own = ", ".join(f"{name} (priors paper)" for name in sorted(OWN))
    assert f"No networks are shipped for {own}: they are trained here." in output.splitlines()
    counts = job_counts(output)
    assert counts["train"] == 3 and sum(n for rule, n in counts.items() if rule.startswith("shipped_")) == 4


@pytest.mark.parametrize(("more", "validated"), [((), 6), (("seed=1",), 6), (("revalidate=true",), 0)])
def test_networks_that_ship_with_their_validation_are_not_validated_again(more, validated):
    """With the settings of the preset `default`; nothing is simulated for it either."""
    config = ("networks=shipped", "priors=[paper,reference]", *more)
    code, output = snakemake(config=config, preset="config/presets/default.yaml", more=["--forceall"])
    assert code == 0, output
    counts = job_counts(output)
    assert counts.get("validated", 0) == validated and "train" not in counts
    assert counts.get("validate", 0) == counts.get("simulate", 0) == 6 - validated


def test_simulated_participants_never_write_where_real_ones_do():
    code, output = snakemake(config=("participants=simulated",))
    assert code == 0, output
    assert "fits/sim_K/comparison.json" in output and "tables/table1_simulated.csv" in output
    assert "dutilh" not in outputs(output)


def test_missing_participants_leave_the_rest(finished, monkeypatch):
    """Neither here nor to be had: the run says what was tried; everything that does not need the data is planned."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    (finished / "data").rename(finished / "elsewhere")
    # elsewhere than in the project, where they are
    code, output = snakemake(config=("participant_files=[nowhere]",), more=["--forceall"], folder=finished)
    # the attempt to download has made the folder
    shutil.rmtree(finished / "data", ignore_errors=True)
    (finished / "elsewhere").rename(finished / "data")
    assert code == 0, output
    warning = next(line for line in output.splitlines() if line.startswith("WARNING: no data of participants"))
    assert "looked in nowhere, downloaded from" in warning and "participants=simulated" in warning
    counts = job_counts(output)
    assert counts["train"] == 4 and counts["fit_abi"] == 2 and counts["table1"] == 1


def test_many_data_sets_are_one_job_per_chunk(tmp_path):
    """A list of 2,000 simulated data sets, fitted by the networks alone; none of them has a job of its own."""
    rows = [f"p{i:04d}\tevidence_accumulation\tprior:{i}\t400" for i in range(2000)]
    (tmp_path / "many.tsv").write_text("\n".join(["dataset\tcase\tsource\trows", *rows]) + "\n")
    code, output = snakemake("abi", config=(f"datasets={tmp_path}/many.tsv", "fits_per_job=500"))
    assert code == 0, output
    counts = job_counts(output)
    assert counts["fit_abi"] == 4 and counts["data"] == 4 and counts["total"] <= 12


def test_a_person_that_cannot_be_read_is_left_out_and_the_run_ends_with_it(tmp_path):
    """Three people, one of them with a word for a number: the others have their jobs, and one more job names him."""
    rows = [f"{who},{unit},{0.5 * unit}" for who in "abc" for unit in range(1, 101)]
    rows[150] = "b,51,often"
    (tmp_path / "lab.csv").write_text("\n".join(["subject,unit,y", *rows]) + "\n")
    line = f"lab\tgaussian_hmm\tfile:{tmp_path}/lab.csv\t\tsubject"
    (tmp_path / "lab.tsv").write_text(f"dataset\tcase\tsource\trows\tby\n{line}\n")
    for target in ("abi", "pages"):
        code, output = snakemake(target, config=(f"datasets={tmp_path}/lab.tsv",), more=("--printshellcmds",))
        assert code == 0, output
        assert "WARNING: left out, and everything else is made:" in output
        assert re.search(r"data set lab_b: .*lab\.csv, row 152: y is 'often'; expected a finite number", output)
        assert job_counts(output)["report_problems"] == 1 and "lab_b" not in outputs(output)
        assert "fits/lab_a/abi.nc" in outputs(output) and "fits/lab_c/abi.nc" in outputs(output)
        assert ("pages/lab_a.ipynb" in outputs(output)) == (target == "pages")
