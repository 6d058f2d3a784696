"""How a page is put together: its template, its pictures, its controls."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from importlib import resources
from importlib.util import find_spec
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.figure import Figure

from scalingfit import __version__
from scalingfit._errors import InputError
from scalingfit.report._explorer import Explorer
from scalingfit.report._style import Canvas

__all__ = ["Picture", "Section", "embedded", "pictured", "rendered", "require_templates"]


class Picture(NamedTuple):
    """A picture as the page holds it, and what it shows."""

    source: str
    caption: str


class Section(NamedTuple):
    """A part of a page: sentences, pictures, and tables, which are HTML already."""

    title: str
    lines: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[str] = ()


def pictured(figure: Canvas, caption: str) -> Picture:
    """A figure as SVG within the page, where nothing in it can meet names of the page."""
    whole = figure.get_figure(root=True)
    assert isinstance(whole, Figure)
    made = io.BytesIO()
    with rc_context({"svg.hashsalt": "scalingfit"}):  # the same bytes each time
        whole.savefig(made, format="svg", metadata={"Date": None})
    return embedded("image/svg+xml", made.getvalue(), caption)


def embedded(kind: str, content: bytes, caption: str) -> Picture:
    """A picture within the page, where nothing in it can run."""
    return Picture(f"data:{kind};base64,{base64.b64encode(content).decode()}", caption)


def require_templates() -> None:
    """Refuse a report, before any work, where what makes the page is not installed.

    Raises
    ------
    InputError
    """
    if find_spec("jinja2") is None:
        raise InputError("a report needs Jinja2", remedy='pip install "scalingfit[report]".')


def rendered(explorer: Explorer | None, **parts: object) -> bytes:
    """The page: `report.html`, with its style and scripts in it, and all text escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(_shipped("report.html"))
    return page.render(
        explorer=explorer,
        style=_shipped("report.css"),
        scripts="" if explorer is None else _scripts(explorer),
        version=__version__,
        **parts,
    ).encode()


def _scripts(explorer: Explorer) -> str:
    formulas = ",\n".join(f"{name}: {code}" for name, code in explorer.formulas.items())
    return "\n".join(
        [_shipped("solver.js"), f"const FORMULAS = {{\n{formulas}\n}};", _shipped("explorer.js")]
    )


def _shipped(name: str) -> str:
    return resources.files("scalingfit.report").joinpath("page", name).read_text("utf-8")
