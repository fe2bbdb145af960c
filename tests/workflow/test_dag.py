"""The workflow as a user meets it: bad config, missing data, what reruns, and the files of the contract.

These tests read the smoke run that `make test` makes first (`make smoke` alone does it too).
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from amortmix.cases import CASES
from amortmix.tables import PUBLISHED

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "results" / "smoke" / "paper"
SMOKE_FILE = ["--configfile", "config/presets/smoke.yaml"]


def snakemake(*arguments):
    """A dry run; standard output and error together."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def job_counts(output):
    """{rule: jobs} of a dry run; trainings, data and ABI fits of all case studies together."""
    # Snakemake prints the table twice
    table = dict(re.findall(r"^([a-z_0-9]+)\s+(\d+)$", output, flags=re.MULTILINE))
    counts = {}
    for rule, n in table.items():
        rule = next((r for r in ("train", "data", "fit_abi") if rule.startswith(f"{r}_")), rule)
        counts[rule] = counts.get(rule, 0) + int(n)
    return counts


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs=3", "config, top level: unknown key epochs; expected cuda, datasets, fits_per_job, "),
        ("preset=huge", "config, preset: 'huge'; expected smoke or default or longer or paper"),
        ("priors=flat", "config, priors: 'flat'; expected paper, reference or a list of both"),
        ("participants=none", "config, participants: 'none'; expected real or simulated"),
        ("smoothing_rule=magic", "config, smoothing_rule: 'magic'; expected exact or printed or shifted"),
        ("seed=-1", "config, seed: -1; expected: minimum 0"),
        ("datasets=nowhere.tsv", "nowhere.tsv"),
    ],
)
def test_bad_config_is_one_clear_line(override, message):
    code, output = snakemake("--config", override)
    assert code != 0
    assert [line for line in output.splitlines() if message in line], output


def test_second_run_does_nothing():
    code, output = snakemake(*SMOKE_FILE)
    assert code == 0 and "Nothing to be done" in output, output


def test_a_seed_changes_what_depends_on_it():
    """Another seed: new simulations, networks and fits, but no new data and no new compilation."""
    code, output = snakemake(*SMOKE_FILE, "--config", "seed=7")
    assert code == 0, output
    counts = job_counts(output)
    assert counts["train"] == 3 and counts["simulate"] == 3 and counts["fit_stan"] == 13
    assert "data" not in counts and "compile_stan" not in counts


def test_stan_settings_change_only_what_comes_after_stan(tmp_path):
    settings = ROOT / "config" / "presets" / "smoke.yaml"
    changed = tmp_path / "smoke.yaml"
    changed.write_text(settings.read_text().replace("adapt_delta: 0.95", "adapt_delta: 0.96"))
    code, output = snakemake("--configfile", str(changed))
    assert code == 0, output
    counts = job_counts(output)
    assert counts["fit_stan"] == 13 and counts["compare"] == 13
    assert not {"train", "simulate", "validate", "fit_abi", "data", "compile_stan"} & set(counts)


def test_reference_priors_run_beside_the_paper_ones():
    code, output = snakemake(*SMOKE_FILE, "--config", "priors=reference")
    assert code == 0, output
    counts = job_counts(output)
    assert counts["train"] == 2  # case study 1 has one prior
    assert "results/smoke/reference/tables/table1.csv" in output


def test_simulated_participants_never_write_where_real_ones_do():
    code, output = snakemake(*SMOKE_FILE, "--config", "participants=simulated")
    assert code == 0, output
    assert "fits/sim_K/comparison.json" in output and "tables/table1_simulated.csv" in output
    assert "dutilh" not in "".join(re.findall(r"output: .*", output))


def test_missing_participants_leave_the_rest(tmp_path):
    """The run says at its start what was tried; everything that does not need the data is planned."""
    empty = tmp_path / "none"
    code, output = snakemake(*SMOKE_FILE, "--forceall", "--config", f"participant_files=['{empty}']")
    assert code == 0, output
    warning = next(line for line in output.splitlines() if line.startswith("WARNING: no data of participants"))
    assert str(empty) in warning and "participants=simulated" in warning
    counts = job_counts(output)
    assert counts["train"] == 3 and counts["fit_abi"] == 2 and counts["table1"] == 1


