"""The command `laws`: what can be fitted."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import scalingfit as sf
from scalingfit.cli._reply import Reply

if TYPE_CHECKING:
    from scalingfit.declare import Law

__all__ = ["laws"]


def laws(name: str | None = None, /) -> Reply:
    """List the scaling laws, or say all about one.

    ```
    scalingfit laws
    scalingfit laws chinchilla
    ```

    Parameters
    ----------
    name
        A law.
    """
    from scalingfit.report import tables

    if name is not None:
        law = sf.law(name)
        return Reply(_about(law), _shown(law))
    every = sf.laws()
    rows = [[law.name, " ".join(law.inputs()), _formula(law)] for law in every.values()]
    data = {"laws": [_about(law) for law in every.values()]}
    return Reply(data, [tables.Grid(("name", "inputs", "formula"), rows)])


def _formula(law: type[Law]) -> str:
    """The first line of a law's docstring."""
    return inspect.cleandoc(law.__doc__ or "").partition("\n")[0]


def _source(law: type[Law]) -> str:
    """The rest of it: paper, equation, meaning of the inputs."""
    return inspect.cleandoc(law.__doc__ or "").partition("\n")[2].strip()


def _about(law: type[Law]) -> dict[str, Any]:
    return {
        "name": law.name,
        "formula": _formula(law),
        "inputs": list(law.inputs()),
        "meanings": law.meanings(),
        "about": _source(law),
        "noise": law.default_noise,
        "parameters": {
            name: {"prior": declared.describe_prior().format(name=name), "about": declared.about}
            for name, declared in law.parameters().items()
        },
        "published": {
            key: {"source": point.source, "conventions": point.conventions, **point.values}
            for key, point in law.published.items()
        },
    }


def _shown(law: type[Law]) -> list[Any]:
    from scalingfit.report import tables

    about = _about(law)
    priors = [[name, row["prior"], row["about"]] for name, row in about["parameters"].items()]
    shown: list[Any] = [
        f"{law.name}: {about['formula']}\n{about['about']}".rstrip(),
        tables.Grid(("input", "meaning"), [*law.meanings().items()]),
        tables.Grid(("parameter", "prior", "meaning"), priors),
    ]
    if law.published:
        names = [*law.parameters()]
        rows = [
            [key, *(f"{point.values[name]:.4g}" for name in names), point.source]
            for key, point in law.published.items()
        ]
        shown.append(tables.Grid(("published", *names, "source"), rows))
        conventions = [[key, point.conventions] for key, point in law.published.items()]
        shown.append(tables.Grid(("published", "conventions"), conventions))
    return shown
