"""An executed notebook as one HTML file that works from the file system, without a network.

nbconvert's page fetches its formulas' renderer and two more scripts when it is opened. Here formulas become MathML,
which browsers draw themselves, and scripts go: figures and tables are in the file already.
"""

import copy
import re

from latex2mathml.converter import convert
from nbconvert import HTMLExporter

FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?P<inline>[^$\n]+?)\$", re.DOTALL)
SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)


def with_mathml(markdown):
    """Markdown whose ``$...$`` and ``$$...$$`` are MathML."""

    def mathml(found):
        display = "block" if found["block"] else "inline"
        return convert((found["block"] or found["inline"]).strip(), display=display)

    return FORMULA.sub(mathml, markdown)


def titled(notebook, title):
    """An executed notebook whose first heading names what it is about, where it is made for any model.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Changed in place, and returned.
    title : str
    """
    first = notebook.cells[0]
    first.source = first.source.replace("# A model:", f"# {title}:", 1)
    return notebook


def to_html(notebook, code=True):
    """The HTML of an executed notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Left as it is.
    code : bool
        Whether the page shows its code, and not only what it says.
    """
    notebook = copy.deepcopy(notebook)
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    if any("injected-parameters" in t for t in tags):  # they replace the defaults, which would only confuse
        notebook.cells = [cell for cell, t in zip(notebook.cells, tags) if "parameters" not in t]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_mathml(cell.source)
    exporter = HTMLExporter(exclude_input=not code, exclude_input_prompt=True, exclude_output_prompt=True)
    return SCRIPT.sub("", exporter.from_notebook_node(notebook)[0])
