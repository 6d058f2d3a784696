"""The command `laws`: what can be fitted."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import scalingfit as sf
from scalingfit.cli._reply import Reply
from scalingfit.result import Table

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
    if name is not None:
        law = sf.law(name)
        return Reply(_about(law), _shown(law))
    every = sf.laws()
    columns = {
        "name": [*every],
        "inputs": [" ".join(law.inputs()) for law in every.values()],
        "formula": [_formula(law) for law in every.values()],
    }
    data = {"laws": [_about(law) for law in every.values()]}
    return Reply(data, [Table.of_texts("laws", columns)])


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


def _shown(law: type[Law]) -> list[Table | str]:
    about = f"{law.name}: {_formula(law)}\n{_source(law)}".rstrip()
    meanings, parameters = law.meanings(), law.parameters()
    inputs = {"input": [*meanings], "meaning": [*meanings.values()]}
    priors = {
        "parameter": [*parameters],
        "prior": [one.describe_prior().format(name=name) for name, one in parameters.items()],
        "meaning": [one.about for one in parameters.values()],
    }
    shown: list[Table | str] = [
        about,
        Table.of_texts("inputs", inputs),
        Table.of_texts("parameters", priors),
    ]
    if published := law.published:
        points = [*published.values()]
        values = {name: [f"{point.values[name]:.4g}" for point in points] for name in parameters}
        sources = {"source": [point.source for point in points]}
        conventions = {"conventions": [point.conventions for point in points]}
        shown += [
            Table.of_texts("published", {"published": [*published], **values, **sources}),
            Table.of_texts("conventions", {"published": [*published], **conventions}),
        ]
    return shown
