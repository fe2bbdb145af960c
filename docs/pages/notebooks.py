"""The notebooks of the workflow: executed ones where a run has published them, else their text and code."""

import json

INTRODUCTION = """\
# Notebooks

Pages of the workflow: what was asked, what you should see, the answer, and claims that are checked while the
notebook runs. `make paper` executes all of them into `results/`.
"""


def pages(root):
    """{path: text}: an index, and a copy of each notebook."""
    # a page of both priors is shown with the printed ones, `paper`, which come first
    found = sorted((root / "results" / "published").glob("*/*/notebooks/*.ipynb"), reverse=True)
    executed = {p.stem: p for p in found}
    sources = {p.stem: p for p in sorted((root / "notebooks").glob("*.ipynb"))}
    chosen = sources | executed
    copies = {f"notebooks/{name}.ipynb": _plain(path) for name, path in chosen.items()}
    words = "Executed, where the published run has a page; else text and code:" if executed else "Text and code:"
    toctree = "\n".join(["```{toctree}", ":maxdepth: 1", "", *(f"notebooks/{name}" for name in chosen), "```"])
    return {"notebooks.md": f"{INTRODUCTION}\n{words}\n\n{toctree}\n", **copies}


def _plain(path):
    """A notebook as text in one form, whatever wrote it."""
    return json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=1)
