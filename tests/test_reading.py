"""Files as people have them are read; what cannot be read says in one line what it is and what to declare."""

import gzip

import numpy as np
import pandas as pd
import pytest

from amortmix.model import registry, tables
from amortmix.model.naming import codes_of, columns_of, scale_of
from amortmix.model.pooled import looks_like_an_id
from amortmix.storage.files import BadInput

RACE = registry.find("evidence_accumulation")
GAUSSIAN = registry.find("gaussian_hmm")

RT, CODES = [0.514, 1.25, 0.4, 2.0], [1, 2, 2, 1]
PLAIN = "rt,accumulator\n0.514,1\n1.25,2\n0.4,2\n2,1\n"
EUROPEAN = PLAIN.replace(",", ";").replace(".", ",")
#: y as the model keeps it: 1 for a correct answer and 0 for an error.
Y = np.column_stack([RT, [1, 0, 0, 1]]).astype(np.float32)


def read(tmp_path, content, model=RACE, name="me.csv", **reading):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tables.read(model, path, **reading)


def refused(tmp_path, content, model=RACE, name="me.csv", **reading):
    """The line of a refusal, behind the folder of the file."""
    with pytest.raises(BadInput) as error:
        read(tmp_path, content, model, name, **reading)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{tmp_path}/")


FILES = {
    "commas": PLAIN,
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "decimal commas": EUROPEAN,
    "decimal commas between tabs": EUROPEAN.replace(";", "\t"),
    "without a zero": EUROPEAN.replace("0,514", ",514"),
    "a line for Excel": "sep=;\n" + EUROPEAN,
    "a mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16": PLAIN.encode("utf-16"),
    "UTF-16, big": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "Latin-1": PLAIN.replace("\n", ",é\n").replace("accumulator,é", "accumulator,réponse").encode("latin-1"),
    "Windows": PLAIN.replace("\n", "\r\n"),
    "old Mac": PLAIN.replace("\n", "\r"),
    "trailing commas": PLAIN.replace("\n", ",,\n"),
    "trailing commas of the values": PLAIN.replace("\n", ",\n").replace("accumulator,", "accumulator"),
    "empty rows at the end": PLAIN + ",\n,\n\n",
    "blank lines": "\n\n" + PLAIN.replace("1.25", "\n  \n1.25") + "\n\n",
    "spaces": PLAIN.replace(",", " , "),
    "quotation marks": '"rt","accumulator"\n"0.514","1"\n"1.25","2"\n"0.4","2"\n"2","1"\n',
    "a value of two lines": PLAIN.replace("\n", ',"a\nb"\n'),
    "other columns": "age," + PLAIN.replace("\n", "\n33,").removesuffix("33,"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_table_is_read_however_it_was_written(name, tmp_path):
    table = read(tmp_path, FILES[name])
    np.testing.assert_array_equal(table.data.y[:, 0], Y)
    assert table.labels == (1, 2, 3, 4)


def test_a_compressed_file_is_read(tmp_path):
    np.testing.assert_array_equal(read(tmp_path, gzip.compress(PLAIN.encode()), name="me.csv.gz").data.y[:, 0], Y)
    assert refused(tmp_path, PLAIN, name="me.csv.gz").startswith("me.csv.gz: cannot be read (Not a gzipped file")


def test_labels_and_thousands_stay_what_they_are(tmp_path):
    text = "unit;y\nMüller;1,5\n007;-2,25\n1,5;3e-1\n"
    table = read(tmp_path, text.encode("latin-1"), GAUSSIAN)
    assert table.labels == ("Müller", "007", "1,5")
    np.testing.assert_array_equal(table.data.y[:, 0, 0], np.float32([1.5, -2.25, 0.3]))
    assert refused(tmp_path, "unit\ty\n1\t1,234\n", GAUSSIAN) == (
        "me.csv, row 2: y is '1,234'; expected a finite number or nothing"
    )
    assert read(tmp_path, "unit\ty\n1\t1,234\n2\t0,5\n", GAUSSIAN).data.y[0, 0, 0] == np.float32(1.234)


def test_rows_are_counted_as_in_an_editor(tmp_path):
    lines = PLAIN.splitlines()
    bad = "\n".join(["", lines[0], "", *lines[1:3], "", "", "-0.2,1", ""])
    assert refused(tmp_path, bad).startswith("me.csv, row 8: rt is -0.2; expected a response time")
    quoted = 'rt,accumulator,note\n0.5,1,"one\ntwo\n\nfour"\n0.5,1,\n0.5,7,\n'
    assert refused(tmp_path, quoted).startswith("me.csv, row 7: accumulator is 7; expected 1 (correct) or 2 (error)")
    assert refused(tmp_path, "\n\nRT\n0.5\n").startswith("me.csv, row 3: no column rt, accumulator;")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("rt|accumulator\n0.5|1\n", "columns found: 'rt|accumulator' (separated by '|'? expected commas, semicolons"),
        ("rt accumulator\n0.5 1\n", "columns found: 'rt accumulator' (separated by spaces? expected commas"),
        ("RT,Correct\n0.5,1\n", "columns found: 'RT', 'Correct'; perhaps columns={\"rt\": \"RT\"} (--columns rt=RT)"),
        ("rt,accumulator,rt\n1,1,1\n", "row 1: 2 columns rt; expected one"),
        ("rt,accumulator\n0,514,1\n", "row 2: 3 values; expected 2 as in row 1: 'rt', 'accumulator' (decimal commas"),
        ("rt;accumulator\n0,514;1\n0.6;1\n", "row 3: rt is '0.6', and others have decimal commas; expected one of"),
        ('rt,accumulator\n0.5,1\n"0.6,1\n', "row 3: a quotation mark that is not closed; expected pairs"),
        ("rt;accumulator\n1.234,5;1\n", "row 2: rt is '1.234,5'; expected a finite number"),
        (b"\xff\xfer\x00t\x00\x00", "not a text file; expected CSV in UTF-8, UTF-16"),
        (b"PK\x03\x04 and more", "a file of Excel or an archive; expected CSV: save the sheet as CSV"),
        ("\n \n", "empty; expected a CSV file with rt, accumulator"),
    ],
)
def test_what_cannot_be_read_says_what_was_found(content, words, tmp_path):
    assert words in refused(tmp_path, content)


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        tables.read(RACE, tmp_path)


