"""Examples in Markdown: run them, and put what they print below them.

Blocks of ``console`` hold commands, each on a line that begins with ``$ scalingfit``; blocks of
``python`` hold a session (``>>>``). They run in order in the current folder, all Python blocks of
a text with the same names. Blocks of other languages are left alone. The pages of the site get
their outputs when it is built (`conf.py`), the README keeps its own (``tests/readme.py``).
"""

import contextlib
import doctest
import io
import itertools
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from scalingfit import cli

__all__ = ["ROOT", "WIDTH", "captured", "commands", "output_of", "rerun"]

ROOT = Path(__file__).parents[1]

WIDTH = 100

BLOCK = re.compile(r"(?<=^```)(console|python)\n(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)


SHELL = {">", "|"}
"""Where what the command takes ends, and the shell goes on."""


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """The arguments of every command of scalingfit in blocks of ``console`` and ``sh``."""
    for block in re.findall(r"^```(?:console|sh)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] == ["scalingfit"]:
                yield tuple(itertools.takewhile(lambda word: word not in SHELL, words[1:]))


def output_of(words: tuple[str, ...]) -> str:
    """What a command prints, without spaces at the ends of lines.

    Parameters
    ----------
    words : tuple of str
        The arguments of scalingfit.
    """
    with captured() as output:
        code = cli.run([*words])
    if code not in (cli.OK, cli.WARNED):
        raise RuntimeError(f"exit code {code}: scalingfit {shlex.join(words)}")
    return trimmed(output.getvalue())


def rerun(text: str, source: str, output_of: Callable[[tuple[str, ...]], str] = output_of) -> str:
    """The text with the outputs of its examples made anew, in the current folder.

    Parameters
    ----------
    text : str
        Markdown.
    source : str
        What it is called where an example fails.
    output_of : callable
        What a command prints.
    """
    names: dict[str, object] = {}

    def typed(content: str) -> str:
        lines = [line for line in content.splitlines() if line.startswith("$ ")]
        return "".join(f"{line}\n{output_of(words_of(line))}" for line in lines)

    def renew(block: re.Match[str]) -> str:
        language, content = block.groups()
        run = typed(content) if language == "console" else interpreted(content, names, source)
        return f"{language}\n{run}"

    return BLOCK.sub(renew, text)


def words_of(line: str) -> tuple[str, ...]:
    """The arguments of a command that was typed."""
    program, *arguments = shlex.split(line.removeprefix("$ "))
    if program != "scalingfit":
        raise ValueError(f"not a command of scalingfit: {line}")
    return tuple(arguments)


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
    """Without spaces at the ends of lines; sentences are folded, as terminals fold them."""
    lines = output.rstrip("\n").split("\n") if output else []
    return "".join(f"{part}\n" for line in lines for part in folded(line.rstrip()))


def folded(line: str) -> list[str]:
    """A line in parts of at most WIDTH characters; one of a table stays whole."""
    if len(line) <= WIDTH or "  " in line.strip():
        return [line]
    indent = len(line) - len(line.lstrip()) + 2
    return textwrap.wrap(line, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)
