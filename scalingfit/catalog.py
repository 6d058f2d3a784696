"""Laws by name: everything in ``models/``, and entry points of the group ``scalingfit.laws``."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import scalingfit.models
from scalingfit._arguments import nearest
from scalingfit._errors import InputError
from scalingfit.declare import Law

__all__ = ["law", "laws"]


def law(name: str | type[Law]) -> type[Law]:
    """Look a law up by name; a class passes through.

    Raises
    ------
    InputError
        Where there is none of that name; the message names the nearest.
    """
    if isinstance(name, type) and issubclass(name, Law):
        return name
    known = laws()
    if name not in known:
        near = nearest(name, known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known laws: {', '.join(known)}"
        raise InputError(f"unknown law {name!r}; {hint} ('scalingfit laws' lists them)")
    return known[name]


@functools.cache
def laws() -> dict[str, type[Law]]:
    """All laws by name, sorted.

    Raises
    ------
    InputError
        Where the file or the package of a law cannot be loaded, holds a law without a formula, or
        one of a name that another has.
    """
    found: dict[str, type[Law]] = {}
    for module in pkgutil.iter_modules(scalingfit.models.__path__):
        load = functools.partial(importlib.import_module, f"scalingfit.models.{module.name}")
        _add(found, _laws_of(_loaded(f"{module.name}.py", load)))
    for entry in importlib.metadata.entry_points(group="scalingfit.laws"):
        loaded = _loaded(f"the entry point {entry.name}", entry.load)
        _add(found, _laws_of(loaded) if isinstance(loaded, ModuleType) else [loaded])
    return dict(sorted(found.items()))


def _loaded(what: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:
        raise InputError(
            f"the laws of {what} cannot be loaded",
            [f"{type(error).__name__}: {error}"],
            remedy="mend it or take it away; every command needs all laws.",
        ) from error


def _add(found: dict[str, type[Law]], laws: Iterable[type[Law]]) -> None:
    for law in laws:
        if inspect.isabstract(law):
            raise InputError(
                f"the law {law.__name__} of {law.__module__} has no formula",
                remedy="give it a method loss; a class that only helps others begins with _.",
            )
        if found.setdefault(law.name, law) is not law:
            raise InputError(
                f"two laws are called {law.name!r}",
                [f"{each.__qualname__} of {each.__module__}" for each in (found[law.name], law)],
                remedy="give the class of one of them another name.",
            )


def _laws_of(module: ModuleType) -> list[type[Law]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Law)
        and not value.__name__.startswith("_")
        and value.__module__ == module.__name__
    ]