def test_many_data_sets_are_one_job_per_chunk(tmp_path):
    """A list of 2,000 simulated participants, fitted by the networks alone; none of them has a job of its own."""
    rows = [f"p{i:04d}\tevidence_accumulation\tprior:{i}\t400" for i in range(2000)]
    (tmp_path / "many.tsv").write_text("\n".join(["dataset\tcase\tsource\trows", *rows]) + "\n")
    code, output = snakemake(*SMOKE_FILE, "--config", f"datasets={tmp_path}/many.tsv", "fits_per_job=500", "--", "abi")
    assert code == 0, output
    counts = job_counts(output)
    assert counts["fit_abi"] == 4 and counts["data"] == 4 and counts["total"] <= 10


def test_contract_files():
    """Every file that the contract names, with the paper's parameter names and heads."""
    assert len(list((SMOKE / "evidence_accumulation" / "fits").glob("dutilh_[A-K]"))) == len(PUBLISHED)
    for case in CASES.values():
        folder = SMOKE / case.name
        card = json.loads((folder / "networks" / "card.json").read_text())
        assert card["meaningful"] is False and card["units"] == list(case.units) and card["versions"]["jax"]
        metrics = json.loads((folder / "validation" / "metrics.json").read_text())
        assert {"sbc", "recovery", "gap_nats", "excess_ce", "seconds"} <= set(metrics)
        assert {"mean", "se", "ess"} <= set(metrics["gap_nats"])
        for fit in (folder / "fits").iterdir():
            check_fit(case, fit)


def check_fit(case, folder):
    expected = {"c2st", "c2st_null", "c2st_psis", "mmd", "mmd_p", "pareto_k", "verdict", "seconds_abi", "seconds_stan"}
    expected |= {"rhat_max", "divergences", "engine"}
    comparison = json.loads((folder / "comparison.json").read_text())
    assert expected <= set(comparison)
    heads = {"filtering", "backward_filtering", "smoothing"} if case.dependent else {"classification"}
    for name in ("abi.nc", "stan.nc"):
        with xr.open_datatree(folder / name, engine="h5netcdf") as tree:
            assert tuple(tree["posterior"].data_vars) == case.parameter_names
            assert heads <= set(tree["latent_probabilities"].data_vars)
            for head in heads:
                assert tree["latent_probabilities"][head].dims == ("statistic", "unit", "state")
            stats = {"log_q", "log_joint", "log_weight"} if name == "abi.nc" else {"diverging"}
            assert stats <= set(tree["sample_stats"].data_vars)


def test_pages_show_their_figures():
    """Every cell that saves a figure shows one, and the HTML holds as many pictures."""
    for path in sorted((SMOKE / "notebooks").glob("*.ipynb")):
        cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
        images = [sum("image/png" in o.get("data", {}) for o in c["outputs"]) for c in cells]
        saves = ["figures.save(" in "".join(c["source"]) for c in cells]
        # the cells of one case study are empty in the pages of the others
        skipped = ["if case ==" in "".join(c["source"]) for c in cells]
        assert all(n or not save or skip for n, save, skip in zip(images, saves, skipped)), path
        assert path.with_suffix(".html").read_text().count('src="data:image/png;base64') == sum(images), path


def test_table_1_has_eleven_rows_and_says_it_is_not_meaningful():
    table = pd.read_csv(SMOKE / "tables" / "table1.csv", index_col=0)
    assert list(table.index) == list("ABCDEFGHIJK")
    assert "not meaningful" in (SMOKE / "tables" / "table1.md").read_text()
    for name in (*CASES, "table1"):
        assert (SMOKE / "notebooks" / f"{name}.html").stat().st_size > 10_000


def test_report_works_without_a_server_or_a_network():
    """Every link of the page is a file beside it."""
    page = SMOKE / "report.html"
    links = re.findall(r'(?:src|href)="([^"#][^"]*)"', page.read_text())
    files = [link for link in links if not link.startswith("data:")]
    assert len(files) > 20 and all((page.parent / link).is_file() for link in files)
    assert "not meaningful" in page.read_text()


def test_nothing_half_written():
    assert not list((ROOT / "results" / "smoke").rglob("*.part*"))