@pytest.mark.parametrize(
    ("mark", "reader", "name"), [(b"PAR1", "read_parquet", "Parquet"), (b"ARROW1", "read_feather", "Feather")]
)
def test_tables_of_pyarrow(mark, reader, name, tmp_path, monkeypatch):
    """As pandas reads them; without pyarrow, or damaged, a line says so."""

    def without(file):
        raise ImportError("Missing optional dependency 'pyarrow'")

    def damaged(file):
        raise ValueError("Could not open file\nmore")

    frame = pd.DataFrame({"rt": RT, "accumulator": CODES}, index=pd.Index(range(4)))
    monkeypatch.setattr(pd, reader, lambda file: frame)
    np.testing.assert_array_equal(read(tmp_path, mark).data.y[:, 0], Y)
    monkeypatch.setattr(pd, reader, lambda file: frame.assign(rt=[1, 1, -1, 1]).set_index("rt"))
    assert refused(tmp_path, mark).startswith("me.csv, row 3: rt is -1; expected a response time")
    monkeypatch.setattr(pd, reader, without)
    assert refused(tmp_path, mark) == f"me.csv: a {name} file, which needs pyarrow: pip install pyarrow"
    monkeypatch.setattr(pd, reader, damaged)
    assert refused(tmp_path, mark) == f"me.csv: damaged, not a {name} file (Could not open file)"


