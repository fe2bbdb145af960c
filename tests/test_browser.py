"""The page in Chromium, opened from its folder: what a visitor does, the numbers of Python, no request, no error."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from browser_cases import CHROMIUM, PAGE, cases, chain, lacking, person
from browser_visitor import Visitor
from matplotlib.image import imread

import amortmix as am
from amortmix import cli
from amortmix.browser.assemble import assemble
from amortmix.storage.files import BadInput

reason = lacking()
pytestmark = pytest.mark.skipif(reason is not None, reason=str(reason))

#: Bytes of a page with all networks that ship.
LARGEST = 25e6


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    found = assemble(tmp_path_factory.mktemp("site") / "page")
    assert sum(p.stat().st_size for p in found.parent.iterdir()) < LARGEST
    return found


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def visitor(browser, index):
    """One tab for several files, as a visitor keeps it."""
    found = Visitor(browser, index).ready()
    yield found
    found.leave()


def set_field(visitor, words, value):
    """A choice in the settings; the page fits anew."""
    details = visitor.tab.locator("#settings details")
    if details.get_attribute("open") is None:
        visitor.tab.locator("#settings summary").click()
    field = visitor.tab.locator("#settings label").filter(has_text=re.compile(f"^{words}"))
    field.locator("select").select_option(value)
    return visitor.fitted()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["clean", "anticipation", "missing", "semicolons", "people", "holes"])
def test_a_file_has_the_verdict_and_the_numbers_of_python(visitor, tmp_path, name):
    model, path, reading = cases(tmp_path)[name]
    assert visitor.drop(path) == ""
    nets = am.load(model, engine="exported")
    if by := reading.get("by"):
        fits = nets.fit_many(path, by=by)
        table = visitor.table("Save this table, with intervals")
        assert list(table["verdict"]) == list(fits.summary()["verdict"])
        np.testing.assert_allclose(table["log_evidence"], fits.summary()["log_evidence"], atol=2e-3)
        fit = next(iter(fits.values()))
    else:
        fit = nets.fit(path, draws=1000)
    shown = visitor.tab.inner_text("#result .verdict")
    assert shown.startswith(f"{fit.verdict}: ") and fit.reason[:40] in shown
    parameters, expected = visitor.table("Save parameters"), fit.summary()
    assert list(parameters.index) == list(expected.index)
    assert (np.abs(parameters - expected).max(axis=1) < 0.1 * expected["sd"]).all()
    assert len(visitor.table("Save draws")) == 1000
    states = visitor.table("Save states")
    np.testing.assert_allclose(states.filter(like="P("), fit.states().set_index("unit").filter(like="P("), atol=0.03)
    for note in fit.notes:
        assert note in visitor.tab.inner_text("#result")


@pytest.mark.parametrize("name", ["bad", "words", "empty", "workbook", "surplus", "codes_unknown"])
def test_a_wrong_file_is_one_line(visitor, tmp_path, name):
    model, path, reading = cases(tmp_path)[name]
    problem = visitor.drop(path)
    if reading:  # declared in Python; here the column of the codes is chosen
        problem = set_field(visitor, "column accumulator", reading["columns"]["accumulator"])
    with pytest.raises(BadInput) as expected:
        am.load(model, engine="exported").fit(path, **reading)
    said = re.sub(r"codes=.*", "a code for each value, in the fields below", str(expected.value))
    assert problem == said.replace(str(path), path.name)
    assert not visitor.tab.locator("#result").is_visible()


def test_columns_codes_and_units_are_mapped(visitor, tmp_path):
    """From a table that is refused to one that is fitted, by the fields of the page alone."""
    _, path, reading = cases(tmp_path)["names"]
    assert "no column accumulator" in visitor.drop(path).replace("no column rt, accumulator", "no column accumulator")
    assert "expected 1 (correct) or 2 (error)" in set_field(visitor, "column accumulator", "Correct")
    # a code for one value is none for the other, and two values of one code are said
    assert set_field(visitor, "0 is", "1").endswith("expected a value whose code is declared: 0")
    set_field(visitor, "unit", "0.001")
    assert set_field(visitor, "1 is", "1") == ""
    assert "0 and 1 of Correct are both 1 (correct)" in visitor.tab.inner_text("#result .verdict.care")
    set_field(visitor, "unit", "1")
    set_field(visitor, "0 is", "2")
    assert set_field(visitor, "unit", "0.001") == ""
    fit = am.load("evidence_accumulation", engine="exported").fit(path, draws=1000, **reading)
    assert (np.abs(visitor.table("Save parameters") - fit.summary()).max(axis=1) < 0.1 * fit.summary()["sd"]).all()


DROPPED = """
([name, text]) => {
  const found = new DataTransfer();
  found.items.add(new File([text], name));
  return found;
}
"""


def test_a_file_of_three_people_is_dropped(visitor, tmp_path):
    """Without a word about its columns: those of one person are told from those of another by `subject`."""
    path = cases(tmp_path)["people"][1]
    moved = visitor.tab.evaluate_handle(DROPPED, ["people.csv", path.read_text()])
    visitor.tab.dispatch_event("#drop", "drop", {"dataTransfer": moved})
    assert visitor.fitted() == ""
    rows = visitor.tab.locator("#people tbody tr")
    assert rows.count() == 3 and all(re.search("ABI|PSIS|MCMC", rows.nth(i).inner_text()) for i in range(3))


def test_wrong_columns_of_several_people_are_one_line(visitor, tmp_path):
    """Said once, above the opened fields that mend it; there is no table of people to save."""
    path = cases(tmp_path)["people"][1]
    pd.read_csv(path).rename(columns={"accumulator": "error"}).to_csv(path, index=False)
    assert "no column accumulator; expected rt, accumulator" in visitor.drop(path)
    assert visitor.tab.inner_text("#status") == "" and not visitor.tab.locator("#people").is_visible()
    assert set_field(visitor, "column accumulator", "error") == ""
    assert visitor.tab.locator("#people tbody tr").count() == 3


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_a_reader_has_to_judge_is_not_green(visitor, tmp_path):
    """One trial that decides the fit stands first, with the field that mends it; the verdict is that of Python."""
    path = tmp_path / "fast.csv"
    fast = person("C", 70)
    fast.loc[20, "rt"] = 0.012
    fast.to_csv(path, index=False)
    assert visitor.drop(path) == ""
    fit = am.load("evidence_accumulation", engine="exported").fit(path, draws=1000)
    assert fit.verdict == "PSIS" and "decides the fit alone" in fit.reason
    first, second = visitor.tab.locator("#result .verdict.care p").all_inner_texts()[:2]
    assert first.startswith("PSIS: ") and second.endswith("(the field “smallest that counts” of rt).")


def test_states_that_are_wrong_are_said_apart_from_parameters(visitor, tmp_path):
    """Adapted proposals correct parameters alone; those of the page are the same as in Python."""
    model, path, _ = cases(tmp_path)["shifted"]
    nets = am.load(model, engine="exported")
    visitor.drop(path)
    assert set_field(visitor, "model", nets.engine.model.title) == ""
    shown = visitor.tab.inner_text("#result .verdict.bad")
    assert shown.startswith("MCMC: use the parameters of this fit, not its states")
    assert "state probabilities are off" in shown and "exact ones" in shown
    expected = nets.fit(path, draws=1000).summary()
    assert (np.abs(visitor.table("Save parameters") - expected).max(axis=1) < 0.1 * expected["sd"]).all()


def test_each_of_several_files_is_a_data_set(visitor, tmp_path):
    for letter in "BC":
        person(letter, 70).to_csv(tmp_path / f"{letter}.csv", index=False)
    assert visitor.drop([tmp_path / "B.csv", tmp_path / "C.csv"]) == ""
    table = visitor.table("Save this table, with intervals")
    assert list(table.index) == ["B.csv", "C.csv"] and set(table["verdict"]) <= {"ABI", "PSIS", "MCMC"}


def test_a_number_that_cannot_be_is_refused_at_its_field(visitor, tmp_path):
    """And a decimal comma is a comma: 0,3 seconds are not 3."""
    assert visitor.drop(cases(tmp_path)["clean"][1]) == ""
    visitor.tab.locator("#settings summary").click()

    def typed(words, value):
        field = visitor.tab.locator("#settings label").filter(has_text=re.compile(f"^{words}")).locator("input")
        field.fill(value)
        field.press("Enter")
        return field.evaluate("field => field.validationMessage")

    assert "from 0 to" in typed("seed", "-1") and "whole number" in typed("seed", "1.5")
    assert all("to 10000; this is" in typed("posterior draws", n) for n in ("3", "100000"))
    assert typed("smallest that counts", "0,3") == "" and visitor.fitted() == ""
    assert "rt is below 0.3 in" in visitor.tab.inner_text("#result")


def test_many_rows(visitor, tmp_path):
    """Twenty people are a table of verdicts, and 10,000 rows of one are refused in one line."""
    frame = pd.concat([person("BCDEFGHIJK"[i % 10], 80).assign(subject=f"p{i:02d}") for i in range(20)])
    frame.to_csv(tmp_path / "twenty.csv", index=False)
    assert visitor.drop(tmp_path / "twenty.csv") == ""
    table = visitor.table("Save this table, with intervals")
    assert len(table) == 20 and set(table["verdict"]) <= {"ABI", "PSIS", "MCMC"}
    visitor.tab.get_by_role("button", name="p07", exact=True).click()
    visitor.tab.wait_for_selector("h2:has-text('p07')")
    pd.concat([person("F", 500)] * 20).to_csv(tmp_path / "long.csv", index=False)
    assert "more than 1200 units" in visitor.drop(tmp_path / "long.csv")


def test_an_example_in_one_click_by_keyboard(visitor):
    visitor.tab.get_by_role("button", name="a chain of two states", exact=True).press("Enter")
    assert visitor.fitted() == ""
    assert visitor.tab.inner_text("#result .verdict").startswith(("ABI", "PSIS"))
    visitor.tab.wait_for_selector("#predictive canvas")
    picture = visitor.saved("Save figure chain_states")
    assert picture.startswith(b"\x89PNG") and len(picture) > 5000


def test_pasted_rows(visitor):
    visitor.tab.locator("#paste summary").click()
    visitor.tab.fill("#pasted", chain(60).to_csv(index=False, sep="\t"))
    visitor.tab.click("#take")
    assert visitor.fitted() == "" and "60 units" in visitor.tab.inner_text("#result")


def test_a_tab_closed_midway_leaves_nothing_behind(browser, index, visitor, tmp_path):
    path = cases(tmp_path)["people"][1]
    other = Visitor(browser, index)
    other.tab.set_input_files("#file", path)  # before the networks are there
    other.tab.wait_for_selector("#status:has-text('Fitting')")
    other.tab.close()
    assert other.errors == []
    assert visitor.drop(path) == ""


@pytest.mark.parametrize("options", [{}, {"viewport": {"width": 375, "height": 700}, "color_scheme": "dark"}], ids=str)
def test_everybody_can_use_it(browser, index, options):
    """axe-core finds no serious fault, and nothing is wider than a phone."""
    found = Visitor(browser, index, bypass_csp=True, **options).ready()
    found.tab.get_by_role("button", name="three people", exact=True).click()
    assert found.fitted() == ""
    found.tab.wait_for_selector("#predictive canvas")
    picture = imread(io.BytesIO(found.saved("Save figure A_states")))  # on white in the dark too, and twice as fine
    width = found.tab.evaluate("document.querySelector('#result .chart').clientWidth")
    assert (picture[0, 0] == 1).all() and picture.shape[1] == 2 * width
    for details in ("#settings", "#words"):
        found.tab.locator(f"{details} summary").click()
    found.tab.evaluate((PAGE / "node_modules" / "axe-core" / "axe.min.js").read_text())
    faults = found.tab.evaluate("axe.run(document, {preload: false})")["violations"]
    assert [f["id"] for f in faults if f["impact"] in ("serious", "critical")] == []
    assert found.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found.leave()


def test_the_command_writes_a_page_of_ones_own_networks(browser, tmp_path, monkeypatch, capsys):
    am.load("gaussian_hmm", design="paper").save(tmp_path / "mine")
    monkeypatch.setattr("sys.argv", ["amortmix", "page", str(tmp_path / "mine"), "--out", str(tmp_path / "page")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code and "index.html" in capsys.readouterr().out
    found = Visitor(browser, tmp_path / "page" / "index.html").ready()
    chain().to_csv(tmp_path / "chain.csv", index=False)
    assert found.drop(tmp_path / "chain.csv") == ""
    expected = am.load(tmp_path / "mine").fit(tmp_path / "chain.csv", draws=1000)
    assert expected.verdict in found.tab.inner_text("#result .verdict")
    found.leave()
