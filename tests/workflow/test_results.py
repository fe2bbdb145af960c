"""What the smoke run has left: the contract of files, pages, tables, the start page and the report."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import xarray as xr
from test_dag import DATASETS, OWN, OWN_DATA_SETS, PAPER, ROOT, SMOKE

from amortmix.model import registry
from amortmix_paper.break_even import CPU, EPIDEMIC, FIELD
from amortmix_paper.spatial import METHODS, RESTS_ON
from amortmix_paper.spatial.results import read
from amortmix_paper.table1 import PUBLISHED


def test_contract_files():
    """Every file that the contract names, with the paper's parameter names and heads; for own models the same."""
    assert len(list((SMOKE / "evidence_accumulation" / "fits").glob("dutilh_[A-K]"))) == len(PUBLISHED)
    for model in (registry.find(name) for name in (*registry.names(), *OWN.values())):
        folder = SMOKE / model.name
        card = json.loads((folder / "networks" / "card.json").read_text())
        assert card["meaningful"] is False and card["units"] == list(model.units) and card["versions"]["jax"]
        metrics = json.loads((folder / "validation" / "metrics.json").read_text())
        exact = {"gap_nats", "excess_ce", "misfit"} if model.has_density else {"state_calibration"}
        assert {"sbc", "recovery", "seconds"} | exact <= set(metrics) and metrics["sha256"] == card["sha256"]
        assert not model.has_density or {"mean", "se", "ess"} <= set(metrics["gap_nats"])
        for fit in (folder / "fits").iterdir():
            check_fit(model, fit)


def check_fit(model, folder):
    expected = {"c2st", "c2st_null", "c2st_psis", "mmd", "mmd_p", "pareto_k", "verdict", "seconds_abi", "seconds_stan"}
    expected |= {"rhat_max", "divergences", "engine", "reason", "source", "warnings"}
    comparison = json.loads((folder / "comparison.json").read_text())
    assert expected <= set(comparison) and comparison["verdict"] in ("ABI", "PSIS", "MCMC", "UNRELIABLE")
    # an engine that needs no compiler serves every model with a density
    assert (comparison["mcmc_not_run"] is None) == model.has_density
    for name in ("abi.nc", "stan.nc") if model.has_density else ("abi.nc",):
        with xr.open_datatree(folder / name, engine="netcdf4") as tree:
            assert tuple(tree["posterior"].data_vars) == model.parameter_names
            assert set(model.heads) <= set(tree["latent_probabilities"].data_vars)
            for head in model.heads:
                assert tree["latent_probabilities"][head].dims == ("statistic", "unit", "state")
            stats = {"log_q", "log_joint", "log_weight"} if model.has_density else {"log_q"}
            assert (stats if name == "abi.nc" else {"diverging"}) <= set(tree["sample_stats"].data_vars)


def test_a_model_without_a_density_says_why_it_has_no_mcmc():
    """And its page shows a verdict."""
    comparison = json.loads((SMOKE / "waiting_2" / "fits" / "dutilh_pilot_A" / "comparison.json").read_text())
    assert "density" in comparison["mcmc_not_run"] and comparison["verdict"] == "UNRELIABLE"
    page = (SMOKE / "notebooks" / "waiting_2.html").read_text()
    assert "MCMC: not run." in page and "UNRELIABLE" in page


def test_own_data_sets_appear_as_such():
    """On the start page with a row, and with figures under the name of their model; never as figures of the paper."""
    page = (SMOKE / "notebooks" / "overview.html").read_text(encoding="utf-8")
    for name, dataset in OWN_DATA_SETS.items():
        assert re.search(rf"<td[^>]*>{dataset}</td>", page)
        captions = json.loads((SMOKE / "figures" / name / "captions.json").read_text(encoding="utf-8"))
        for kind in ("joint", "states", "predictive"):
            caption = captions[f"{name}_{kind}_{dataset}"]
            assert dataset in caption and "of the paper" not in caption
            assert (SMOKE / "figures" / name / f"{name}_{kind}_{dataset}.png").is_file()


def test_every_figure_has_a_caption_below_it():
    """In the page that draws it, as in its folder."""
    for folder in (SMOKE / "figures").iterdir():
        drawn = {path.stem for path in folder.glob("*.png")}
        if not drawn:
            continue
        captions = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
        page = json.loads((SMOKE / "notebooks" / f"{folder.name}.ipynb").read_text(encoding="utf-8"))
        shown = [o.get("data", {}).get("text/markdown", "") for c in page["cells"] for o in c.get("outputs", [])]
        shown = {"".join(text) for text in shown}
        assert set(captions) == drawn and {f"*{caption}.*" for caption in captions.values()} <= shown, folder


