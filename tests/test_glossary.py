"""The glossary defines every note, verdict and column that the code can print."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from scalingfit.evidence.forecasts.result import AVERAGED, SHOWN
from scalingfit.inference.verdict import Status

ROOT = Path(__file__).parents[1]
DEFINED = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "glossary.md").read_text("utf-8")))
SYMBOLS = {"N", "D", "C", "L", "a", "E"}
OF_A_NOTE = {"code", "of", "share", "text"}


def nodes() -> Iterator[ast.AST]:
    for path in (ROOT / "scalingfit").rglob("*.py"):
        yield from ast.walk(ast.parse(path.read_text("utf-8")))


def called(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def test_every_note_is_defined() -> None:
    codes = {
        node.args[0].value
        for node in nodes()
        if isinstance(node, ast.Call) and called(node) in {"Note", "in_draws"} and node.args
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(codes) > 30
    assert codes - DEFINED == set()


def test_every_column_is_defined() -> None:
    made = {"Column", "Column.of", "_column"}
    columns = {
        key.value
        for node in nodes()
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if called(value) in made and "hidden=True" not in ast.unparse(value)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }
    printed = {name for name in columns | SHOWN.keys() | AVERAGED.keys() if name.strip()}
    assert len(printed) > 50
    assert printed - DEFINED - SYMBOLS - OF_A_NOTE == set()


def test_every_verdict_is_defined() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    for status in get_args(Status.__value__):
        assert f"\n{status}\n: " in text
