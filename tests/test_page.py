"""Pages of fits: the verdict first, everything inside the file, and whatever a name holds is text."""

import re
import warnings

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

import amortmix as am
from amortmix import cli
from amortmix.page import ADVICE, index, page


@pytest.fixture(scope="module")
def fits():
    """Two data sets of the Gaussian hidden Markov model, one of which has values that no state explains."""
    rng = np.random.default_rng(3)
    unit = np.repeat(range(1, 101), 3)
    y = rng.normal(np.where(unit % 9 < 5, -1.2, 1.1), 1)
    frames = {"good": pd.DataFrame({"unit": unit, "y": y}), "<b>bad</b>": pd.DataFrame({"unit": unit, "y": 50 * y})}
    frames["good"].loc[:2, "y"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return am.load("gaussian_hmm").fit_many(frames)


@pytest.mark.parametrize("name", ["good", "<b>bad</b>"])
def test_a_page_says_the_verdict_first_and_needs_no_other_file(fits, name):
    fit = fits[name]
    text = page(fit, name, {"gap_nats": {"mean": 0.04, "se": 0.01}})
    assert "<b>bad</b>" not in text and text.index(fit.verdict) < text.index("<img")
    assert ('"verdict good"' in text) == (fit.verdict in ("ABI", "PSIS"))
    assert ADVICE[fit.verdict].split(",")[0] in text and "0.040 ± 0.010 nats" in text
    assert not re.findall(r"(?:src|href)=.(?!data:)", text) and text.count("data:image/png;base64,") == 3
    for parameter, mean in fit.summary()["mean"].items():
        assert f"<th>{parameter}</th>" in text and f"<td>{mean:.4g}</td>" in text
    if fit.notes:
        assert "1 of them not observed" in text and "Not taken as an observation: y is empty in 3 rows" in text


def test_an_index_leads_to_every_page(fits):
    text = index(fits, {name: f"page{i}.html" for i, name in enumerate(fits)})
    assert 'href="page0.html">good</a>' in text and 'href="page1.html">&lt;b&gt;bad&lt;/b&gt;</a>' in text


def test_the_command_line_writes_pages(monkeypatch, tmp_path):
    frame = pd.DataFrame({"unit": np.repeat(range(1, 101), 2), "who": np.tile(["a", "b"], 100)})
    frame["y"] = np.random.default_rng(1).normal(size=200)
    frame.to_csv(tmp_path / "all.csv", index=False)
    out = tmp_path / "fits"
    for options, expected in (((), {"a.html", "b.html", "index.html"}), (("--no-pages",), set())):
        arguments = ["fit", "gaussian_hmm", str(tmp_path / "all.csv"), "--by", "who", "--out", str(out), *options]
        monkeypatch.setattr("sys.argv", ["amortmix", *arguments])
        with pytest.raises(SystemExit) as ended, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            cli.main()
        assert not ended.value.code
        assert {p.name for p in out.glob("*.html")} == expected
        for path in out.glob("*.html"):
            path.unlink()


def test_the_notebook_of_a_fit_runs_again_and_shows_the_same(monkeypatch, tmp_path):
    """What was run in this process is what a kernel finds, in the folder that the command line wrote."""
    frame = pd.DataFrame({"unit": np.repeat(range(1, 101), 2), "y": np.random.default_rng(1).normal(size=200)})
    frame.to_csv(tmp_path / "me.csv", index=False)
    arguments = ["fit", "gaussian_hmm", str(tmp_path / "me.csv"), "--out", str(tmp_path), "--prior", "paper"]
    monkeypatch.setattr("sys.argv", ["amortmix", *arguments])
    with pytest.raises(SystemExit) as ended, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        cli.main()
    assert not ended.value.code
    written = nbformat.read(tmp_path / "me.ipynb", as_version=4)
    nbformat.validate(written)
    again = nbformat.from_dict(written)
    NotebookClient(again, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert len(written.cells) == len(again.cells) > 8
    for ours, theirs in zip(written.cells, again.cells):
        assert ours.source == theirs.source
        for a, b in zip(ours.get("outputs", []), theirs.get("outputs", [])):
            assert a.output_type == b.output_type and a.get("text") == b.get("text")
            if "text/html" in a.get("data", {}):
                assert a.data["text/html"] == b.data["text/html"]
        assert any("image/png" in o.get("data", {}) for o in ours.get("outputs", [])) == ("plot" in ours.source)
