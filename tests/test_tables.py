"""Tables, files and arrays become data sets; what is wrong with them is one line."""

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro import sample

from amortmix.model import registry, tables
from amortmix.model.columns import Choice, NonNegativeInteger, Positive
from amortmix.model.data import Data
from amortmix.model.mixture import Mixture
from amortmix.storage.files import BadInput

GAUSSIAN = registry.find("gaussian_hmm")
RACE = registry.find("evidence_accumulation")


def rate():
    return {"rate": sample("rate", dist.LogNormal(0, 1).expand([2]).to_event(1))}


COUNTS = Mixture(
    states=("few", "many"),
    prior=rate,
    emission=lambda p, x: dist.Poisson(p["rate"] * x["hours"]),
    columns={"count": NonNegativeInteger()},
    covariates={"hours": dist.LogNormal(0, 0.2)},
    units=(2, 50),
    observations=(1, 3),
)
FREE = COUNTS.changed(emission=lambda p: dist.Poisson(p["rate"]), covariates={})


def frame(**columns):
    return pd.DataFrame(columns)


RACE_FRAME = frame(rt=[0.5, 0.7, 0.4], accumulator=[1, 2, 1])
COUNT_FRAME = frame(unit=["b", "a", "b"], count=[3, 0, 2], hours=[1.5, 2.0, 1.5])


def test_units_are_in_the_order_of_their_first_row():
    """Rows of a unit need not be neighbours; labels are the user's own, and padding is masked and valid."""
    table = tables.read(GAUSSIAN, frame(unit=["b", "a", "b", "c"], y=[1.0, 2.0, 3.0, 4.0], other="ignored"))
    assert table.labels == ("b", "a", "c")
    np.testing.assert_array_equal(table.data.mask, [[1, 1], [1, 0], [1, 0]])
    np.testing.assert_array_equal(table.data.y[..., 0], [[1, 3], [2, 1], [4, 1]])
    assert table.data.x is None and table.data.y.dtype == np.float32


def test_codes_are_stored_as_numbers_of_the_model():
    table = tables.read(RACE, RACE_FRAME)
    np.testing.assert_allclose(table.data.y[:, 0], [[0.5, 1], [0.7, 0], [0.4, 1]])
    assert table.labels == (1, 2, 3)
    assert tables.read(RACE, RACE_FRAME.assign(unit=[5, 6, 7])).labels == (5, 6, 7)


def test_covariates_belong_to_units():
    table = tables.read(COUNTS, COUNT_FRAME)
    np.testing.assert_allclose(table.data.x, [[1.5], [2.0]])
    assert table.labels == ("b", "a")


def test_a_file_is_a_table(tmp_path):
    path = tmp_path / "mine.csv"
    RACE_FRAME.to_csv(path, index=False)
    for source in (path, str(path)):
        np.testing.assert_array_equal(tables.read(RACE, source).data.y, tables.read(RACE, RACE_FRAME).data.y)
    assert len(tables.read(RACE, path, rows=2).labels) == 2


def test_an_index_of_the_users_own_does_not_matter():
    found = tables.read(RACE, RACE_FRAME.set_index(pd.Index([9, 9, 3])))
    np.testing.assert_array_equal(found.data.y, tables.read(RACE, RACE_FRAME).data.y)


@pytest.mark.parametrize(
    ("model", "shape", "expected"),
    [
        (GAUSSIAN, (4,), (4, 1, 1)),
        (GAUSSIAN, (4, 3), (4, 3, 1)),
        (RACE, (4, 2), (4, 1, 2)),
        (RACE, (4, 1, 2), (4, 1, 2)),
    ],
)
def test_arrays(model, shape, expected):
    table = tables.read(model, np.ones(shape))
    assert table.data.y.shape == expected and table.data.mask.shape == expected[:2] and table.labels == (1, 2, 3, 4)
    assert tables.read(model, table) is table
    np.testing.assert_array_equal(tables.read(model, table.data).data.y, table.data.y)
    assert tables.read(model, Data(*table.data)).labels == table.labels


def test_columns_know_their_values():
    assert list(Positive(30).accepts(np.array([0, 1, 30, np.nan]))) == [False, True, False, False]
    assert list(NonNegativeInteger().accepts(np.array([0, 2, -1, 0.5]))) == [True, True, False, False]
    choice = Choice({1: 1.0, 2: 0.0})
    assert list(choice.accepts(np.array([1, 2, 0]))) == [True, True, False]
    assert list(choice.valid(np.array([1, 2, 0]))) == [True, False, True]
    assert choice.expected == "1 or 2" and Positive(30).expected == "a positive number below 30"


