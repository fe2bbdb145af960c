"""The notebooks of the workflow: executed ones where a run has published them, else their text and code."""

import json

INTRODUCTION = """\
# Notebooks

Pages of the workflow: what was asked, what you should see, the answer, and claims that are checked while the
notebook runs. `make paper` executes all of them into `results/`.

Executed, where the published run has a page (`results/published/README.md` lists them), else text and code:
"""

#: Tags of cells that say which run a page is of.
PARAMETERS = {"parameters", "injected-parameters"}


def chosen(root):
    """{name: path}: the executed notebook where a run has published one, else its source; the start page first."""
    # a page of both priors is shown with the printed ones, `paper`, which come first
    executed = sorted((root / "results" / "published").glob("*/*/notebooks/*.ipynb"), reverse=True)
    sources = sorted((root / "notebooks").glob("*.ipynb"))
    found = {p.stem: p for p in [*sources, *executed]}
    return {name: found[name] for name in sorted(found, key=lambda name: (name != "overview", name))}


def pages(found):
    """{path: text}: a copy of each notebook that was `chosen`."""
    return {f"notebooks/{name}.ipynb": _plain(path) for name, path in found.items()}


def contents(found):
    """{path: text} of the index of those that were `chosen`."""
    toctree = "\n".join(["```{toctree}", ":maxdepth: 1", "", *(f"notebooks/{name}" for name in found), "```"])
    return {"notebooks.md": f"{INTRODUCTION}\n{toctree}\n"}


def _plain(path):
    """A notebook as text in one form, whatever wrote it; of an executed one code can be unfolded, but parameters."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if any(cell.get("outputs") for cell in notebook["cells"]):
        notebook["cells"] = [_folded(cell) for cell in notebook["cells"] if not PARAMETERS & _tags(cell)]
    # beside each other on the site they are pages
    return json.dumps(notebook, indent=1).replace('.ipynb\\"', '.html\\"')


def _tags(cell):
    return set(cell["metadata"].get("tags", ()))


def _folded(cell):
    """A cell whose code is hidden until it is asked for."""
    if cell["cell_type"] != "code":
        return cell
    return cell | {"metadata": cell["metadata"] | {"tags": sorted(_tags(cell) | {"hide-input"})}}
