"""The plan of a run: pretrained networks fit the models, own models mix with them, changes are checked."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from amortmix.model import registry
from amortmix.model.identity import fingerprint
from amortmix.storage.files import BadInput, read_json, write_json
from amortmix_paper import pretrained
from amortmix_paper.models import bound_model
from amortmix_paper.run import Run, merged

WAITING = "tests/workflow/waiting_2.py"
CONFIG = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))


def run_of(tmp_path, models=None, rows=(), **config):
    """The run of a list with these rows, or of the paper's."""
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(models) if models else "")
    if rows:
        text = "dataset\tcase\tsource\trows\n" + "".join(f"{row}\n" for row in rows)
        (tmp_path / "datasets.tsv").write_text(text)
        config["datasets"] = str(tmp_path / "datasets.tsv")
    return Run(CONFIG | {"models": str(tmp_path / "models.yaml")} | config)


def test_pretrained_networks_belong_to_the_models_of_the_library(tmp_path):
    run = run_of(tmp_path, networks="shipped", priors=["paper", "reference"])
    assert run.notes == []
    found = {(p, c) for c in run.cases for p in run.shipped(c)}
    assert found == set(run.pairs()) and len(found) == 6 and not any(run.trained(c) for c in run.cases)


def test_a_card_that_disagrees_is_refused(tmp_path, monkeypatch):
    """A model that was changed has another fingerprint than the networks that come with the library."""
    with pytest.raises(BadInput, match=r"card\.json: networks of another gaussian_hmm than this one; expected .* 100"):
        run_of(tmp_path, {"gaussian_hmm": {"units": [50, 300]}}, networks="shipped")
    card = json.loads((pretrained.folder("gaussian_hmm", "paper") / "card.json").read_text())
    assert card["fingerprint"] == fingerprint(registry.find("gaussian_hmm").with_prior("paper"))


def test_true_and_false_of_the_command_line_are_booleans(tmp_path):
    """Snakemake leaves them as text, in profiles as well."""
    for word, value in (("true", True), ("false", False)):
        assert run_of(tmp_path, cuda=word).config["cuda"] is value


def test_shipped_networks_are_validated_where_something_differs(tmp_path, monkeypatch):
    """Where settings or networks are others than those of the shipped validation, or one is asked for; else nowhere."""
    run = run_of(tmp_path, networks="shipped", priors=["paper", "reference"])
    assert run.validated == set(run.pairs())
    assert run_of(tmp_path, networks="shipped", seed=1).validated
    assert not run_of(tmp_path).validated and not run_of(tmp_path, networks="shipped", revalidate=True).validated
    for name, value in run.settings["validation"].items():
        settings = {"validation": run.settings["validation"] | {name: value + 1}}
        assert not run_of(tmp_path, networks="shipped", settings=settings).validated, name
    copy = tmp_path / "pretrained"
    shutil.copytree(pretrained.FOLDER, copy, ignore=shutil.ignore_patterns("*.zip", "*.keras"))
    metrics = read_json(copy / "paper" / "gaussian_hmm" / "metrics.json")
    write_json(copy / "paper" / "gaussian_hmm" / "metrics.json", metrics | {"sha256": "of others"})
    monkeypatch.setattr(pretrained, "FOLDER", copy)
    run = run_of(tmp_path, networks="shipped", priors=["paper", "reference"])
    assert run.validated == set(run.pairs()) - {("paper", "gaussian_hmm")}


def test_own_models_mix_with_pretrained_ones(tmp_path):
    """With networks=shipped they are trained, which is said; the others are taken as they come."""
    rows = ("a\tgaussian_hmm\tdemo:hmm_demo\t", f"b\t{WAITING}\tprior:1\t")
    run = run_of(tmp_path, rows=rows, networks="shipped", priors="reference")
    assert run.notes == ["No networks are shipped for waiting_2 (priors reference): they are trained here."]
    assert run.pairs() == [("reference", "gaussian_hmm"), ("reference", "waiting_2")]
    assert run.shipped("gaussian_hmm") == ["reference"] and run.trained("waiting_2") == ["reference"]
    assert bound_model(run.model("waiting_2", "reference")).name == "waiting_2"


def test_a_model_with_one_prior_runs_once(tmp_path):
    """One of the library in its own folder, one of the user's where the first report is."""
    rows = ("a\tgaussian_mixture\tdemo:gmm_demo\t", f"b\t{WAITING}\tprior:1\t")
    pairs = {}
    for priors in ("paper", "reference", ["paper", "reference"]):
        pairs[str(priors)] = run_of(tmp_path, rows=rows, priors=priors).pairs()
    both = [("paper", "gaussian_mixture"), ("paper", "waiting_2")]
    assert pairs["paper"] == pairs["['paper', 'reference']"] == both
    assert pairs["reference"] == [("paper", "gaussian_mixture"), ("reference", "waiting_2")]