MISTAKES = {
    "no column": (RACE, frame(rt=[0.5]), "the table: no column accumulator; expected rt, accumulator"),
    "no unit": (GAUSSIAN, frame(y=[0.5]), "the table: no column unit; expected unit, y"),
    "no rows": (RACE, RACE_FRAME[:0], "the table: no rows of data; expected one for each observation"),
    "text": (RACE, frame(rt=[0.5, "fast"], accumulator=1), "the table, row 1: rt is 'fast'; expected a finite number"),
    "all missing": (RACE, frame(rt=[np.nan] * 2, accumulator=1), "the table: no row is an observation; expected at"),
    "infinite": (RACE, frame(rt=[np.inf, 0.5], accumulator=1), "the table, row 0: rt is inf; expected a finite number"),
    "negative": (RACE, frame(rt=[0.5, -0.5], accumulator=1), "the table, row 1: rt is -0.5; expected a response time"),
    "milliseconds": (RACE, frame(rt=[500.0], accumulator=1), "the table, row 0: rt is 500.0; expected a response time"),
    "code": (RACE, frame(rt=[0.5], accumulator=[0]), "the table, row 0: accumulator is 0; expected 1 (correct) or 2"),
    "fraction": (COUNTS, COUNT_FRAME.assign(count=[1, 0.5, 2]), "the table, row 1: count is 0.5; expected a count"),
    "no covariate": (COUNTS, COUNT_FRAME[["unit", "count"]], "the table: no column hours; expected unit, count"),
    "covariate differs": (
        COUNTS,
        COUNT_FRAME.assign(hours=[1, 2, 3]),
        "the table: hours differs within a unit; expected one value for each unit",
    ),
    "no label": (
        GAUSSIAN,
        frame(unit=[1, np.nan], y=1.0),
        "the table, row 1: unit is nan; expected the label of a unit",
    ),
    "unit twice": (RACE, RACE_FRAME.assign(unit=[1, 2, 1]), "the table, row 2: unit is 1; expected a label of its own"),
    "array of covariates": (
        COUNTS,
        np.ones((3, 1)),
        "an array has no covariates; expected a table with unit, count, hours",
    ),
    "shape": (RACE, np.ones((4, 3)), "data of shape (4, 3); expected numbers of shape (units, 2): rt, accumulator"),
    "empty": (GAUSSIAN, np.ones((0, 3)), "data of shape (0, 3); expected numbers of shape (units,) or"),
    "nan in an array": (GAUSSIAN, np.full(2, np.nan), "data: nothing was observed; expected a number that"),
    "code in an array": (RACE, np.array([[0.5, 2.0]]), "data at (0, 0): accumulator is 2; expected 1 (correct) or 2"),
    "infinite count": (FREE, np.array([1.0, np.inf]), "data at (1, 0): count is inf; expected a count"),
    "words": (GAUSSIAN, ["a", "b"], "data of type list; expected numbers of shape"),
    "nothing": (GAUSSIAN, None, "data of "),
    "no file": (RACE, "nowhere.csv", "nowhere.csv: no such file; expected a CSV file with rt, accumulator"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake):
    model, source, expected = MISTAKES[mistake]
    with pytest.raises(BadInput) as error:
        tables.read(model, source)
    message = str(error.value)
    assert message.startswith(expected) and "\n" not in message


@pytest.mark.parametrize("content", ["", 'a,b\n1,2,3\n"', "\x00\xff"], ids=["empty", "broken", "binary"])
def test_a_file_that_is_no_table_is_one_line(content, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(BadInput) as error:
        tables.read(RACE, path)
    assert str(error.value).startswith(f"{path}") and "\n" not in str(error.value)


def test_unobserved_units_between_others_are_missing_and_those_after_them_padding():
    model = registry.find("models/gaussian_scales.py")
    mask = np.array([[1.0], [0.0], [1.0], [0.0], [0.0]])
    read = tables.read(model, Data(np.ones((5, 1, 1)), mask)).data
    np.testing.assert_array_equal(read.exists, [1, 1, 1, 0, 0])
    np.testing.assert_array_equal(read.observed, mask[:, 0])
