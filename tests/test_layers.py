"""Who may import whom, read from the source; and what an import may load."""

import ast
import graphlib
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import scalingfit

ROOT = Path(__file__).parents[1]

# A module may use its own room and what stands to its left, never what stands to its right. Some of
# these rooms are modules.
ROOMS = (
    "result",
    "declare",
    "noise",
    "law_error",
    "runs",
    "catalog",
    "allocation",
    "inference",
    "evidence",
    "experiments",
    "batch",
    "report",
    "cli",
    "__main__",
)

# Rooms within a room, in their order; the room's own door stands to the right of them all.
INNER = {
    "runs": ("values", "cells", "columns", "files", "rows", "provenance", "findings", "published"),
    "evidence": (
        "candidates",
        "hypotheses",
        "forecasts",
        "exponents",
        "comparison",
        "calibration",
    ),
}

HEAVY = {"arviz", "bokeh", "jax", "matplotlib", "numpyro", "pandas", "scipy", "xarray"}


class Import(NamedTuple):
    """One import: of a name from a module, or of a module as a whole (then the name is None)."""

    module: str
    name: str | None

    @property
    def target(self) -> str:
        """What is imported, written in full."""
        return self.module if self.name is None else f"{self.module}.{self.name}"


def imports_of(source: str, module: str, *, is_package: bool = False) -> set[Import]:
    """Every import of `source`, at any depth: in functions and for type checkers too."""
    found: set[Import] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(Import(alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                above = parts[: len(parts) - node.level + is_package]
                base = ".".join([*above, base] if base else above)
            found.update(Import(base, alias.name) for alias in node.names)
    return found


def room_of(name: str) -> tuple[str, ...]:
    """Room of a dotted name, and the room within it: empty for helpers, and where it is no room."""
    head, *parts = name.split(".")
    if head != "scalingfit" or not parts or (parts[0].startswith("_") and parts[0] != "__main__"):
        return ()
    inner = INNER.get(parts[0], ())
    return tuple(parts[:2] if len(parts) > 1 and parts[1] in inner else parts[:1])


def place(room: tuple[str, ...]) -> tuple[int, int]:
    """Where a room stands, from the left: helpers to the left of all, the face to the right."""
    if not room:
        return (-1, 0)
    outer, *within = room
    if outer not in ROOMS:  # a name of the public face
        return (len(ROOMS), 0)
    inner = INNER.get(outer, ())
    return (ROOMS.index(outer), inner.index(within[0]) if within else len(inner))


def sources() -> dict[str, Path]:
    """Every module of ours by its installed name."""
    found = {}
    for folder, name in (
        (ROOT / "scalingfit", "scalingfit"),
        (ROOT / "models", "scalingfit.models"),
    ):
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([name, *(part for part in parts if part != "__init__")])] = path
    return found


SOURCES = sources()


def face_of(room: tuple[str, ...]) -> set[str]:
    """The names that a room lists in ``__all__``."""
    path = SOURCES.get(".".join(["scalingfit", *room]))
    for node in ast.parse(path.read_text("utf-8")).body if path else []:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def breaches(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """Return what `source` imports from the right, or past a door."""
    return {
        each.target
        for each in imports_of(source, module, is_package=is_package)
        if each.module.partition(".")[0] == "scalingfit"
        and not (goes_left(module, each) and goes_through_the_door(module, each))
    }


def goes_left(module: str, each: Import) -> bool:
    """Whether an import stays in its room, or goes to one that stands to the left."""
    own, room = room_of(module), room_of(each.target)
    if each.target == "scalingfit":  # a way round to every room
        return own == ("cli",)
    if own == ("models",):
        return room in {("models",), ("declare",)}
    if room == ("models",):
        return own == ("catalog",)  # all other rooms get their laws from it, by name
    return place(room) <= place(own)


def goes_through_the_door(module: str, each: Import) -> bool:
    """Whether an import of another room is of a name that this room shows."""
    own, room = room_of(module), room_of(each.module)
    if room == ("models",):
        return True
    for depth in range(1, len(room) + 1):
        if room[:depth] != own[:depth]:
            door = room[:depth]
            return each.module == ".".join(["scalingfit", *door]) and each.name in face_of(door)
    return True


# The package itself is left out: its public names come from every room, each on first use.
@pytest.mark.parametrize("module", sorted(SOURCES.keys() - {"scalingfit"}))
def test_imports_go_to_the_left_and_through_doors(module: str) -> None:
    path = SOURCES[module]
    room = room_of(module)
    assert not room or room[0] in {*ROOMS, "models"}, f"{path} is of no room: name it in ROOMS"
    assert not breaches(path.read_text("utf-8"), module, is_package=path.stem == "__init__")


@pytest.mark.parametrize(
    "room", [(outer,) for outer in ROOMS] + [(o, i) for o in INNER for i in INNER[o]]
)
def test_a_room_shows_what_it_has(room: tuple[str, ...]) -> None:
    """Every name in ``__all__`` is there; a room that is not built yet has none."""
    name = ".".join(["scalingfit", *room])
    for shown in face_of(room):
        assert f"{name}.{shown}" in SOURCES or hasattr(importlib.import_module(name), shown)


@pytest.mark.parametrize(
    ("source", "module", "target"),
    [
        ("import scalingfit.inference", "scalingfit.runs.read", "scalingfit.inference"),
        ("from scalingfit import report", "scalingfit.batch.store", "scalingfit.report"),
        ("from scalingfit import fit", "scalingfit.batch.store", "scalingfit.fit"),
        ("from ..evidence import band", "scalingfit.allocation.flops", "scalingfit.evidence.band"),
        ("def f():\n    from ..cli import main", "scalingfit.report.plots", "scalingfit.cli.main"),
        ("from scalingfit.runs import Runs", "scalingfit._errors", "scalingfit.runs.Runs"),
        ("from scalingfit.catalog import law", "scalingfit.declare", "scalingfit.catalog.law"),
        ("import scalingfit.models.kaplan", "scalingfit.inference.fit", "scalingfit.models.kaplan"),
        ("import scalingfit as sf", "scalingfit.runs.read", "scalingfit"),
        (
            "from scalingfit.noise import Normal",
            "scalingfit.models.kaplan",
            "scalingfit.noise.Normal",
        ),
        ("from ..noise import Normal", "scalingfit.models.kaplan", "scalingfit.noise.Normal"),
        ("import scalingfit", "scalingfit.models.kaplan", "scalingfit"),
        (
            "from scalingfit.evidence.comparison import compare",
            "scalingfit.evidence.forecasts.scores",
            "scalingfit.evidence.comparison.compare",
        ),
        (
            "from scalingfit.evidence import band",
            "scalingfit.evidence.calibration",
            "scalingfit.evidence.band",
        ),
        # Past a door.
        (
            "from scalingfit.runs.table import Runs",
            "scalingfit.inference.fit",
            "scalingfit.runs.table.Runs",
        ),
        ("import scalingfit.runs.table", "scalingfit.inference.fit", "scalingfit.runs.table"),
        ("from scalingfit.runs import table", "scalingfit.inference.fit", "scalingfit.runs.table"),
        (
            "if TYPE_CHECKING:\n    from scalingfit.inference.fit import fit",
            "scalingfit.evidence.calibration",
            "scalingfit.inference.fit.fit",
        ),
        (
            "from scalingfit.evidence.forecasts.scores import band",
            "scalingfit.evidence.calibration",
            "scalingfit.evidence.forecasts.scores.band",
        ),
        (
            "from scalingfit.evidence.forecasts import band",
            "scalingfit.report.plots",
            "scalingfit.evidence.forecasts.band",
        ),
        ("from scalingfit.noise import np", "scalingfit.inference.fit", "scalingfit.noise.np"),
    ],
)
def test_an_import_to_the_right_or_past_a_door_is_found(
    source: str, module: str, target: str
) -> None:
    assert breaches(source, module) == {target}


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from scalingfit.declare import Law\nfrom .kaplan import K", "scalingfit.models.power"),
        ("from .._errors import InputError\nimport numpy", "scalingfit.runs.read"),
        ("import scalingfit.models", "scalingfit.catalog"),
        ("from scalingfit import __version__", "scalingfit.inference.fit"),
        ("import scalingfit as sf", "scalingfit.cli"),
        ("from .table import Runs\nfrom ..declare import Law", "scalingfit.runs.read"),
        ("from scalingfit.runs import Runs, datasets", "scalingfit.inference.fit"),
        ("from scalingfit.evidence import band", "scalingfit.report.plots"),
        ("from scalingfit.evidence.forecasts import band", "scalingfit.evidence.calibration"),
        ("from scalingfit.evidence.forecasts import band", "scalingfit.evidence"),
    ],
)
def test_an_import_to_the_left_is_fine(source: str, module: str) -> None:
    assert not breaches(source, module)