def test_pages_show_their_figures():
    """Every cell that saves a figure shows one, and the HTML holds as many pictures."""
    for path in sorted((SMOKE / "notebooks").glob("*.ipynb")):
        cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
        images = [sum("image/png" in o.get("data", {}) for o in c["outputs"]) for c in cells]
        saves = [bool(re.search(r"figures\.(add|save)\(", "".join(c["source"]))) for c in cells]
        # cells about one model, or about what some models lack, are empty in the pages of others
        skipped = [bool(re.search(r"^ *if ", "".join(c["source"]), flags=re.MULTILINE)) for c in cells]
        assert all(n or not save or skip for n, save, skip in zip(images, saves, skipped)), path
        assert path.with_suffix(".html").read_text().count('src="data:image/png;base64') == sum(images), path


def test_every_method_of_the_spatial_example_answers_and_says_what_it_took():
    """For each field of the test; where there is a density, a table for the three fields that are shown."""
    found = read(SMOKE.parent / "spatial")
    n = len(found.fields["test_theta"])
    for method, answers in found.answers.items():
        assert answers["lower"].shape == answers["upper"].shape == answers["mean"].shape == (n,)
        assert (method == "neural_bayes") != ("shown" in answers) and found.costs[method]["seconds"] > 0
    for method, likelihood in RESTS_ON.items():
        assert found.costs[method]["training_seconds"] > found.costs[likelihood]["training_seconds"]


def test_costs_of_every_model_are_in_one_table():
    """Seconds of each method that fits it, and CPU seconds of its training; no MCMC without a density."""
    rows = pd.read_csv(SMOKE / "tables" / "break_even.csv")
    models = [registry.find(name) for name in (*registry.names(), *OWN.values())]
    assert set(rows["model"]) == {m.title for m in models} | {EPIDEMIC, FIELD}
    assert (rows["model"] == FIELD).sum() == len(METHODS) - 1 and set(rows["measured by"]) == {CPU}
    for model in models:
        (row,) = rows[rows["model"] == model.title].to_dict("records")
        costs = json.loads((SMOKE / model.name / "costs.json").read_text())
        assert row["fits"] == len(costs) == 1 and row["networks"] > 0
        assert (row["NUTS"] > 0) == model.has_density and (pd.isna(row["Stan"]) or model.stan)


def test_table_1_has_eleven_rows_and_says_it_is_not_meaningful():
    table = pd.read_csv(SMOKE / "tables" / "table1.csv", index_col=0)
    assert list(table.index) == list("ABCDEFGHIJK")
    assert "not meaningful" in (SMOKE / "tables" / "table1.md").read_text()
    for name in (*PAPER, *OWN, "table1"):
        assert (SMOKE / "notebooks" / f"{name}.html").stat().st_size > 10_000


def test_the_start_page_works_without_a_server_or_a_network():
    """Every link of the page is a file beside it."""
    page = SMOKE / "notebooks" / "overview.html"
    text = page.read_text(encoding="utf-8")
    links = re.findall(r'<a href="([^"#:]+)"', text)
    assert len(links) > 15 and all((page.parent / link).is_file() for link in links)
    assert "not meaningful" in text and "Start here" in text


def test_snakemakes_report_has_every_page_and_figure(tmp_path):
    """Made without a network; each figure has its caption there."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "config/presets/smoke.yaml"]
    command += ["--config", DATASETS, "--report", str(tmp_path / "report.zip")]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    with zipfile.ZipFile(tmp_path / "report.zip") as found:
        names = [Path(name).name for name in found.namelist()]
        text = found.read("report/report.html").decode("utf-8")
    for path in [
        *(SMOKE / "notebooks").glob("*.html"),
        *(SMOKE / "figures").rglob("*.png"),
        SMOKE / "tables/table1.csv",
    ]:
        assert path.name in names, path
    captions = json.loads((SMOKE / "figures" / "table1" / "captions.json").read_text(encoding="utf-8"))
    assert all(caption[:40] in text for caption in captions.values())


def test_logs_show_plain_numbers():
    """Those of every job, which are nowhere else."""
    logs = [p for p in (ROOT / "logs" / "results" / "smoke").rglob("*.log") if "np.float" in p.read_text("utf-8")]
    assert not logs


def test_nothing_half_written():
    assert not list((ROOT / "results" / "smoke").rglob("*.part*"))
