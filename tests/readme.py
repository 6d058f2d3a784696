"""The README's examples: run them, and write what they print into it.

``python -m tests.readme`` runs every ``console`` and ``python`` block of README.md, in order, in
one empty folder, replaces the outputs that stand there, and draws the picture. Blocks of other
languages are left alone. ``tests/test_readme.py`` runs the same and compares.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scalingfit import cli

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "demo.png"

BLOCK = re.compile(r"(?<=^```)(console|python)\n(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)


def rerun(text: str) -> str:
    """The text with the outputs of its examples made anew, in the current folder."""
    names: dict[str, object] = {}

    def renew(block: re.Match[str]) -> str:
        language, content = block.groups()
        made = typed(content) if language == "console" else interpreted(content, names)
        return f"{language}\n{made}"

    return BLOCK.sub(renew, text)


def typed(content: str) -> str:
    """Run each line that begins with "$ scalingfit" and put its standard output below it."""
    commands = [line for line in content.splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{output_of(line)}" for line in commands)


def output_of(line: str) -> str:
    """What a command prints, without spaces at the ends of lines."""
    program, *arguments = shlex.split(line.removeprefix("$ "))
    assert program == "scalingfit", line
    with captured() as output:
        code = cli.run(arguments)
    assert code in (cli.OK, cli.WARNED), line
    return trimmed(output.getvalue())


def interpreted(content: str, names: dict[str, object]) -> str:
    """Run the examples of a Python session and put what each prints below it."""
    made = []
    for example in doctest.DocTestParser().get_examples(content):
        with captured() as output:
            exec(compile(example.source, "README.md", "single"), names)
        first, *more = example.source.splitlines()
        source = [f">>> {first}", *(f"... {line}" for line in more)]
        made.append("\n".join(source) + "\n" + trimmed(output.getvalue()))
    return "".join(made)


@contextlib.contextmanager
def captured() -> Iterator[io.StringIO]:
    """Standard output as text; a terminal's width or colours have no say in it."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        yield output


def trimmed(output: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in output.rstrip("\n").split("\n") if output)


def draw(fit: Path) -> None:
    """Draw the README's picture, in few dots so that it stays small."""
    from matplotlib.figure import Figure

    import scalingfit as sf
    from scalingfit.report import plots

    figure = plots.overview(sf.load(fit))
    assert isinstance(figure, Figure)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=80, pil_kwargs={"optimize": True})


def main() -> None:
    """Renew README.md and its picture."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        text = rerun(README.read_text("utf-8"))
        draw(Path("fit.nc"))
    README.write_text(text, "utf-8")
    print(f"renewed {os.path.relpath(README)} and {os.path.relpath(PICTURE)}")


if __name__ == "__main__":
    cli.use_cache()
    main()
