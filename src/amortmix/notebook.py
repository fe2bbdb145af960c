"""A notebook of a fit: the questions of its page as statements, with their answers, to go on from.

Each cell is run here, in this process, before it is written: a kernel would take longer than all of them.
"""

import base64
import contextlib
import io
import json

from amortmix.extras import missing

#: Heading, statements. The last expression of a cell is shown.
CELLS = (
    ("", "import amortmix as am\n\nnets = am.load({networks})\nfit = nets.read({file})\nprint(fit)"),
    ("What to be careful about", "print(*fit.warnings, *fit.notes, sep='\\n')"),
    ("Data and states", "fit.plot_states()"),
    ("", "fit.states().head(10)"),
    ("Parameters", "fit.summary()"),
    ("", "fit.plot_posterior()"),
)
#: Cells that simulate, and so need JAX.
SIMULATED = (("Does the model describe the data?", "fit.plot_predictive()"),)


def notebook(name, networks, file, fit):
    """The notebook of one fit as a dictionary, which `json` writes.

    Parameters
    ----------
    name : str
        Of the data set: the title.
    networks : str
        Arguments of `amortmix.load`, as they are written.
    file : str
        Where the fit was written, seen from the notebook.
    fit : Fit
    """
    cells = [_text(f"# {name}")]
    for place, (heading, source) in enumerate(CELLS + (() if missing() else SIMULATED)):
        cells += [_text(f"## {heading}")] if heading else []
        if place == 0:  # what it loads is here already
            cells.append(_run(source.format(networks=networks, file=repr(file)), "print(fit)", fit, 1))
        else:
            cells.append(_run(source, source, fit, place + 1))
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"
    known = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": known}, "nbformat": 4, "nbformat_minor": 5}


def text_of(content):
    """A notebook as the text of its file."""
    return json.dumps(content, indent=1, ensure_ascii=False)


def _text(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _run(source, expression, fit, number):
    """A code cell with what an expression prints and what it is."""
    printed, outputs = io.StringIO(), []
    with contextlib.redirect_stdout(printed):
        value = eval(expression, {"fit": fit})
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text})
    if value is not None:
        shown = {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": _shown(value)}
        outputs.append(shown)
    return {"cell_type": "code", "metadata": {}, "source": source, "execution_count": number, "outputs": outputs}


def _shown(value):
    """A value as a notebook shows it; a figure is closed."""
    if hasattr(value, "savefig"):
        import matplotlib.pyplot as plt

        written = io.BytesIO()
        value.savefig(written, format="png", bbox_inches="tight", dpi=100)
        plt.close(value)
        return {"image/png": base64.b64encode(written.getvalue()).decode(), "text/plain": "<Figure>"}
    found = {"text/plain": repr(value)}
    if hasattr(value, "_repr_html_"):
        found["text/html"] = value._repr_html_()
    return found
