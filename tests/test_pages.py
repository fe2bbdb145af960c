"""Generated pages of the documentation: nothing is left out, and what they say is what files have."""

import json
import re
from pathlib import Path

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import typer
import yaml
from pages import command_line, config_keys, formats, models, networks, notebooks, results, tables, texts

import amortmix as am
from amortmix.cli import app
from amortmix.mcmc.engine import sample
from amortmix.mcmc.tree import tree_of
from amortmix.model import registry
from amortmix.model import tables as data_tables
from amortmix_paper.schemas import defaults, load

ROOT = Path(__file__).parents[1]


def test_the_repository_has_the_pages_that_the_code_makes():
    """`make docs` writes them, and they are committed; none is left of a page that there is no more."""
    made, folder = texts(ROOT, notebooks.chosen(ROOT)), ROOT / "docs/generated"
    kept = {p.relative_to(folder).as_posix() for p in folder.rglob("*.md")}
    assert kept == set(made)
    stale = [name for name, text in made.items() if (folder / name).read_text(encoding="utf-8") != text]
    assert not stale, "run `make docs` and commit docs/generated"


def test_every_parameter_has_a_row():
    """A meaning for each, and none for a parameter that there is not."""
    text = models.page(ROOT)
    meanings = models.meanings()
    assert set(meanings) == set(registry.names())
    for name in registry.names():
        assert set(meanings[name]) - {"model"} == set(registry.find(name).parameter_names)
        assert all(f"| `{p}` |" in text for p in registry.find(name).parameter_names)


def test_priors_in_words():
    race = registry.find("evidence_accumulation")
    rows = {row[1]: row for row in models.parameter_rows(race, dict.fromkeys(race.parameter_names, ""))}
    assert rows["`alpha_2`"][4] == "`alpha_1` + Normal(1.5, 0.5) above 0"
    assert rows["`tau`"][4:6] == ["Exponential(5)", "0 to the smallest `rt`"]
    assert models.prior_text(am.ordered(dist.LogNormal(0, 1), 2), 1) == "LogNormal(0, 1), increasing"
    assert models.range_text(dist.Beta(2, 2).expand([2]).to_event(1)) == "0 to 1"


def test_quantiles_are_those_of_the_prior():
    """Beta(2, 2) has 2.5 % quantiles of 0.094 and 0.906."""
    hmm = registry.find("gaussian_hmm")
    low, high = models.parameter_rows(hmm, dict.fromkeys(hmm.parameter_names, ""))[0][6].split(" to ")
    assert abs(float(low) - 0.094) < 0.02 and abs(float(high) - 0.906) < 0.02


def test_every_option_is_listed():
    text = command_line.page(ROOT)
    for name, command in typer.main.get_command(app).commands.items():
        assert f"## amortmix {name}" in text
        options = [o for p in command.params if p.param_type_name == "option" and p.name != "help" for o in p.opts]
        assert all(o in text for o in options)


def test_every_key_of_the_configuration_is_listed():
    text = config_keys.page(ROOT)
    known = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    rows = {key: re.search(rf"^\| `{key}` \|.*\| (.*) \|$", text, flags=re.MULTILINE) for key in known}
    assert all(row and row[1].strip() for row in rows.values())
    preset = yaml.safe_load((ROOT / "config" / "presets" / "default.yaml").read_text(encoding="utf-8"))
    for group, keys in preset["settings"].items():
        assert all(f"| `settings.{group}.{key}` |" in text for key in keys)
    assert "| `seed` | a whole number at least 0 | `2026` |" in text


def test_every_key_has_a_description_and_a_default():
    """In the schema: that of the configuration file as it is, and of the preset that it names."""
    schema = load("config")
    settings = dict(config_keys.leaves(schema["properties"]["settings"], "settings"))
    for key, entry in (schema["properties"] | settings).items():
        assert entry["description"].strip() and "default" in entry, key
    assert defaults("config") == yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8")) | {
        "settings": {},
        "recipes": {},
    }
    preset = yaml.safe_load((ROOT / "config/presets/default.yaml").read_text(encoding="utf-8"))["settings"]
    for key, entry in settings.items():
        _, section, name = key.split(".")
        assert preset[section].get(name) == entry["default"], key


