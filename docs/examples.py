"""Examples in Markdown: run them, and put what they print below them.

Blocks of ``console`` hold commands, each on a line that begins with ``$ scalingfit``; blocks of
``python`` hold a session (``>>>``). They run in order in the current folder, all Python blocks of
a text with the same names. Blocks of other languages are left alone. The pages of the site get
their outputs when it is built (`conf.py`), the README keeps its own (``tests/readme.py``).
"""

import contextlib
import doctest
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from scalingfit import cli

__all__ = ["ROOT", "rerun"]

ROOT = Path(__file__).parents[1]

BLOCK = re.compile(r"(?<=^```)(console|python)\n(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)


def rerun(text: str, source: str) -> str:
    """The text with the outputs of its examples made anew, in the current folder.

    Parameters
    ----------
    text : str
        Markdown.
    source : str
        What it is called where an example fails.
    """
    names: dict[str, object] = {}

    def renew(block: re.Match[str]) -> str:
        language, content = block.groups()
        run = typed(content) if language == "console" else interpreted(content, names, source)
        return f"{language}\n{run}"

    return BLOCK.sub(renew, text)


def typed(content: str) -> str:
    """Run each command and put its standard output below it."""
    commands = re.findall(r"^\$ .*(?:\\\n.*)*", content, re.MULTILINE)
    return "".join(f"{command}\n{output_of(command)}" for command in commands)


def output_of(command: str) -> str:
    """What a command prints, without spaces at the ends of lines."""
    program, *arguments = shlex.split(command.removeprefix("$ "))
    if program != "scalingfit":
        raise ValueError(f"not a command of scalingfit: {command}")
    with captured() as output:
        code = cli.run(arguments)
    if code not in (cli.OK, cli.WARNED):
        raise RuntimeError(f"exit code {code}: {command}")
    return trimmed(output.getvalue())


def interpreted(content: str, names: dict[str, object], source: str) -> str:
    """Run the examples of a Python session and put what each prints below it."""
    made = []
    for example in doctest.DocTestParser().get_examples(content):
        with captured() as output:
            exec(compile(example.source, source, "single"), names)
        first, *more = example.source.splitlines()
        lines = [f">>> {first}", *(f"... {line}" for line in more)]
        made.append("\n".join(lines) + "\n" + trimmed(output.getvalue()))
    return "".join(made)


@contextlib.contextmanager
def captured() -> Iterator[io.StringIO]:
    """Standard output as text; a terminal's width or colours have no say in it."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        yield output


def trimmed(output: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in output.rstrip("\n").split("\n") if output)