NAMED = "Trial,RT,Correct\n1,0.514,{}\n2,1.25,{}\n3,0.4,{}\n4,2,{}\n"
COLUMNS = {"rt": "RT", "accumulator": "Correct"}


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ((1, 0, 0, 1), {1: 1, 0: 2}),
        ((1, 0, 0, 1), {"1": 1, "0": 2}),
        ((1.0, 0.0, 0.0, 1.0), {"1": "1", "0": "2"}),
        (("TRUE", "FALSE", "FALSE", "TRUE"), {True: 1, False: 2}),
        (("True", "False", "False", "True"), {"TRUE": 1, "FALSE": 2}),
        (("right", "wrong", "wrong", "right"), {"right": 1, "wrong": 2, "late": None}),
    ],
)
def test_other_names_and_codes_are_declared(values, codes, tmp_path):
    reading = {"columns": COLUMNS, "codes": {"accumulator": codes}}
    np.testing.assert_array_equal(read(tmp_path, NAMED.format(*values), **reading).data.y[:, 0], Y)
    frame = pd.read_csv(tmp_path / "me.csv")
    np.testing.assert_array_equal(tables.read(RACE, frame, **reading).data.y[:, 0], Y)
    assert list(frame.columns) == ["Trial", "RT", "Correct"]


def test_a_column_that_is_declared_stands_before_one_of_the_models_name(tmp_path):
    text = PLAIN.replace("\n", ",9\n").replace("accumulator,9", "accumulator,ms")
    assert refused(tmp_path, text, columns={"rt": "seconds"}).startswith(
        "me.csv, row 1: no column seconds, which is declared to be rt; columns found: 'rt', 'accumulator', 'ms'"
    )
    np.testing.assert_array_equal(read(tmp_path, text, columns={"rt": "ms"}).data.y[:, 0, 0], 9)
    swapped = PLAIN.replace("rt,accumulator", "accumulator,rt")
    found = read(tmp_path, swapped, columns={"rt": "accumulator", "accumulator": "rt"})
    np.testing.assert_array_equal(found.data.y[:, 0], Y)


@pytest.mark.parametrize("values", [(1, 0, 0, 1), ("TRUE", "FALSE", "FALSE", "TRUE"), ("right", "wrong", "wrong", "x")])
def test_codes_are_never_guessed(values, tmp_path):
    said = refused(tmp_path, NAMED.format(*values), columns=COLUMNS)
    row = 3 if values[0] == 1 else 2
    assert said.startswith(f"me.csv, row {row}: accumulator is ") and "expected 1 (correct) or 2 (error), or " in said
    assert said.endswith('codes={"accumulator": {VALUE: CODE, ...}} (--codes accumulator:VALUE=CODE,...)')


def test_truth_values_are_no_numbers(tmp_path):
    frame = pd.DataFrame({"unit": [1, 2], "y": [True, 0.5]})
    for column in (frame["y"], frame["y"].astype(bool)):
        with pytest.raises(BadInput, match="the table, row 0: y is True; expected a finite number, or codes="):
            tables.read(GAUSSIAN, frame.assign(y=column))


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ({"columns": {"RT": "rt"}}, "columns: 'RT' is not one of the model; expected rt, accumulator"),
        ({"columns": {"rt": "rt", "accumulator": "rt"}}, "columns: rt, accumulator are one column of the table"),
        ({"codes": {"answer": {1: 1}}}, "codes: 'answer' is not one of the model; expected rt or accumulator"),
        ({"codes": {"accumulator": {1: 7}}}, "codes: accumulator 1 becomes 7; expected 1 (correct) or 2 (error)"),
        ({"codes": {"accumulator": {1: "one"}}}, "codes: accumulator 1 becomes 'one'; expected 1 (correct)"),
        ({"codes": {"accumulator": [1, 2]}}, "codes: accumulator is [1, 2]; expected {value in the table: code"),
        (
            {"codes": {"accumulator": {1: 1}}},
            "me.csv, row 3: accumulator is 2; expected a value whose code is declared",
        ),
    ],
)
def test_a_declaration_that_cannot_be_is_one_line(reading, words, tmp_path):
    assert refused(tmp_path, PLAIN, **reading).startswith(words)


def test_declarations_are_for_tables():
    with pytest.raises(BadInput, match="columns, codes or scale of a ndarray; expected a table or a file for them"):
        tables.read(RACE, Y, columns=COLUMNS)


