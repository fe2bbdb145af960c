"""Lists of data sets and their files: one clear line with file, row and expected form."""

from pathlib import Path

import numpy as np
import pytest

from amortmix.model import registry
from amortmix.storage.files import BadInput
from amortmix_paper import participants
from amortmix_paper.datasets import Dataset, Loader, read_datasets
from amortmix_paper.participants import find_participants, simulated_participants
from amortmix_paper.planned_models import Models

HEADER = "dataset\tcase\tsource\trows\n"
WAITING = "tests/workflow/waiting_2.py"


@pytest.fixture
def models(tmp_path):
    """The models of a run that changes none."""
    (tmp_path / "models.yaml").write_text("")
    return Models(tmp_path / "models.yaml")


def listed(tmp_path, models, *rows):
    """{name: Dataset} of a list with these rows."""
    path = tmp_path / "datasets.tsv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return read_datasets(path, models)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\tcase\n", "line 1: expected the tab-separated columns"),
        (HEADER + "x\tgaussian_hmm\n", "line 2: expected 4 tab-separated fields, found 2"),
        (HEADER + "x\tgaussian\tdemo:hmm_demo\t\n", "line 2: unknown model 'gaussian'; expected evidence_accumulation"),
        (HEADER + "x\tmy/model.py\tprior:1\t\n", "line 2: no such file my/model.py; expected a Python file"),
        (HEADER + "x\tgaussian_hmm\tnowhere\t\n", "line 2: source 'nowhere'; expected demo:NAME"),
        (HEADER + "x\tgaussian_hmm\tparticipant:L\t\n", "line 2: source 'participant:L'; expected demo:NAME"),
        (HEADER + "x\tgaussian_hmm\tdemo:other\t\n", "line 2: gaussian_hmm has no demo 'other'; expected one of hmm"),
        (HEADER + f"x\t{WAITING}\tdemo:other\t\n", "line 2: waiting_2 has no demo 'other'; expected prior:SEED"),
        (HEADER + "x\tgaussian_hmm\tdemo:hmm_demo\tall\n", "line 2: rows 'all'; expected nothing or a whole number"),
        (HEADER + "../x\tgaussian_hmm\tdemo:hmm_demo\t\n", "line 2: '../x' is no name"),
        (HEADER + 2 * "x\tgaussian_hmm\tdemo:hmm_demo\t\n", "line 3: 'x' is named twice"),
    ],
)
def test_bad_list(tmp_path, models, text, message):
    path = tmp_path / "datasets.tsv"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        read_datasets(path, models)


MINE = "mine\tgaussian_hmm\tprior:1"


@pytest.mark.parametrize(
    "content",
    [
        HEADER + MINE + "\t7\n",
        b"\xef\xbb\xbf" + (HEADER + MINE + "\t7").encode(),
        (HEADER + MINE + "\t7\n").encode("utf-16"),
        (HEADER + MINE + "\t7\n").replace("\n", "\r\n"),
        "dataset     case  source   rows\n\nmine  gaussian_hmm   prior:1     7   \n",
        HEADER.replace("rows", "rows\t\t") + "\n" + MINE + "\t7\t\t\n\t\t\n",
        HEADER.replace("rows", "rows\tby") + MINE + "\t7\n",
    ],
    ids=["plain", "mark", "UTF-16", "Windows", "spaces", "trailing tabs", "column by"],
)
def test_a_list_is_read_however_it_was_written(tmp_path, models, content):
    path = tmp_path / "datasets.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read_datasets(path, models) == {"mine": Dataset("mine", "gaussian_hmm", "prior:1", 7)}


@pytest.mark.parametrize("header", [HEADER, "dataset\tcase\tsource\n"])
def test_the_last_fields_may_be_missing(tmp_path, models, header):
    path = tmp_path / "datasets.tsv"
    path.write_text(header + MINE)
    assert read_datasets(path, models) == {"mine": Dataset("mine", "gaussian_hmm", "prior:1", None)}


def test_a_row_stands_for_every_person_of_its_file(tmp_path, models):
    """Each has a name, its own rows, and the first of them where the row of the list says how many."""
    people = tmp_path / "lab.csv"
    people.write_text("subject;unit;y\n7;1;0,5\nb;1;1\n7;2;-0,5\nb;2;2,5\n7;3;9\n")
    path = tmp_path / "datasets.tsv"
    path.write_text(f"{HEADER.strip()}\tby\nlab\tgaussian_hmm\tfile:{people}\t2\tsubject\n{MINE}\n")
    found = read_datasets(path, models)
    assert list(found) == ["lab_7", "lab_b", "mine"]
    assert found["lab_7"].part == ("subject", "7") and found["lab_7"].kind == "file"
    loader = Loader(registry.find("gaussian_hmm"))
    y = {name: loader.load(found[name], str(people))[0].data.y[:, 0, 0].tolist() for name in ("lab_7", "lab_b")}
    assert y == {"lab_7": [0.5, -0.5], "lab_b": [1, 2.5]}
    with pytest.raises(BadInput, match=r"lab\.csv: subject is never c; expected the file as it was"):
        loader.load(found["lab_b"]._replace(part=("subject", "c")), str(people))


