"""What is found by name: laws, noise models, and whatever else a room offers in the same way.

Each is a class in a file of its own, in a folder of this project, or belongs to another package,
which declares an entry point.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from scalingfit._arguments import nearest
from scalingfit._errors import InputError
from scalingfit.declare import Law
from scalingfit.noise import Noise

__all__ = ["Catalog", "law", "laws", "noise", "noises"]


@dataclasses.dataclass(frozen=True, eq=False)
class Catalog[Kind]:
    """Classes by name: those of one folder, and of the entry points of one group.

    Attributes
    ----------
    base : type
        What all of them derive from; each has a `name`.
    kind : str
        What one of them is called, such as "law".
    folder : str
        The package whose modules hold them. Names that begin with ``_`` are left out, of modules
        and of classes.
    group : str
        Of entry points; each names a class, or a module with classes in it.
    command : str
        The command that lists them.
    """

    base: type[Kind]
    kind: str
    folder: str
    group: str
    command: str

    def find(self, name: str | type[Kind]) -> type[Kind]:
        """Look a class up by name; a class passes through.

        Raises
        ------
        InputError
            Where there is none of that name; the message names the nearest.
        """
        if isinstance(name, type) and issubclass(name, self.base):
            return name
        if name in self.classes:
            return self.classes[name]
        near = nearest(name, self.classes)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(self.classes)}"
        raise InputError(
            f"unknown {self.kind} {name!r}; {hint} ('scalingfit {self.command}' lists them)"
        )

    @functools.cached_property
    def classes(self) -> dict[str, type[Kind]]:
        """All of them by name, sorted.

        Raises
        ------
        InputError
            Where a file or another package cannot be loaded, holds a class that is not finished, or
            one of a name that another has.
        """
        found: dict[str, type[Kind]] = {}
        for cls in self._offered():
            name: str = cls.name  # type: ignore[attr-defined]  # see `base`
            if found.setdefault(name, cls) is not cls:
                both = found[name], cls
                raise InputError(
                    f"two {self.kind}s are called {name!r}",
                    [f"{each.__qualname__} of {each.__module__}" for each in both],
                    remedy="give one of them another name.",
                )
        return dict(sorted(found.items()))

    def _offered(self) -> Iterator[type[Kind]]:
        for module in pkgutil.iter_modules(importlib.import_module(self.folder).__path__):
            if not module.name.startswith("_"):
                load = functools.partial(importlib.import_module, f"{self.folder}.{module.name}")
                yield from self._finished(f"{module.name}.py", load)
        for entry in importlib.metadata.entry_points(group=self.group):
            yield from self._finished(f"the entry point {entry.name}", entry.load)

    def _finished(self, where: str, load: Callable[[], Any]) -> Iterator[type[Kind]]:
        try:
            loaded = load()
        except Exception as error:
            raise InputError(
                f"the {self.kind}s of {where} cannot be loaded",
                [f"{type(error).__name__}: {error}"],
                remedy=f"mend it or take it away; every command needs all {self.kind}s.",
            ) from error
        for cls in self._within(loaded) if isinstance(loaded, ModuleType) else [loaded]:
            if inspect.isabstract(cls):
                missing = ", ".join(sorted(cls.__abstractmethods__))  # type: ignore[union-attr]
                raise InputError(
                    f"the {self.kind} {cls.__name__} of {cls.__module__} has no {missing}",
                    remedy=f"give it {missing}; a class that only helps others begins with _.",
                )
            yield cls

    def _within(self, module: ModuleType) -> list[type[Kind]]:
        return [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, self.base)
            and not value.__name__.startswith("_")
            and value.__module__ == module.__name__
        ]


LAWS = Catalog(Law, "law", "scalingfit.models", "scalingfit.laws", "laws")
NOISES = Catalog(Noise, "noise model", "scalingfit.noise", "scalingfit.noises", "noises")  # type: ignore[type-abstract]


def law(name: str | type[Law]) -> type[Law]:
    """Look a law up by name; a class passes through.

    Raises
    ------
    InputError
        Where there is none of that name; the message names the nearest.
    """
    return LAWS.find(name)


def laws() -> dict[str, type[Law]]:
    """All laws by name, sorted: ours, and entry points of ``scalingfit.laws``."""
    return LAWS.classes


def noise(name: str | type[Noise]) -> type[Noise]:
    """Look a noise model up by name; a class passes through.

    Raises
    ------
    InputError
        Where there is none of that name; the message names the nearest.
    """
    return NOISES.find(name)


def noises() -> dict[str, type[Noise]]:
    """All noise models by name, sorted: ours, and entry points of ``scalingfit.noises``."""
    return NOISES.classes
