"""Many people: a table split by a column, what is wrong with one of them, and one table, figure and file of all."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import pyplot as plt

import amortmix as am
from amortmix import cli
from amortmix.inference.parts import read_parts
from amortmix.storage import files


def person(seed, n=120):
    """Two groups at -1.5 and 1.5 with standard deviation 1, three observations of each unit: (N, 3)."""
    generator = np.random.default_rng(seed)
    group = np.where(generator.random(n) < 0.5, -1.5, 1.5)
    return generator.normal(group[:, None], 1, (n, 3))


def rows(name, y):
    units = np.repeat(np.arange(1, len(y) + 1), y.shape[1])
    return pd.DataFrame({"subject": name, "unit": units, "y": y.ravel()})


@pytest.fixture(scope="module")
def nets():
    return am.load("gaussian_mixture", prior="paper", engine="exported", design="paper")


@pytest.fixture(scope="module")
def people():
    """Three people in one table, whose rows take turns."""
    return pd.concat([rows(name, person(seed)) for seed, name in enumerate("abc")]).sort_values("unit", kind="stable")


@pytest.fixture(scope="module")
def fits(nets, people):
    return nets.fit_many(people, by="subject", draws=200)


def test_each_person_has_the_fit_of_its_own_rows(nets, fits):
    assert list(fits) == ["a", "b", "c"] and not fits.problems
    alone = nets.fit(person(1), draws=200, seed=2)
    np.testing.assert_array_equal(fits["b"].theta, alone.theta)
    summary = fits.summary()
    assert list(summary.index) == ["a", "b", "c"]
    for name in alone.summary().index:
        for what in ("mean", "sd", "2.5%", "97.5%"):
            np.testing.assert_allclose(summary.loc["b", f"{name} {what}"], alone.summary().loc[name, what], rtol=1e-5)


def test_several_files_and_mappings_are_split_too(nets, people, tmp_path):
    for name, chosen in {"first": ["a", "b"], "second": ["c"]}.items():
        people[people["subject"].isin(chosen)].to_csv(tmp_path / f"{name}.csv", index=False)
    paths = [tmp_path / "first.csv", tmp_path / "second.csv"]
    for data in (paths, {path.stem: path for path in paths}):
        found = read_parts(nets.engine.model, data, by="subject")
        assert list(found.tables) == ["first_a", "first_b", "second_c"] and not found.problems
        np.testing.assert_allclose(found.tables["second_c"].data.y[..., 0], person(2), rtol=1e-6)
    with pytest.raises(am.BadInput, match=r"second data set named first; expected files whose names differ"):
        read_parts(nets.engine.model, [paths[0], paths[0]])


def test_one_bad_person_does_not_stop_the_others(nets, people, fits, tmp_path):
    """All problems are named, and the others have the fits that they would have had."""
    bad = people.assign(y=people["y"].where(people["subject"] != "b", np.inf))
    with pytest.warns(
        UserWarning, match=r"not fitted: 1 of 3 data sets\ndata set b: the table, row \d+: y is inf; exp"
    ):
        found = nets.fit_many(bad, by="subject", draws=200, folder=tmp_path / "fits")
    assert list(found) == ["a", "c"] and list(found.problems) == ["b"] and len(found.summary()) == 2
    np.testing.assert_array_equal(found["c"].theta, fits["c"].theta)
    assert {path.name for path in (tmp_path / "fits").iterdir()} == {"a.nc", "c.nc"}


def test_a_name_that_is_not_there_is_one_line_with_those_that_are(nets, people, fits):
    """And as in any mapping a KeyError, by which ``in`` and ``get`` are decided."""
    with pytest.raises(KeyError) as error:
        fits["d"]
    assert isinstance(error.value, am.BadInput) and str(error.value) == "no fit of 'd'; expected one of a, b, c"
    assert "d" not in fits and fits.get("d") is None and "a" in fits and fits.get("a").verdict
    with pytest.raises(am.BadInput) as error:
        fits["a"].states("smoothing")
    assert str(error.value) == "no state probabilities 'smoothing'; expected one of classification"
    bad = people.assign(y=people["y"].where(people["subject"] != "b", np.inf))
    with pytest.warns(UserWarning, match="not fitted"):
        found = nets.fit_many(bad, by="subject", draws=200)
    with pytest.raises(am.BadInput, match=r"^not fitted: data set b: the table, row \d+: y is inf"):
        found["b"]
    assert "b" not in found
    with pytest.raises(KeyError, match=r"no x 99; expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more$"):
        files.look_up(dict.fromkeys(range(12)), 99, "x")


def test_if_all_are_bad_each_has_its_line(nets, tmp_path):
    frame = pd.DataFrame({"subject": ["a", "b"], "unit": 1, "y": ["x", "z"]})
    with pytest.raises(am.BadInput) as error:
        nets.fit_many(frame, by="subject", folder=tmp_path / "fits")
    assert str(error.value).splitlines() == [
        "data set a: the table, row 0: y is 'x'; expected a finite number or nothing",
        "data set b: the table, row 1: y is 'z'; expected a finite number or nothing",
    ]
    assert not (tmp_path / "fits").exists()


@pytest.mark.parametrize(
    ("data", "by", "words"),
    [
        (rows("a", person(1)), "who", "the table: no column 'who' to split by; expected one of subject, unit, y"),
        (rows("a", person(1)), None, "the table: no column to split by is named; expected by=, one of subject, unit"),
        (rows("a", person(1)).assign(who=[None, *359 * "a"]), "who", "the table, row 0: no value of who, by which"),
        (rows("a", person(1))[["subject"]], "subject", "the table: no column unit, y; expected unit, y"),
        ([1.0, 2.0], None, "data sets of type list; expected files, a table with by=, or a mapping"),
        ({"x": person(1)}, "subject", "data set x: data of type ndarray to split by a column; expected a table or a"),
    ],
)
def test_what_cannot_be_split_is_one_line(nets, data, by, words):
    with pytest.raises(am.BadInput) as error:
        nets.fit_many(data, by=by)
    assert str(error.value).startswith(words) and "\n" not in str(error.value)


def test_one_file_of_all(fits, tmp_path):
    fits.save(tmp_path / "all.nc")
    tree = files.load_netcdf(tmp_path / "all.nc")
    assert list(tree["posterior"]["dataset"].values) == ["a", "b", "c"]
    names = list(fits["a"].tree["posterior"].data_vars)
    for place, fit in enumerate(fits.values()):
        draws = np.stack([tree["posterior"][name].values[place] for name in names], axis=-1)
        np.testing.assert_array_equal(draws, fit.theta)
        assert str(tree["summary"]["verdict"].sel(dataset="abc"[place]).values) == fit.verdict
    np.testing.assert_allclose(tree["summary"][f"{names[0]} mean"], tree["posterior"][names[0]].mean("draw"), rtol=1e-5)
    with xr.open_datatree(tmp_path / "all.nc", engine="netcdf4") as theirs:
        assert dict(theirs["posterior"].sizes) == {"dataset": 3, "draw": 200}


def test_one_figure_of_all(fits):
    """Every parameter has a panel; every data set a line from 2.5 to 97.5 % in each."""
    figure = fits.plot()
    summary, model = fits.summary(), fits["a"].model
    panels = [axis for axis in figure.axes if axis.get_visible()]
    assert len(panels) == len(model.parameters)
    for axis, name in zip(panels, model.parameter_names):
        ends = {tuple(line[:, 0]) for group in axis.collections for line in group.get_segments()}
        assert ends == set(zip(summary[f"{name} 2.5%"], summary[f"{name} 97.5%"]))
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["a", "b", "c"]
    plt.close(figure)


def test_a_figure_says_what_is_not_to_be_used(fits):
    from amortmix import plots

    summary = pd.concat([fits.summary()] * 30, ignore_index=True)
    summary.loc[:9, "verdict"] = "MCMC"
    figure = plots.forest(fits["a"].model, summary)
    assert figure.get_suptitle() == "10 of 90 are not to be used" and "MCMC" in [
        text.get_text() for text in figure.legends[0].get_texts()
    ]
    assert figure.axes[0].get_ylabel() == "90 data sets" and not figure.axes[0].get_yticklabels()
    plt.close(figure)


def command(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["amortmix", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_the_command_line_fits_the_good_ones_and_says_what_is_bad(monkeypatch, people, tmp_path, capsys):
    people.assign(y=people["y"].where(people["subject"] != "b", "?")).to_csv(tmp_path / "lab.csv", index=False)
    (tmp_path / "empty.csv").write_text("")
    options = ("--by", "subject", "--out", tmp_path / "out", "--draws", 100)
    assert command(monkeypatch, "fit", "gaussian_mixture", tmp_path / "lab.csv", tmp_path / "empty.csv", *options) == 1
    said = capsys.readouterr()
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2 and errors[0].startswith(f"error: data set empty: {tmp_path}/empty.csv: empty; expected")
    assert errors[1].startswith(f"error: data set lab_b: {tmp_path}/lab.csv, row ") and "y is '?'" in errors[1]
    assert "lab_a: " in said.out and "lab_c: " in said.out and "not fitted" not in said.err
    found = {path.name for path in (tmp_path / "out").iterdir()}
    each = {f"lab_{who}{end}" for who in "ac" for end in (".nc", ".html", ".ipynb", "_parameters.csv", "_states.csv")}
    assert found == each | {"summary.csv", "summary.png", "index.html"}
    assert list(pd.read_csv(tmp_path / "out" / "summary.csv")["data set"]) == ["lab_a", "lab_c"]


def test_people_of_one_file_have_the_names_that_python_gives_them(monkeypatch, people, tmp_path, capsys):
    """Also numbers with zeros in front; those of several files keep the name of theirs."""
    frame = people.assign(subject=people["subject"].map({"a": "007", "b": "b", "c": "c"}))
    frame.to_csv(tmp_path / "lab.csv", index=False)
    options = ("--by", "subject", "--out", tmp_path / "out", "--draws", 100, "--no-pages")
    assert command(monkeypatch, "fit", "gaussian_mixture", tmp_path / "lab.csv", *options) == 0
    fits = am.load("gaussian_mixture").fit_many(tmp_path / "lab.csv", by="subject", draws=100)
    assert list(fits) == ["007", "b", "c"] and "007: " in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out" / "summary.csv", dtype={"data set": str})
    assert list(table["data set"]) == list(fits)
    np.testing.assert_array_equal(am.load_fit(tmp_path / "out" / "007.nc").theta, fits["007"].theta)


def test_the_command_line_takes_other_names_and_codes(monkeypatch, tmp_path, capsys):
    generator = np.random.default_rng(3)
    rt, correct = 0.3 + generator.gamma(2, 0.1, 320), generator.random(320) < 0.8
    frame = pd.DataFrame({"RT": rt, "Correct": correct.astype(int)})
    frame.to_csv(tmp_path / "me.csv", index=False)
    options = ["--columns", "rt=RT", "--columns", "accumulator=Correct", "--out", tmp_path / "out", "--draws", 50]
    assert command(monkeypatch, "fit", "evidence_accumulation", tmp_path / "me.csv", *options) == 1
    assert f"row {2 + int(np.argmin(correct))}: accumulator is 0; expected 1 (correct)" in capsys.readouterr().err
    options += ["--codes", "accumulator:1=1,0=2"]
    assert command(monkeypatch, "fit", "evidence_accumulation", tmp_path / "me.csv", *options) == 0
    y = am.load_fit(tmp_path / "out" / "me.nc").tree["observed_data"]["y"].values[:, 0]
    np.testing.assert_allclose(y, np.column_stack([rt, correct]), rtol=1e-6)