def test_every_model_is_on_one_start_page(tmp_path):
    """Also those that have none of the priors that were asked for: on the first."""
    rows = ("a\tgaussian_mixture\tdemo:gmm_demo\t", "b\tgaussian_hmm\tdemo:hmm_demo\t", f"c\t{WAITING}\tprior:1\t")
    for priors in ("paper", "reference", ["paper", "reference"], ["reference", "paper"]):
        run = run_of(tmp_path, rows=rows, priors=priors)
        pages = {p: run.on_start_page(p) for p in run.priors}
        assert sorted(pair for page in pages.values() for pair in page) == sorted(run.pairs())
        assert all(p == page or p not in run.priors for page, shown in pages.items() for p, _ in shown)


def test_a_run_changes_models_without_python(tmp_path):
    changes = {"units": [50, 300], "observations": [1, 3], "hyperparameters": {"stay": [16.0, 4.0]}}
    run = run_of(tmp_path, {"gaussian_hmm": changes | {"recipe": {"flow": {"depth": 7}}}})
    model = bound_model(run.model("gaussian_hmm", "paper"))
    assert (model.units, model.observations) == ((50, 300), (1, 3))
    assert model.hyperparameters == {"stay": [16.0, 4.0], "mu_loc": [-1.5, 1.5], "mu_scale": 1.0}
    plain = run_of(tmp_path)
    known, changed = plain.recipe("gaussian_hmm"), run.recipe("gaussian_hmm")
    assert changed == known | {"flow": known["flow"] | {"depth": 7}}
    # nothing else is another: jobs of the other models have the same parameters
    assert run.model("gaussian_hmm", "paper") != plain.model("gaussian_hmm", "paper")
    assert run.model("gaussian_mixture", "paper") == plain.model("gaussian_mixture", "paper")
    smoke = run_of(tmp_path, {"gaussian_hmm": {"recipe": {"flow": {"depth": 7}}}}, preset="smoke")
    assert smoke.recipe("gaussian_hmm")["flow"]["depth"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gaussian_hm": {"units": [1, 2]}}, "models.yaml, gaussian_hm: unknown model; expected one of evidence_acc"),
        (
            {"gaussian_hmm": {"unit": [1, 2]}},
            "gaussian_hmm: unknown key unit; expected hyperparameters, observations",
        ),
        (
            {"gaussian_hmm": {"units": 50}},
            r"gaussian_hmm.units: 50; expected two whole numbers above 0, .*100, 200",
        ),
        ({"gaussian_hmm": {"units": [50, 20]}}, r"gaussian_hmm.units: \[50, 20\]; expected the smaller number first"),
        (
            {"gaussian_hmm": {"hyperparameters": {"sta": 1}}},
            "hyperparameters: unknown hyperparameter sta; expected st",
        ),
        ({"gaussian_hmm": {"hyperparameters": {"stay": 1}}}, r"stay: 1; expected the form of \[2.0, 2.0\]"),
        (
            {"gaussian_hmm": {"recipe": {"depth": 7}}},
            "gaussian_hmm.recipe: unknown key depth; expected classified",
        ),
        ({"gaussian_hmm": {"recipe": {"flow": {"depht": 7}}}}, "recipe.flow: unknown key depht; expected bins, bound"),
        (
            {"gaussian_hmm": {"recipe": {"summary": {"kind": "x"}}}},
            "summary.kind: 'x'; expected deep_set or recurrent",
        ),
        ({"gaussian_hmm": {"recipe": {"schedule": {"phases": 10}}}}, r"phases: 10; expected a list of \[steps, batch"),
    ],
)
def test_changes_that_make_no_sense_are_one_line(tmp_path, change, message):
    with pytest.raises(BadInput, match=message) as caught:
        run_of(tmp_path, change)
    assert "\n" not in str(caught.value)


def test_a_model_that_changes_while_a_run_goes_on_is_refused(tmp_path):
    """Its jobs would else be made of two declarations."""
    path = tmp_path / "waiting.py"
    path.write_text(Path(WAITING).read_text(encoding="utf-8"))
    run = run_of(tmp_path, rows=[f"b\t{path}\tprior:1\t"])
    path.write_text(path.read_text().replace("dist.Beta(8, 2)", "dist.Beta(4, 2)"))
    with pytest.raises(BadInput, match=r"waiting\.py: changed since this run was planned; expected the same file"):
        bound_model(run.model("waiting_2", "paper"))


def test_a_network_of_another_kind_is_replaced_whole():
    recipe = {"summary": {"kind": "deep_set", "depth": 2}, "flow": {"depth": 4, "bins": 8}, "local": None}
    changes = {"summary": {"kind": "recurrent", "width": 16}, "flow": {"depth": 6}}
    expected = {"summary": {"kind": "recurrent", "width": 16}, "flow": {"depth": 6, "bins": 8}, "local": None}
    assert merged(recipe, changes) == expected


def test_a_few_settings_are_changed_and_the_others_stay(tmp_path):
    """What comes with the project for thousands of data sets, over the preset; a bad value is named with its place."""
    preset = run_of(tmp_path).settings
    changes = yaml.safe_load(Path("config/thousands.yaml").read_text(encoding="utf-8"))
    run = run_of(tmp_path, **changes)
    assert run.settings == preset | changes["settings"] and run.settings["validation"] == preset["validation"]
    with pytest.raises(BadInput, match=r"settings\.abi\.proposals: .*expected"):
        run_of(tmp_path, settings={"abi": {"draws": 1000, "proposals": "many"}})
