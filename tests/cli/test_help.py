"""Help of every command, and what it promises."""

import dataclasses
import inspect
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

import scalingfit as sf
from scalingfit import cli
from scalingfit.cli._sampling import Sampling
from scalingfit.cli.fits import fit
from scalingfit.inference import SAMPLING
from scalingfit.law_error import LAW_ERROR
from tests.cli.typed import ROOT, Done

COMMANDS = [*cli.COMMANDS]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, type_in: Callable[..., Done]) -> None:
    done = type_in(command, "--help")
    assert done.code == 0
    assert f"scalingfit {command}" in done.out.partition("\n")[2]  # an example, below the usage
    assert "--json" in done.out
    listing = type_in("--help").out
    first_line = done.out.splitlines()[2]
    assert command in listing
    assert first_line.split()[0] in listing


def test_help_of_a_command_loads_nothing_heavy() -> None:
    code = (
        "import sys; from scalingfit.cli import run\n"
        f"for name in {COMMANDS}: assert run([name, '--help']) == 0\n"
        "heavy = {'arviz', 'jax', 'matplotlib', 'numpyro', 'pandas', 'scipy', 'xarray'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_names_that_the_help_promises_are_listed_by_the_command_that_it_names(
    type_in: Callable[..., Done],
) -> None:
    for command, listing in (("fit", "noises"), ("frontier", "rules"), ("plan", "rules")):
        text = type_in(command, "--help").out.replace("│", " ")
        assert f"scalingfit {listing} lists" in " ".join(text.split())
    for listing in ("laws", "noises"):
        refused = type_in(listing, "nosuch")
        assert refused.code == cli.REFUSED
        assert f"'scalingfit {listing}' lists them" in refused.err
    assert "by name: 6ND" in type_in("rules", "nosuch").err


def test_options_have_the_defaults_of_the_library() -> None:
    library = inspect.signature(sf.fit).parameters
    shared = {
        name: option.default
        for name, option in inspect.signature(fit).parameters.items()
        if name in library and name != "runs"
    }
    assert shared.pop("law_error") == "smooth"  # in words what the library's default is
    assert library["law_error"].default == LAW_ERROR
    assert shared == {name: library[name].default for name in shared}
    assert {"law", "noise"} <= shared.keys()
    assert Sampling().options() == {"seed": library["seed"].default}
    sampling = {field.name for field in dataclasses.fields(Sampling)}
    assert sampling == library.keys() & {*SAMPLING} - {"limits"}