@pytest.fixture(scope="module")
def trees():
    """Fits by networks and by NUTS of a few units with gaps and two sequences."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"unit": range(40), "y": rng.normal(size=40), "session": np.repeat([1, 2], 20)})
    frame.loc[3, "y"] = np.nan
    chain = am.load("gaussian_hmm").fit(frame, draws=100, sequence="session").tree
    mixture = (
        am.load("gaussian_mixture").fit(pd.DataFrame({"unit": range(60), "y": rng.normal(size=60)}), draws=100).tree
    )
    model = registry.find("gaussian_mixture")
    table = data_tables.read(model, pd.DataFrame({"unit": range(20), "y": rng.normal(size=20)}))
    found = sample(model, table.data, seed=1, chains=2, warmup=10, draws=10, adapt_delta=0.8, engine="numpyro")
    return [chain, mixture, tree_of(model, table, found, {})]


def test_every_variable_and_attribute_of_a_fit_is_described(trees):
    words = formats.known()
    for tree in trees:
        assert set(tree.attrs) <= set(words["attributes"])
        for name, group in tree.children.items():
            assert name in words["groups"]
            known = words["variables"][name]
            for variable, values in group.data_vars.items():
                dimensions = known[variable][0] if variable in known else known["PARAMETER"][0]
                assert ", ".join(values.dims) == dimensions


@pytest.mark.parametrize("name", ["card", "metrics", "comparison"])
def test_every_key_of_a_file_is_described(name):
    words = formats.known()[name]
    found = [*(ROOT / "src/amortmix/pretrained").rglob(f"{name}.json")]
    found += (ROOT / "results/published").rglob(f"{name}.json")
    assert found and all(set(json.loads(p.read_text())) <= set(words) for p in found)


def test_networks_have_the_numbers_of_their_files():
    text = networks.page(ROOT)
    for path in (ROOT / "src/amortmix/pretrained").rglob("metrics.json"):
        metrics = json.loads(path.read_text())
        if "gap_nats" in metrics:
            assert f"{metrics['gap_nats']['mean']:.3f} ± {metrics['gap_nats']['se']:.3f}" in text
        else:
            assert "calibration 0.00" in text


def test_executed_notebooks_of_the_site_show_answers_before_code():
    """A page that was executed says no parameters, and its code is folded; every notebook has a page."""
    found = notebooks.pages(notebooks.chosen(ROOT))
    assert {f"notebooks/{p.name}" for p in (ROOT / "notebooks").glob("*.ipynb")} < set(found)
    cells = json.loads(found["notebooks/table1.ipynb"])["cells"]
    tags = [set(cell["metadata"].get("tags", ())) for cell in cells if cell["cell_type"] == "code"]
    assert all("hide-input" in own and not own & notebooks.PARAMETERS for own in tags)
    assert any(cell.get("outputs") for cell in cells)


def test_results_have_targets_and_published_numbers():
    text = results.page(ROOT)
    for words in ("amortization gap (nats)", "Table 1, A: C2ST", "eleven fits", "| K |"):
        assert words in text


def test_tables_have_a_row_for_each_choice():
    found = tables.tables(ROOT)
    assert found["tables/points.md"].count("case study") == 3
    changed = pd.read_csv(ROOT / "results/published/ablation/ablation.csv").variant.nunique() - 1
    assert found["tables/ablation.md"].count("\n| ") == changed + 1
    assert found["tables/smoothing.md"].count("networks") == found["tables/smoothing.md"].count("exact filters") == 4


def test_every_public_name_is_in_the_reference():
    text = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert [n for n in am.__all__ if not re.search(rf":: amortmix\.{n}$", text, flags=re.MULTILINE)] == []
