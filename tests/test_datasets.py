"""Data sets and bad input: one clear line with file, row and expected form."""

import numpy as np
import pytest
from amortmix import data as data_module
from amortmix.cases import get_case
from amortmix.data import find_participants, read_datasets, read_table, simulated_participants
from amortmix.io import BadInput

HEADER = "dataset\tcase\tsource\trows\n"


def trials(path, change=lambda lines: lines, n=40):
    rng = np.random.default_rng(1)
    lines = ["pacc,rt,accumulator"] + [f"3,{0.3 + rng.exponential(0.3):.3f},{1 + i % 2}" for i in range(n)]
    path.write_text("\n".join(change(lines)) + "\n")
    return path


def test_reads_trials(tmp_path):
    data = read_table(get_case("evidence_accumulation"), trials(tmp_path / "a.csv"), rows=30)
    assert data.y.shape == (30, 1, 2) and data.mask.all()
    np.testing.assert_array_equal(data.y[:4, 0, 1], [1, 0, 1, 0])  # accumulator 1 is correct


def test_reads_units_of_different_size(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("unit,y\n" + "".join(f"{i},{i + j / 10}\n" for i in range(25) for j in range(2 + i % 2)))
    data = read_table(get_case("gaussian_hmm"), path)
    assert data.y.shape == (25, 3, 1)
    np.testing.assert_array_equal(data.mask.sum(1), [2 + i % 2 for i in range(25)])
    np.testing.assert_allclose(data.y[1, :, 0], [1.0, 1.1, 1.2])


def replaced(row, text):
    def change(lines):
        lines[row] = text
        return lines

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced(0, "pacc,time,accumulator"), r"a\.csv, row 1: no column rt; expected rt, accumulator"),
        (replaced(4, "3,,1"), r"a\.csv, row 5: rt is nan; expected a finite number"),
        (replaced(4, "3,fast,1"), r"a\.csv, row 5: rt is 'fast'; expected a finite number"),
        (replaced(7, "3,-0.2,1"), r"a\.csv, row 8: rt is .*-0\.2.*; expected a positive response time in seconds"),
        (replaced(7, "3,0,1"), r"a\.csv, row 8: rt is .*; expected a positive response time"),
        (replaced(9, "3,512,1"), r"a\.csv, row 10: rt is .*512.*; expected .*\(is it in milliseconds\?\)"),
        (replaced(9, "3,0.5,3"), r"a\.csv, row 10: accumulator is .*3.*; expected 1 \(correct\) or 2 \(error\)"),
        (lambda lines: lines[:10], r"a\.csv: 9 units after row 1; expected at least 20"),
    ],
)
def test_bad_trials(tmp_path, change, message):
    path = trials(tmp_path / "a.csv", change)
    with pytest.raises(BadInput, match=message) as error:
        read_table(get_case("evidence_accumulation"), path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\tcase\n", "line 1: expected the tab-separated columns"),
        (HEADER + "x\tgaussian_hmm\n", "line 2: expected 4 tab-separated fields, found 2"),
        (HEADER + "x\tgaussian\tdemo:hmm_demo\t\n", "line 2: unknown case study 'gaussian'"),
        (HEADER + "x\tgaussian_hmm\tnowhere\t\n", "line 2: source 'nowhere'; expected demo:NAME"),
        (HEADER + "x\tgaussian_hmm\tdemo:other\t\n", "line 2: gaussian_hmm has no demo 'other'"),
        (HEADER + "x\tgaussian_hmm\tdemo:hmm_demo\t3\n", "line 2: rows '3'; expected nothing or a whole number"),
        (HEADER + "../x\tgaussian_hmm\tdemo:hmm_demo\t\n", "line 2: '../x' is no name"),
        (HEADER + 2 * "x\tgaussian_hmm\tdemo:hmm_demo\t\n", "line 3: 'x' is named twice"),
    ],
)
def test_bad_list(tmp_path, text, message):
    path = tmp_path / "datasets.tsv"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        read_datasets(path)


def test_list_of_the_paper():
    datasets = read_datasets("config/datasets.tsv")
    assert len(datasets) == 13
    simulated = simulated_participants(datasets)
    assert [n for n in simulated if n.startswith("sim_")] == [f"sim_{x}" for x in "ABCDEFGHIJK"]
    assert not any(n.startswith("dutilh_") for n in simulated)
    assert all(simulated[f"sim_{x}"].simulated for x in "ABCDEFGHIJK")


def test_wrong_checksum_names_the_file(tmp_path):
    (tmp_path / "dutilh_2010_subject_A.csv").write_text("pacc,rt,accumulator\n1,0.5,1\n")
    with pytest.raises(BadInput, match=r"subject_A\.csv: wrong checksum; expected SHA-256 c913491b"):
        find_participants(["A"], [tmp_path], download=False)


def test_missing_participants_say_what_was_tried(tmp_path, monkeypatch):
    """Without network: what was tried and what to do, and no exception."""
    found, trouble = find_participants(["A", "B"], [tmp_path / "none"], download=False)
    assert found == {} and "no data of participants A, B: looked in" in trouble
    assert "--config participants=simulated" in trouble
    monkeypatch.setattr(data_module, "REPOSITORY", "http://127.0.0.1:9/")
    monkeypatch.setattr(data_module, "DOWNLOAD_FOLDER", tmp_path / "download")
    found, trouble = find_participants(["A"], [tmp_path / "none"], download=True)
    assert found == {} and "downloaded from http://127.0.0.1:9/ (failed: ConnectionError)" in trouble
    assert not list(tmp_path.glob("download/*.csv"))