def graph() -> dict[str, set[str]]:
    """Which of our modules every module of ours imports; the stub says it of the package."""
    found = {}
    for module, path in SOURCES.items():
        stub = path.with_suffix(".pyi")
        text = (stub if stub.is_file() else path).read_text("utf-8")
        every = imports_of(text, module, is_package=path.stem == "__init__")
        wanted = {each.target if each.target in SOURCES else each.module for each in every}
        own = {each.module for each in every if each.target == "scalingfit.__version__"}
        found[module] = (wanted & SOURCES.keys()) - own
    return found


def test_no_imports_go_round_in_circles() -> None:
    """In functions and for type checkers neither: each module can be read before its users."""
    graphlib.TopologicalSorter(graph()).prepare()  # raises CycleError, which names the circle


def test_a_circle_is_found() -> None:
    circle = {"posterior": {"files"}, "files": {"posterior"}}
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(circle).prepare()


def samples(source: str) -> bool:
    """Whether the source names `numpyro.sample`, by whatever alias."""
    tree = ast.parse(source)
    primitives = ("numpyro", "numpyro.primitives")
    aliases = {"numpyro", "numpyro.primitives"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name for alias in node.names if alias.name in aliases}
        elif isinstance(node, ast.ImportFrom) and node.module in primitives:
            if "sample" in {alias.name for alias in node.names}:
                return True
            aliases |= {
                alias.asname or alias.name for alias in node.names if alias.name == "primitives"
            }
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "sample"
        and ast.unparse(node.value) in aliases
        for node in ast.walk(tree)
    )


