"""The commands `laws`, `noises` and `rules`: what there is by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import scalingfit as sf
from scalingfit.cli._reply import Reply
from scalingfit.result import Table

if TYPE_CHECKING:
    from scalingfit.allocation import Counting
    from scalingfit.declare import Law, Parameter
    from scalingfit.noise import Noise

__all__ = ["laws", "noises", "rules"]


def laws(name: str | None = None, /) -> Reply:
    """List the scaling laws, or describe one.

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
        return Reply(_about_law(law), _shown_law(law))
    every = sf.laws()
    inputs = {"inputs": [" ".join(law.inputs()) for law in every.values()]}
    return _listed("laws", "formula", every, inputs, _about_law)


def noises(name: str | None = None, /) -> Reply:
    """List the noise models, or describe one.

    A noise model says how losses scatter about a law.

    ```
    scalingfit noises
    scalingfit noises student_t
    ```

    Parameters
    ----------
    name
        A noise model.
    """
    from scalingfit.catalog import noise
    from scalingfit.catalog import noises as every

    if name is not None:
        found = noise(name)
        return Reply(_about_noise(found), [_said(found), _priors(found.parameters())])
    return _listed("noises", "scatter", every(), {}, _about_noise)


def rules(name: str | None = None, /) -> Reply:
    """List the counting rules, or describe one.

    A counting rule says what a training run costs.

    ```
    scalingfit rules
    scalingfit rules 6ND-non-embedding
    ```

    Parameters
    ----------
    name
        A counting rule.
    """
    from scalingfit.allocation import counting, counting_rules

    if name is not None:
        rule = type(counting(name))
        return Reply(_about_rule(rule), [_said(rule), rule().describe()])
    return _listed("rules", "compute", counting_rules(), {}, _about_rule)


def _listed[Kind](
    what: str,
    heading: str,
    every: Mapping[str, type[Kind]],
    more: Mapping[str, list[str]],
    about: Callable[[type[Kind]], Mapping[str, object]],
) -> Reply:
    """All of one kind: a row each for people, and all about each for machines."""
    first_lines = [_first_line(each) for each in every.values()]
    columns = {"name": [*every], **more, heading: first_lines}
    data = {what: [about(each) for each in every.values()]}
    return Reply(data, [Table.of_texts(what, columns)])


def _first_line(kind: type) -> str:
    """Of its docstring: the formula of a law, or what the others are."""
    return inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]


def _source(kind: type) -> str:
    """The rest of it, without the list of its parameters: paper, equation, what symbols mean."""
    rest = inspect.cleandoc(kind.__doc__ or "").partition("\n")[2]
    return rest.partition("\nParameters\n")[0].strip()


def _said(kind: type[Law | Noise | Counting]) -> str:
    return f"{kind.name}: {_first_line(kind)}\n{_source(kind)}".rstrip()


def _about_law(law: type[Law]) -> dict[str, object]:
    return {
        "name": law.name,
        "formula": _first_line(law),
        "inputs": list(law.inputs()),
        "meanings": law.meanings(),
        "about": _source(law),
        "noise": law.default_noise,
        "parameters": _declared(law.parameters()),
        "published": {
            key: {"source": point.source, "conventions": point.conventions, **point.values}
            for key, point in law.published.items()
        },
    }


def _about_noise(noise: type[Noise]) -> dict[str, object]:
    return {
        "name": noise.name,
        "scatter": _first_line(noise),
        "about": _source(noise),
        "on_log": noise.on_log,
        "inputs": list(noise.inputs),
        "parameters": _declared(noise.parameters()),
    }


def _about_rule(rule: type[Counting]) -> dict[str, object]:
    return {
        "name": rule.name,
        "compute": _first_line(rule),
        "about": _source(rule),
        "counting": rule().describe(),
        "total": rule().total,
    }


def _declared(parameters: Mapping[str, Parameter]) -> dict[str, dict[str, str]]:
    return {
        name: {"prior": declared.describe_prior().format(name=name), "about": declared.about}
        for name, declared in parameters.items()
    }


def _priors(parameters: Mapping[str, Parameter]) -> Table:
    rows = _declared(parameters)
    return Table.of_texts(
        "parameters",
        {
            "parameter": [*rows],
            "prior": [row["prior"] for row in rows.values()],
            "meaning": [row["about"] for row in rows.values()],
        },
    )


def _shown_law(law: type[Law]) -> list[Table | str]:
    meanings, parameters = law.meanings(), law.parameters()
    inputs = {"input": [*meanings], "meaning": [*meanings.values()]}
    shown: list[Table | str] = [_said(law), Table.of_texts("inputs", inputs), _priors(parameters)]
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
