"""Laws by name: everything in ``models/``, and entry points of the group ``scalingfit.laws``."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
from types import ModuleType

import scalingfit.models
from scalingfit._errors import InputError, nearest
from scalingfit.law import Law

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
    """All laws by name, sorted."""
    found: dict[str, type[Law]] = {}
    for module in pkgutil.iter_modules(scalingfit.models.__path__):
        found |= _laws_of(importlib.import_module(f"scalingfit.models.{module.name}"))
    for entry in importlib.metadata.entry_points(group="scalingfit.laws"):
        loaded = entry.load()
        found |= _laws_of(loaded) if isinstance(loaded, ModuleType) else {loaded.name: loaded}
    return dict(sorted(found.items()))


def _laws_of(module: ModuleType) -> dict[str, type[Law]]:
    return {
        value.name: value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Law)
        and not inspect.isabstract(value)
        and value.__module__ == module.__name__
    }
