"""Configuration of the documentation site: ``make docs`` builds it, without a network, warnings as errors."""

import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]
# libraries that deprecate something in one another are not what a build is about
warnings.filterwarnings("ignore", category=DeprecationWarning)

import pages  # noqa: E402

import amortmix  # noqa: E402  sets the Keras backend before anything imports Keras
from amortmix.browser.assemble import BUILT, assemble  # noqa: E402

project = "amortized-mixtures"
author = "The amortized-mixtures developers"
copyright = author
version = release = amortmix.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
# tables in the answers of notebooks
nb_render_markdown_format = "myst"
exclude_patterns = ["_build", "figures", "generated/tables"]
# `name` in a docstring is a link where there is something of that name, else code
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]

html_theme = "furo"
html_title = f"amortized-mixtures {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = html_copy_source = html_show_sourcelink = False


def skip(app, what, name, found, skipped, options):
    """Fields of a named tuple stand under its attributes already."""
    return True if type(found).__name__ == "_tuplegetter" else skipped


def add_browser(app, error):
    """The page that fits data in the browser is part of the site, where `make page` has built it."""
    if error is None and BUILT.is_dir():
        assemble(Path(app.outdir) / "browser")


def setup(app):
    """Generated pages are made before anything is read."""
    app.connect("builder-inited", lambda app: pages.write(HERE / "generated"))
    app.connect("build-finished", add_browser)
    app.connect("autodoc-skip-member", skip)