def test_a_file_is_read_as_its_row_says(tmp_path, models):
    """Other names, sessions, and values that do not count, which keep their place."""
    people = tmp_path / "lab.csv"
    people.write_text("subject,unit,Y,block\n7,1,0.5,1\n7,2,-9,1\n7,3,1.5,2\nb,1,1,1\n")
    path = tmp_path / "datasets.tsv"
    reading = "columns=y=Y; sequence=block; keep=y:-5:"
    path.write_text(f"{HEADER.strip()}\tby\treading\nlab\tgaussian_hmm\tfile:{people}\t\tsubject\t{reading}\n{MINE}\n")
    found = read_datasets(path, models)
    table, _ = Loader(registry.find("gaussian_hmm")).load(found["lab_7"], str(people))
    assert table.data.observed.tolist() == [1, 0, 1] and table.data.sequence.tolist() == [1, 1, 2]
    assert table.data.y[[0, 2], 0, 0].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("source", "reading", "message"),
    [
        (
            "file:x.csv",
            "colour=red",
            "line 2: reading 'colour=red'; expected OPTION=VALUE; ..., options columns, codes",
        ),
        ("file:x.csv", "min_rt=fast", "line 2: 'fast'; expected a number of seconds"),
        ("file:x.csv", "keep=y:a:b", "line 2: --keep y:a:b; expected COLUMN:SMALLEST:LARGEST"),
        ("prior:1", "min_rt=0.1", "line 2: reading 'min_rt=0.1' of prior:1; expected it for a file only"),
    ],
)
def test_readings_that_cannot_be(tmp_path, models, source, reading, message):
    path = tmp_path / "datasets.tsv"
    path.write_text(f"{HEADER.strip()}\tby\treading\nlab\tgaussian_hmm\t{source}\t\t\t{reading}\n")
    with pytest.raises(BadInput, match=message):
        read_datasets(path, models)


@pytest.mark.parametrize(
    ("source", "by", "message"),
    [
        ("file:{}", "who", "line 2: .*lab.csv: no column 'who' to split by; expected one of subject, unit, y"),
        ("file:{}", "unit", r"line 2: .*lab.csv, row 3: no value of unit, by which rows are split"),
        ("file:{}", "subject", "line 2: 'a/b' cannot be part of a name; expected letters, digits"),
        ("file:nowhere.csv", "subject", "line 2: nowhere.csv: no such file; expected a CSV file with subject"),
        ("prior:1", "subject", "line 2: by 'subject' of prior:1; expected it for a file only"),
    ],
)
def test_people_that_cannot_be_split(tmp_path, models, source, by, message):
    people = tmp_path / "lab.csv"
    people.write_text("subject,unit,y\na/b,1,0.5\na/b,,1\n")
    path = tmp_path / "datasets.tsv"
    path.write_text(f"{HEADER.strip()}\tby\nlab\tgaussian_hmm\t{source.format(people)}\t\t{by}\n")
    with pytest.raises(BadInput, match=message):
        read_datasets(path, models)


DECLARATION = Path(WAITING).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MODEL = 3\n", r"broken\.py: no MODEL; expected MODEL = am\.Mixture"),
        ("import nothing_like_it\n", r"broken\.py, line 1: ModuleNotFoundError: No module named 'nothing_like_it'"),
        (
            DECLARATION.replace("units=(50, 80)", "units=(80, 50)"),
            r"broken\.py: waiting_2: units is \(80, 50\); expected",
        ),
        (DECLARATION.replace("name=", "nome="), r"broken\.py, line \d+: TypeError: .*nome"),
        (
            DECLARATION.replace("waiting_2", "gaussian_hmm"),
            "line 2: .* has the name gaussian_hmm, which a model of the",
        ),
        (
            DECLARATION.replace("waiting_2", "table1"),
            "line 2: .* has the name table1, which a page has; expected another",
        ),
    ],
)
def test_a_file_with_an_error_is_one_line(tmp_path, models, text, message):
    """It names the file and says what is expected there."""
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(BadInput, match=message) as caught:
        listed(tmp_path, models, f"x\t{path}\tprior:1\t")
    assert "\n" not in str(caught.value)


def test_two_files_of_one_name_are_refused(tmp_path, models):
    other = tmp_path / "other.py"
    other.write_text(DECLARATION)
    with pytest.raises(BadInput, match=rf"line 3: .*other\.py has the name waiting_2, as {WAITING} has; expected"):
        listed(tmp_path, models, f"x\t{WAITING}\tprior:1\t", f"y\t{other}\tprior:1\t")


