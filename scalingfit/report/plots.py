"""Figures: what was trained; where the budget goes, what it buys, what is learnt, what is missed.

Every function draws into a new Matplotlib figure, or into ``figure`` (a part of another one), and
returns it; pyplot and its global state are never touched. `save` writes one to a file.
"""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.figure import Figure

from scalingfit._errors import InputError
from scalingfit._files import replacing
from scalingfit.inference import Posterior
from scalingfit.report._budget import frontier, loss
from scalingfit.report._design import design
from scalingfit.report._fit import parameters, residuals
from scalingfit.report._style import INK, Canvas
from scalingfit.report._valley import valley

__all__ = [
    "design",
    "format_of",
    "frontier",
    "loss",
    "overview",
    "parameters",
    "residuals",
    "save",
    "valley",
]

FORMATS = (".png", ".pdf", ".svg")


def overview(posterior: Posterior) -> Canvas:
    """Draw the figures of a fit on one page: four, or two where the law is not of N and D.

    Parameters
    ----------
    posterior : Posterior
    """
    split = {"N", "D"} <= set(posterior.law.inputs())
    heights = (1.15, 1.0) if split else (1.0,)
    figure = Figure(figsize=(14.5, 5 * len(heights)), dpi=110, layout="constrained")
    parts = figure.subfigures(
        len(heights), 2, squeeze=False, height_ratios=heights, wspace=0.03, hspace=0.04
    ).ravel()
    for draw, part in zip((frontier, loss), parts[:-2], strict=False):
        draw(posterior, figure=part)
    parameters(posterior, figure=parts[-2])
    residuals(posterior, figure=parts[-1])
    title = f"{posterior.title}; verdict: {posterior.verdict.status}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=14, color=INK)
    return figure


def save(figure: Canvas, path: str | os.PathLike[str], suffix: str | None = None) -> None:
    """Write a figure to a file, whole or not at all.

    Parameters
    ----------
    figure : matplotlib figure
    path : path
        With one of the suffixes .png, .pdf and .svg.
    suffix : str, optional
        The suffix that says the format, where it is not the path's own.

    Raises
    ------
    InputError
        The suffix is another one, or the file cannot be written.
    """
    kind = format_of(path if suffix is None else f"file{suffix}")
    whole = figure.get_figure(root=True)  # of a part of a figure, all of it
    assert isinstance(whole, Figure)
    with replacing(path) as part:
        whole.savefig(part, format=kind)


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's suffix says: png, pdf or svg.

    Raises
    ------
    InputError
        The suffix is another one.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InputError(
            f"cannot draw into a file of type {suffix or '(no suffix)'}",
            remedy=f"name a file that ends in one of {', '.join(FORMATS)}.",
        )
    return suffix[1:]
