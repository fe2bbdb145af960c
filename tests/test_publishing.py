"""The copy of a run that is committed: what is kept, and that the published notebooks are whole."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amortmix.storage.files import BadInput
from amortmix_paper.publishing import COLORS, PICTURES, fewer_colors, publish

PUBLISHED = Path(__file__).parents[1] / "results/published"
NOTEBOOKS = sorted(PUBLISHED.glob("*/*/notebooks/*.ipynb"))
#: All published notebooks together, in bytes.
LIMIT = 15e6
#: Folders of a machine, which say nothing to a reader.
PLACE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|Users|check)/")


def picture(pixels):
    """Pixels (height, width, 3 or 4) as the bytes of a PNG."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "png")
    return written.getvalue()


def pixels_of(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def run(folder):
    """A run of one prior: a notebook with a picture, the pictures of the README, one fit, draws."""
    pixels = np.random.default_rng(1).integers(0, 2, (9, 8, 3), dtype=np.uint8) * 255
    shown = {"output_type": "display_data", "metadata": {}, "data": {}}
    shown["data"]["image/png"] = base64.b64encode(picture(pixels)).decode()
    cell = {"cell_type": "code", "metadata": {"papermill": {"start": "noon"}, "tags": ["x"]}, "outputs": [shown]}
    cell |= {"source": "plot()", "execution_count": 1}
    content = {"cells": [cell], "metadata": {"papermill": {"input_path": "/tmp/a"}}, "nbformat": 4, "nbformat_minor": 5}
    files = {"paper/notebooks/a.ipynb": json.dumps(content).encode(), "paper/m/fits/d/abi.nc": b"draws"}
    files |= {"paper/m/fits/d/comparison.json": b"{}", **dict.fromkeys(PICTURES, picture(pixels))}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return pixels


def test_a_copy_has_notebooks_and_numbers_and_no_draws(tmp_path):
    pixels, target = run(tmp_path / "run"), tmp_path / "copy"
    (target / "paper").mkdir(parents=True)
    (target / "paper" / "of_another_run.json").write_text("{}")
    publish(tmp_path / "run", target)
    copied = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    assert copied == {"paper/notebooks/a.ipynb", "paper/m/fits/d/comparison.json", *PICTURES}
    found = json.loads((target / "paper/notebooks/a.ipynb").read_text())
    assert found["metadata"] == {} and found["cells"][0]["metadata"] == {"tags": ["x"]}
    shown = base64.b64decode(found["cells"][0]["outputs"][0]["data"]["image/png"])
    np.testing.assert_array_equal(pixels_of(shown), pixels)  # eight colours are fewer than the palette has


def test_a_page_that_no_prior_changes_is_copied_once(tmp_path):
    run(tmp_path / "run")
    page = tmp_path / "run" / "paper/notebooks/a.ipynb"
    other = picture(np.full((3, 3, 3), 7, np.uint8))
    for name, content in {"a": page.read_bytes(), "b": page.read_bytes()}.items():
        (tmp_path / "run/reference/notebooks").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"run/reference/notebooks/{name}.ipynb").write_bytes(content)
    changed = json.loads(page.read_text(encoding="utf-8"))
    changed["cells"][0]["outputs"][0]["data"]["image/png"] = base64.b64encode(other).decode()
    (tmp_path / "run/paper/notebooks/b.ipynb").write_text(json.dumps(changed), encoding="utf-8")
    publish(tmp_path / "run", tmp_path / "copy")
    copied = {p.relative_to(tmp_path / "copy").as_posix() for p in (tmp_path / "copy").glob("*/notebooks/*")}
    assert copied == {"paper/notebooks/a.ipynb", "paper/notebooks/b.ipynb", "reference/notebooks/b.ipynb"}


@pytest.mark.parametrize("lost", ["paper/notebooks/a.ipynb", PICTURES[0]])
def test_an_unfinished_run_leaves_the_copy_as_it_is(tmp_path, lost):
    run(tmp_path / "run")
    (tmp_path / "run" / lost).unlink()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "there").write_text("")
    with pytest.raises(BadInput, match="run: no "):
        publish(tmp_path / "run", tmp_path / "copy")
    assert (tmp_path / "copy" / "there").exists()


def test_what_is_transparent_becomes_white():
    clear = np.zeros((4, 4, 4), np.uint8)
    assert (pixels_of(fewer_colors(picture(clear))) == 255).all()


def test_many_colors_become_near_ones():
    """A grey ramp of 256 values and its palette of as many colours."""
    ramp = np.repeat(np.arange(COLORS, dtype=np.uint8)[None, :, None], 3, axis=2)
    np.testing.assert_allclose(pixels_of(fewer_colors(picture(ramp))).astype(int), ramp, atol=2)


def test_published_notebooks_are_small():
    assert 0 < sum(p.stat().st_size for p in NOTEBOOKS) < LIMIT


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.relative_to(PUBLISHED).as_posix())
def test_a_published_notebook_was_executed_without_an_error(path):
    """And it names no folder of the machine that ran it."""
    text = path.read_text(encoding="utf-8")
    cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "code" and c["source"]]
    assert cells and all(c["execution_count"] for c in cells)
    assert not [o for c in cells for o in c["outputs"] if o["output_type"] == "error"]
    assert not PLACE.search(text)
