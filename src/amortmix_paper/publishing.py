"""The small copy of a run that is committed: its executed notebooks, and its numbers.

`make publish` runs this module on ``results/RUN`` and ``results/published/RUN``. Pictures are kept in the notebooks
that show them, with a palette of 256 colours, a third of their bytes; only those that the README shows are files. A
page whose pictures are those of the same page under another prior is copied once.
"""

import base64
import io
import json
import re
import shutil
import sys
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from amortmix.storage.files import BadInput

#: Files of a run that are copied as they are, below the folder of its prior.
NUMBERS = ("tables/*", "*/networks/card.json", "*/networks/history.csv", "*/validation/metrics.json")
NUMBERS += ("*/fits/*/comparison.json",)
#: Pictures of the README and of the page of results.
PICTURES = ("paper/figures/gaussian_hmm/fig11_states_hmm_demo.png", "paper/figures/table1/c2st.png")
NOTEBOOKS = "notebooks/*.ipynb"
COLORS = 256
#: A link to a page beside this one.
PAGE = re.compile(r'href="(\w+)\.html"')


def publish(run, target):
    """Replace ``target`` by the copy of a run.

    Parameters
    ----------
    run, target : Path
        Folders whose subfolders are priors.

    Raises
    ------
    BadInput
        If the run has no executed notebook, or lacks a picture of the README; nothing is changed then.
    """
    found, seen = {}, set()
    for path in sorted(run.glob(f"*/{NOTEBOOKS}")):
        content = small(path)
        shown = (path.name, *pictures_of(content))
        # pages of saved results are the same under every prior
        if len(shown) == 1 or shown not in seen:
            found[path.relative_to(run)] = content
        seen.add(shown)
    if not found:
        raise BadInput(f"{run}: no executed notebook; expected a finished run, PRIOR/{NOTEBOOKS}")
    for picture in map(Path, PICTURES):
        if not (run / picture).exists():
            raise BadInput(f"{run}: no {picture}, which the README shows")
        found[picture] = fewer_colors((run / picture).read_bytes())
    found |= {p.relative_to(run): p.read_bytes() for kept in NUMBERS for p in sorted(run.glob(f"*/{kept}"))}
    shutil.rmtree(target, ignore_errors=True)
    for name, content in found.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)


def small(path):
    """An executed notebook as bytes: pictures of few colours, without paths and times of the machine that ran it.

    Parameters
    ----------
    path : Path
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"].pop("papermill", None)
    for cell in notebook["cells"]:
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k not in ("papermill", "execution")}
        for output in cell.get("outputs", ()):
            shown = output.get("data", {})
            if "text/html" in shown:  # pages are notebooks here
                shown["text/html"] = PAGE.sub(r'href="\1.ipynb"', "".join(shown["text/html"]))
            if "image/png" in shown:
                picture = fewer_colors(base64.b64decode("".join(shown["image/png"])))
                shown["image/png"] = base64.b64encode(picture).decode()
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def pictures_of(content):
    """Pictures of a notebook, given as bytes, in their order."""
    outputs = [o for cell in json.loads(content)["cells"] for o in cell.get("outputs", ())]
    return [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]


def fewer_colors(picture):
    """A PNG on white with a palette of at most `COLORS` colours; bytes to bytes."""
    image = PngImageFile(io.BytesIO(picture)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    written = io.BytesIO()
    flat = Image.alpha_composite(white, image).convert("RGB")
    flat.quantize(COLORS, dither=Image.Dither.NONE).save(written, "png", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    publish(*map(Path, sys.argv[1:]))
