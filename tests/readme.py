"""Renew the README: ``python -m tests.readme`` runs its examples and draws its picture."""

import contextlib
import io
import os
import tempfile
from pathlib import Path

from docs.examples import ROOT, rerun
from scalingfit import cli

__all__ = ["PICTURE", "README", "ROOT", "renewed"]

README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "demo.png"


def renewed() -> str:
    """The README with the outputs of its examples made anew, in the current folder."""
    return rerun(README.read_text("utf-8"), README.name)


def draw(fit: Path) -> None:
    """Draw the README's picture, in few dots and colours so that it stays small."""
    from matplotlib.figure import Figure
    from PIL import Image

    import scalingfit as sf
    from scalingfit.report import plots

    figure = plots.overview(sf.load(fit))
    assert isinstance(figure, Figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=80)
    Image.open(drawn).convert("RGB").quantize(256, kmeans=1).save(PICTURE, optimize=True)


def main() -> None:
    """Renew README.md and its picture."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        text = renewed()
        draw(Path("fit.nc"))
    README.write_text(text, "utf-8")
    print(f"renewed {os.path.relpath(README)} and {os.path.relpath(PICTURE)}")


if __name__ == "__main__":
    cli.use_cache()
    main()
