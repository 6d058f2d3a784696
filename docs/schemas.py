"""JSON Schemas of what commands print with ``--json``, made from what they do print."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from docs.examples import captured
from scalingfit import cli

__all__ = ["write"]

COMMANDS = {
    "read": "read ladder",
    "fit": "fit ladder --where C>1.9e11 --where D/N>1.5 --where D/N<400",
    "frontier": "frontier fit.nc --compute 1e13",
    "forecast": "forecast fit.nc --params 300K --tokens 12M",
    "cheapest": "cheapest fit.nc --loss 1.4",
    "decide": "decide fit.nc --compute 1e13 --plan 100K",
    "returns": "returns fit.nc --compute 1e13",
    "design": "design fit.nc --budget 2e12 --target 1e14 --aim size --batch 4",
    "plan": "plan --budget 1e20 --target 1e23 --about hoffmann-2022",
}

INTERVAL = {
    "type": "object",
    "description": "median q50 between the ends of a 90 % interval; null where not finite",
    "properties": {key: {"type": ["number", "null"]} for key in ("q5", "q50", "q95")},
    "required": ["q5", "q50", "q95"],
}

type Schema = Mapping[str, object]


def write(folder: Path) -> None:
    """Write a schema for each command into a folder, in the folder where the fit is."""
    folder.mkdir(exist_ok=True)
    for name, command in COMMANDS.items():
        with captured() as output:
            cli.run([*command.split(), "--json"])
        found = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"scalingfit {name} --json",
            **schema(json.loads(output.getvalue())),
            "$defs": {"interval": INTERVAL},
        }
        (folder / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def schema(value: object) -> Schema:
    """The schema of a value; a number may also be null, which stands for NaN and infinities."""
    match value:
        case {"q5": _, "q50": _, "q95": _}:
            return {"$ref": "#/$defs/interval"}
        case dict():
            return {
                "type": "object",
                "properties": {key: schema(item) for key, item in value.items()},
                "required": [*value],
            }
        case list():
            return {"type": "array", "items": either([schema(item) for item in value])}
        case bool():
            return {"type": "boolean"}
        case str():
            return {"type": "string"}
        case None:
            return {"type": "null"}
        case _:
            return {"type": ["number", "null"]}


def either(found: Sequence[Schema]) -> Schema:
    """One schema for all items of a list."""
    distinct = [one for place, one in enumerate(found) if one not in found[:place]]
    if not distinct:
        return {}
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}
