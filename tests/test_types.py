"""What a caller can write and gets back has a type: no `Any` in the signatures of the rooms' doors.

A checker and an editor know what every public function and method takes and gives.
"""

import ast
import collections
import functools
import importlib
import inspect
import typing
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

DOORS = (
    "result",
    "declare",
    "noise",
    "law_error",
    "runs",
    "runs.datasets",
    "catalog",
    "allocation",
    "inference",
    "evidence",
    "batch",
    "batch.designs",
    "experiments",
    "report.plots",
    "report.evidence_plots",
)

OURS = {"scalingfit", __name__.partition(".")[0]}


def says_any(annotation: object) -> bool:
    """Whether `Any` stands anywhere in an annotation, or there is none."""
    if annotation is inspect.Signature.empty:
        return True
    match annotation:
        case str(text):
            pass
        case typing.ForwardRef(__forward_arg__=text):  # of a named tuple
            pass
        case _:
            text = inspect.formatannotation(annotation)
    return any(
        (isinstance(node, ast.Name) and node.id == "Any")
        or (isinstance(node, ast.Attribute) and node.attr == "Any")
        for node in ast.walk(ast.parse(text, mode="eval"))
    )


def of_function(name: str, function: Callable[..., object]) -> Iterator[str]:
    """The parameters and the result of a function that have no type."""
    signature = inspect.signature(function)
    for place, parameter in enumerate(signature.parameters.values()):
        bound = place == 0 and parameter.name in ("self", "cls")
        if not bound and says_any(parameter.annotation):
            yield f"{name}({parameter.name})"
    if says_any(signature.return_annotation):
        yield f"{name} ->"


def of_class(name: str, cls: type) -> Iterator[str]:
    """The attributes, and the methods' signatures, that have no type; inherited ones too."""
    ours = [base for base in cls.__mro__ if base.__module__.partition(".")[0] in OURS]
    for attribute, annotation in collections.ChainMap(*map(inspect.get_annotations, ours)).items():
        if not attribute.startswith("_") and says_any(annotation):
            yield f"{name}.{attribute}"
    for attribute, value in collections.ChainMap(*(dict(vars(base)) for base in ours)).items():
        if not attribute.startswith("_"):
            match value:
                case classmethod() | staticmethod():
                    yield from of_function(f"{name}.{attribute}", value.__func__)
                case property() if value.fget is not None:
                    yield from of_function(f"{name}.{attribute}", value.fget)
                case functools.cached_property():
                    yield from of_function(f"{name}.{attribute}", value.func)
                case _ if inspect.isfunction(value):
                    yield from of_function(f"{name}.{attribute}", value)


def own_names(module: ModuleType) -> list[str]:
    """The public names that a module without ``__all__`` defines."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]


def untyped(door: ModuleType) -> list[str]:
    """What a door shows without a type."""
    found: list[str] = []
    for name in getattr(door, "__all__", None) or own_names(door):
        value = getattr(door, name)
        if inspect.isclass(value) and value.__module__.partition(".")[0] in OURS:
            found += of_class(name, value)
        elif inspect.isfunction(value) or hasattr(value, "__wrapped__"):
            found += of_function(name, inspect.unwrap(value))
        elif isinstance(value, typing.TypeAliasType):
            found += [name] if says_any(inspect.formatannotation(value.__value__)) else []
    return found


@pytest.mark.parametrize("door", DOORS)
def test_signatures_are_typed(door: str) -> None:
    found = untyped(importlib.import_module(f"scalingfit.{door}"))
    assert not found


def test_what_has_no_type_is_found() -> None:
    class Open:
        attribute: "dict[str, typing.Any]"

        def method(self, given: typing.Any) -> int:
            return len(given)

        @property
        def value(self):  # type: ignore[no-untyped-def]
            return 1

        @functools.cached_property
        def typed(self) -> list[int]:
            return []

    class Row(typing.NamedTuple):
        cell: "typing.Any"

    def verb(runs: object, **options: typing.Any) -> object:
        return options, runs

    door = ModuleType("door")
    vars(door).update({"__all__": ["Open", "Row", "verb"], "Open": Open, "Row": Row, "verb": verb})
    assert untyped(door) == [
        "Open.attribute",
        "Open.method(given)",
        "Open.value ->",
        "Row.cell",
        "verb(options)",
    ]
