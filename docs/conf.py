"""How Sphinx builds the site: `make docs`.

Every page is executed while it is read: commands and Python sessions by `examples.py`, notebooks by
MyST-NB, pictures by Matplotlib's ``plot`` directive. An example that fails ends the build.
"""

import contextlib
import functools
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))

import scalingfit
from docs import examples, schemas
from scalingfit import cli

HERE = Path(__file__).parent
FOLDER, EXTRA = tempfile.TemporaryDirectory(), tempfile.TemporaryDirectory()
"""Where the examples run, and what is put beside the pages as it is."""

project = "scalingfit"
author = project_copyright = "The scalingfit authors"
version = release = scalingfit.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "matplotlib.sphinxext.plot_directive",
    "cyclopts.ext.sphinx",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "_templates", "**.ipynb_checkpoints"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = "scalingfit"
html_extra_path = [EXTRA.name]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
copybutton_exclude = ".linenos, .gp, .go"

default_role = "py:obj"  # in docstrings, `name` is a link where there is something to link to
autodoc_typehints = "none"  # numpydoc's sections say them in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 110)]
plot_working_directory = FOLDER.name


def setup(app: Sphinx) -> None:
    """Run the examples of each page as it is read, in one folder that holds the tutorial's fit."""
    cli.use_cache()
    app.connect("builder-inited", prepare)
    app.connect("source-read", run)
    app.connect("build-finished", tidy)


def tidy(*_: object) -> None:
    """Take the folders away."""
    FOLDER.cleanup()
    EXTRA.cleanup()


output_of = functools.cache(examples.output_of)
"""Pages that give one command run it once: all examples share a folder."""


def prepare(_: Sphinx) -> None:
    """Make the fit of the tutorial, its report, and the schemas of what commands print."""
    with contextlib.chdir(FOLDER.name):
        for words in examples.commands((HERE / "tutorial.md").read_text("utf-8")):
            if words[0] in ("fit", "report"):
                output_of(words)
        shutil.copy("report.html", Path(EXTRA.name, "example-report.html"))
        schemas.write(HERE / "schemas")


def run(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the outputs of a page's examples into its text."""
    path = Path(app.env.doc2path(page))
    if path.suffix == ".md":
        with contextlib.chdir(FOLDER.name):
            source[0] = examples.rerun(source[0], path.name, output_of)