def test_only_the_model_samples() -> None:
    found = {module for module, path in SOURCES.items() if samples(path.read_text("utf-8"))}
    assert found <= {"scalingfit.inference.model"}


@pytest.mark.parametrize(
    "source",
    [
        "import numpyro\nnumpyro.sample('E', prior)",
        "import numpyro as npy\nnpy.sample('E', prior)",
        "from numpyro import sample as draw",
        "from numpyro import primitives as p\np.sample('E', prior)",
        "import numpyro.primitives\nnumpyro.primitives.sample('E', prior)",
    ],
)
def test_every_spelling_of_sample_is_found(source: str) -> None:
    assert samples(source)
    assert not samples("prior.sample(key)\n" + source.replace("sample", "deterministic"))


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n' + ' '.join(sys.modules))"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_the_package_loads_lazily() -> None:
    assert not loaded_by("import scalingfit; dir(scalingfit)") & HEAVY


def test_an_import_leaves_the_devices_to_the_user() -> None:
    """Of all laws, too; JAX's own functions refuse once it has looked for devices."""
    code = """
import scalingfit as sf
[getattr(sf, name) for name in sf.__all__]
[law.parameters() for law in sf.laws().values()]
import jax
jax.config.update("jax_num_cpu_devices", 3)
assert jax.device_count() == 3 or jax.default_backend() != "cpu"
"""
    assert "jax" in loaded_by(code)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import contextlib, sys\n"
        "from scalingfit.cli import main\n"
        "sys.argv = ['scalingfit', '--help']\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main()"
    )
    loaded = loaded_by(code)
    assert "cyclopts" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", vars(scalingfit)["__all__"])
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(scalingfit, name) is not None
    assert name in dir(scalingfit)


def test_law_is_a_function() -> None:
    assert scalingfit.law("chinchilla").name == "chinchilla"
    assert scalingfit.law is importlib.import_module("scalingfit.catalog").law


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'fitt'.*__version__"):
        scalingfit.fitt  # type: ignore[attr-defined]  # noqa: B018
