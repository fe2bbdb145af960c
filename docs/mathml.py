"""Formulas as MathML, which browsers show without a script or a network: a math renderer for Sphinx."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert


def visit_inline(translator, node):
    """A formula in a line of text."""
    translator.body.append(convert(node.astext()))
    raise SkipNode


def visit_block(translator, node):
    """A formula on lines of its own."""
    translator.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise SkipNode


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