def test_declarations_of_the_command_line():
    assert columns_of(["rt=RT", "unit=a=b"]) == {"rt": "RT", "unit": "a=b"}
    assert codes_of(["a:right=1,wrong=2,late=", "b:x:y=0"]) == {
        "a": {"right": "1", "wrong": "2", "late": None},
        "b": {"x:y": "0"},
    }
    assert columns_of(["rt=RT,accumulator=ACC"]) == {"rt": "RT", "accumulator": "ACC"}
    for option in ("rt", "=RT", "rt="):
        with pytest.raises(BadInput, match="expected the model's name and the table's, as in rt=RT"):
            columns_of([option])
    for option in ("a", "a:", "a:1", "a:=1", ":1=1"):
        with pytest.raises(BadInput, match="expected COLUMN:VALUE=CODE"):
            codes_of([option])


PEOPLE = pd.DataFrame({"rt": RT, "accumulator": CODES})


@pytest.mark.parametrize(
    "name", ["subject", "Subject_ID", "participant.nr", "id", "subj", "session", "Block", "animal"]
)
def test_people_are_never_pooled_in_silence(name, tmp_path):
    people = PEOPLE.assign(**{name: ["a", "a", "b", "b"]})
    with pytest.raises(BadInput) as error:
        tables.read(RACE, people)
    sessions = f'expected sequence="{name}" (--sequence {name}) if they are sessions of one person'
    expected = f'column {name} has 2 values; {sessions}, or by="{name}" (--by {name}) for one fit each'
    assert str(error.value) == f"the table: {expected}"
    assert expected in refused(tmp_path, people.to_csv(index=False))
    assert len(tables.read(RACE, people, rows=2).labels) == 2  # of one person


def test_what_is_no_person_is_not_refused():
    tables.read(RACE, PEOPLE.assign(subject="a", id=range(4), condition=[1, 1, 2, 2], trial=[1, 2, 3, 4]))
    units = pd.DataFrame({"unit": [1, 1, 2, 2], "subject": ["a", "a", "b", "b"], "y": RT})
    assert tables.read(GAUSSIAN, units).labels == (1, 2)
    assert not any(map(looks_like_an_id, ["trial", "grid", "valid", "rt", "condition", "stimulus_id", 3, "unit"]))


@pytest.mark.parametrize("name", ["Trial", "TRIAL", "trial", "Unit"])
def test_numbers_of_trials_count_however_their_column_is_written(name):
    """Trials 3 and 4 were not observed: they stand between the others, and nothing is joined."""
    table = tables.read(RACE, PEOPLE.assign(**{name: [1, 2, 5, 6]}))
    assert table.labels == (1, 2, 3, 4, 5, 6)
    assert table.data.observed.tolist() == [1, 1, 0, 0, 1, 1]


def test_milliseconds_become_seconds(tmp_path):
    """Limits are in the unit of the model; what is no number is refused as it was written."""
    milliseconds = "rt;accumulator\n514,0;1\n1250;2\n400;2\n2000;1\n"
    table = read(tmp_path, milliseconds, scale={"rt": 0.001}, min_rt=0.45)
    assert table.data.observed.tolist() == [1, 1, 0, 1]
    np.testing.assert_allclose(table.data.y[[0, 1, 3], 0, 0], [0.514, 1.25, 2.0], rtol=1e-6)
    line = refused(tmp_path, milliseconds.replace("1250", "late"), scale={"rt": 0.001})
    assert line == "me.csv, row 3: rt is 'late'; expected a finite number or nothing"
    for scale in ({"accumulator": 2.0}, {"time": 2.0}, {"rt": 0}, {"rt": "ms"}):
        assert "scale of" in refused(tmp_path, PLAIN, scale=scale)
    assert scale_of(["rt=0.001"]) == {"rt": 0.001}
    with pytest.raises(BadInput, match="--scale rt; expected COLUMN=FACTOR"):
        scale_of(["rt"])


def test_a_word_among_numbers_is_declared_alone(tmp_path):
    """ "miss" says that there is no response time; all numbers are themselves."""
    table = read(tmp_path, PLAIN.replace("1.25", "miss"), codes={"rt": {"miss": None}})
    assert table.data.observed.tolist() == [1, 0, 1, 1]
    np.testing.assert_allclose(table.data.y[[0, 2, 3], 0, 0], [0.514, 0.4, 2.0], rtol=1e-6)
    line = refused(tmp_path, PLAIN.replace("1.25", "late"), codes={"rt": {"miss": None}})
    assert "rt is 'late'; expected a value whose code is declared: miss" in line
