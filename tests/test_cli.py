"""The command line: what a new user types, and one line for everything that cannot be."""

import shutil

import pandas as pd
import pytest
from typer.testing import CliRunner

from amortmix import cli
from amortmix.model import registry
from amortmix.storage import pretrained

TRIALS = "data/dutilh2011/dutilh_2010_subject_A.csv"


def run(monkeypatch, *arguments):
    """Exit code of a command as the shell sees it."""
    monkeypatch.setattr("sys.argv", ["amortmix", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_models_says_what_there_is(monkeypatch, capsys):
    assert run(monkeypatch, "models") == 0
    text = capsys.readouterr().out
    for row in pretrained.index():
        without = f"calibration error of the states {row.get('calibration_error')}; no density"
        quality = f"gap {row['gap']} nats" if row["gap"] is not None else without
        assert row["model"] in text and ", ".join(row["parameters"]) in text and quality in text


@pytest.mark.parametrize("command", ["models", "new", "check", "train", "validate", "fit"])
def test_every_command_has_help_with_an_example(command):
    text = CliRunner().invoke(cli.app, [command, "--help"]).output
    assert f"Example: amortmix {command}" in text


@pytest.mark.parametrize("options", [(), ("--simulator",)])
def test_a_new_model_is_one_that_runs(monkeypatch, tmp_path, options):
    assert run(monkeypatch, "new", "two_rates", *options, "--folder", tmp_path) == 0
    model = registry.find(tmp_path / "two_rates.py")
    assert model.name == "two_rates" and model.has_density == (not options)
    assert run(monkeypatch, "check", tmp_path / "two_rates.py") == 0


def test_fit_writes_a_file_and_tables_for_every_data_set(monkeypatch, tmp_path, capsys):
    pd.read_csv(TRIALS).iloc[:350].to_csv(tmp_path / "me.csv", index=False)
    code = run(
        monkeypatch, "fit", "evidence_accumulation", tmp_path / "me.csv", "--out", tmp_path / "out", "--draws", 200
    )
    said = capsys.readouterr().out
    assert code == 0 and said.count("me: ") == 1 and "networks: wide, for 60 to 1,200 units" in said
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"me.nc", "me_parameters.csv", "me_states.csv", "me.html", "me.ipynb", "summary.csv"}
    assert len(pd.read_csv(tmp_path / "out" / "me_states.csv")) == 350
    # another data set goes beside it; one of another model does not
    pd.read_csv(TRIALS).iloc[350:450].to_csv(tmp_path / "you.csv", index=False)
    fitted = ("--out", tmp_path / "out", "--draws", 200)
    assert run(monkeypatch, "fit", "evidence_accumulation", tmp_path / "you.csv", *fitted) == 0
    assert list(pd.read_csv(tmp_path / "out" / "summary.csv")["data set"]) == ["me", "you"]
    pd.DataFrame({"unit": range(60), "y": 0.5}).to_csv(tmp_path / "other.csv", index=False)
    assert run(monkeypatch, "fit", "gaussian_mixture", tmp_path / "other.csv", *fitted) == 1
    assert "of another model; expected another folder (--out)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit", "evidence_accumulation", "nowhere.csv"), "nowhere.csv: no such file; expected a CSV file with rt"),
        (("fit", "nobody", TRIALS), "no pretrained networks of 'nobody'; expected one of evidence_accumulation"),
        (("fit", "gaussian_hmm", TRIALS), "row 1: no column unit, y; expected unit, y"),
        (("fit", "gaussian_hmm", TRIALS, "--by", "who"), "no column 'who' to split by; expected one of pacc, rt"),
        (("fit", "gaussian_hmm", TRIALS, "--prior", "flat"), "under the prior 'flat'; expected paper or reference"),
        (("check", "nowhere.py"), "nowhere.py: no such file; expected a Python file that defines MODEL"),
        (("train", "nobody"), "unknown model 'nobody'; expected one of evidence_accumulation"),
        (("validate", "no/where"), "no/where: no card.json; expected a folder that amortmix.train wrote"),
        (("new", "2rates"), "model name '2rates'; expected letters, digits and '_'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(monkeypatch, capsys, arguments, words):
    assert run(monkeypatch, *arguments) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and words in lines[0]


def test_a_bad_value_of_a_part_names_file_and_row(monkeypatch, tmp_path, capsys):
    people = tmp_path / "people.csv"
    people.write_text("who,rt,accumulator\nb,0.5,1\nb,0.6,2\nb,0.7,7\n")
    assert run(monkeypatch, "fit", "evidence_accumulation", people, "--by", "who", "--out", tmp_path / "out") == 1
    assert f"data set b: {people}, row 4: accumulator is 7; expected 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_files_of_one_name_are_refused(monkeypatch, tmp_path, capsys):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        shutil.copy(TRIALS, tmp_path / folder / "me.csv")
    files = tmp_path / "first" / "me.csv", tmp_path / "second" / "me.csv"
    assert run(monkeypatch, "fit", "evidence_accumulation", *files, "--out", tmp_path / "out") == 1
    assert f"{files[1]}: a second data set named me; expected files whose names differ" in capsys.readouterr().err


def test_a_page_that_was_not_built_says_how(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("amortmix.browser.assemble.BUILT", tmp_path / "built")
    assert run(monkeypatch, "page", "--out", tmp_path / "page") == 1
    assert "make page" in capsys.readouterr().err and not (tmp_path / "page").exists()
