"""How Sphinx builds the site: `make docs`.

Every page is executed while it is read: commands and Python sessions by `examples.py`, notebooks by
MyST-NB, pictures by Matplotlib's ``plot`` directive. An example that fails ends the build.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import scalingfit  # noqa: E402
from docs import examples, schemas  # noqa: E402
from scalingfit import cli  # noqa: E402

project = "scalingfit"
author = "The scalingfit authors"
version = release = scalingfit.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
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
html_static_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
copybutton_exclude = ".linenos, .gp, .go"

default_role = "py:obj"  # in docstrings, `name` is a link where there is something to link to
autodoc_typehints = "none"  # numpydoc's sections say them in words
autodoc_member_order = "bysource"
autosummary_ignore_module_all = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
intersphinx_mapping: dict[str, tuple[str, None]] = {}

plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 110)]
plot_working_directory = str(HERE / "gallery")

FIT = (
    "fit ladder --where C>1.9e11 --where D/N>1.5 --where D/N<400 -o fit.nc".split()  # the tutorial
)


def setup(app: Sphinx) -> None:
    """Run the examples of pages as they are read, in one folder that holds the tutorial's fit."""
    folder = tempfile.TemporaryDirectory()
    os.environ["SCALINGFIT_DOCS_FIT"] = str(Path(folder.name) / "fit.nc")

    def prepare(_: Sphinx) -> None:
        with contextlib.chdir(folder.name), examples.captured():
            assert cli.run(FIT) == cli.OK
            schemas.write(HERE / "schemas")

    def run(app: Sphinx, page: str, source: list[str]) -> None:
        path = app.env.doc2path(page)
        if path.suffix == ".md":
            with contextlib.chdir(folder.name):
                source[0] = examples.rerun(source[0], path.name)

    def clear(*_: object) -> None:
        folder.cleanup()

    cli.use_cache()
    app.connect("builder-inited", prepare)
    app.connect("source-read", run)
    app.connect("build-finished", clear)