def test_list_of_the_paper(models):
    datasets = read_datasets("config/datasets.tsv", models)
    assert len(datasets) == 24
    assert [d.source for d in datasets.values() if d.is_participant] == [f"participant:{x}" for x in "ABCDEFGHIJK"]
    simulated = simulated_participants(datasets)
    people = [n for n, d in simulated.items() if d.is_participant]
    assert people == [f"sim_{x}" for x in "ABCDEFGHIJK"]
    assert all(simulated[n].simulated and simulated[n].source == f"simulated:{n[-1]}" for n in people)


def test_names_say_nothing(tmp_path, models):
    """A participant is one by its source; data sets that are named like one are users' own, and stay."""
    own = ("sim_study", "dutilh_pilot_A", "exp1_A", "dutilh_C")
    rows = [f"{name}\tevidence_accumulation\tprior:{i}\t" for i, name in enumerate(own)]
    datasets = listed(tmp_path, models, *rows, "me\tevidence_accumulation\tparticipant:A\t400")
    assert [n for n, d in datasets.items() if d.is_participant] == ["me"]
    simulated = simulated_participants(datasets)
    assert list(simulated) == [*own, "sim_A"]
    assert all(simulated[name] == datasets[name] for name in own)


def test_a_participant_under_another_model_is_the_users(tmp_path, models):
    own = tmp_path / "waiting.py"
    own.write_text(DECLARATION)
    rows = ("dutilh_A\tevidence_accumulation\tparticipant:A\t400", f"waits_A\t{own}\tparticipant:A\t")
    datasets = listed(tmp_path, models, *rows)
    assert [n for n, d in datasets.items() if d.is_participant] == ["dutilh_A"]
    assert list(simulated_participants(datasets)) == ["sim_A", "sim_waits_A"]


def test_simulated_participants_do_not_replace_a_users_data_set(tmp_path, models):
    rows = ["sim_A\tgaussian_hmm\tprior:1\t", "dutilh_A\tevidence_accumulation\tparticipant:A\t400"]
    for order in (rows, rows[::-1]):
        assert set(simulated_participants(listed(tmp_path, models, *order))) == {"sim_A", "sim_dutilh_A"}
    rows.append("sim_dutilh_A\tgaussian_hmm\tprior:2\t")
    with pytest.raises(BadInput, match="sim_dutilh_A: also the name of a simulated participant; expected another name"):
        simulated_participants(listed(tmp_path, models, *rows))


def test_simulated_data_sets_have_their_truth():
    model = registry.find("gaussian_mixture")
    load = Loader(model).load
    table, (theta, z) = load(Dataset("gmm_demo", model.name, "demo:gmm_demo", None))
    assert table.labels == tuple(range(1, 201)) and table.data.y.shape == (200, 3, 1)
    np.testing.assert_array_equal(theta, model.demos["gmm_demo"]["theta"])
    table, (theta, z) = load(Dataset("x", model.name, "prior:3", None))
    assert theta.shape == (6,) and len(z) == len(table.data.y) == int(table.data.exists.sum())
    again, _ = load(Dataset("x", model.name, "prior:3", None))
    np.testing.assert_array_equal(table.data.y, again.data.y)


def test_participants_are_in_the_repository():
    """All eleven, with the right checksums: Table 1 needs no network."""
    found, trouble = find_participants("ABCDEFGHIJK", [participants.FOLDER], download=False)
    assert trouble is None and len(found) == 11
    model = registry.find("evidence_accumulation")
    item = Dataset("dutilh_C", model.name, "participant:C", 400)
    table, truth = Loader(model).load(item, found["C"])
    assert table.data.y.shape == (333, 1, 2) and truth is None


def test_wrong_checksum_names_the_file(tmp_path):
    (tmp_path / "dutilh_2010_subject_A.csv").write_text("pacc,rt,accumulator\n1,0.5,1\n")
    with pytest.raises(BadInput, match=r"subject_A\.csv: wrong checksum; expected SHA-256 c913491b"):
        find_participants(["A"], [tmp_path], download=False)


def test_missing_participants_say_what_was_tried(tmp_path, monkeypatch):
    """Without network: what was tried and what to do, and no exception."""
    found, trouble = find_participants(["A", "B"], [tmp_path / "none"], download=False)
    assert found == {} and "no data of participants A, B: looked in" in trouble
    assert "--config participants=simulated" in trouble
    monkeypatch.setattr(participants, "REPOSITORY", "http://127.0.0.1:9/")
    monkeypatch.setattr(participants, "FOLDER", tmp_path / "download")
    found, trouble = find_participants(["A"], [tmp_path / "none"], download=True)
    assert found == {} and "downloaded from http://127.0.0.1:9/ (failed: ConnectionError)" in trouble
    assert not list(tmp_path.glob("download/*.csv"))
