"""Who may import whom, read from the source; and what an import may load."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import scalingfit

ROOT = Path(__file__).parents[1]

# A module may use its own room and what stands to its left, never what stands to its right.
ROOMS = (
    "result",
    "law",
    "noise",
    "runs",
    "catalog",
    "inference",
    "allocation",
    "evidence",
    "batch",
    "report",
    "cli",
    "__main__",
)

# The declared exceptions, (module, room to its right): an import inside a function, where the
# public interface hands over to a later room. `sf.law("chinchilla")` is one: `scalingfit.law` is
# a module, so the module is callable and hands over to the catalogue.
HANDOVERS = {
    ("scalingfit.law", "catalog"),
    ("scalingfit.inference.posterior", "allocation"),
    ("scalingfit.inference.posterior", "evidence"),
}

HEAVY = {"arviz", "bokeh", "jax", "matplotlib", "numpyro", "pandas", "scipy", "xarray"}


class Import(NamedTuple):
    """One imported name, and whether it waits inside a function."""

    target: str
    deferred: bool


def imports_of(source: str, module: str, *, is_package: bool = False) -> set[Import]:
    """Every name that `source` imports, written in full, at any depth of the code."""
    found: set[Import] = set()

    def visit(node: ast.AST, *, deferred: bool) -> None:
        if isinstance(node, ast.Import):
            found.update(Import(alias.name, deferred) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                above = parts[: len(parts) - node.level + is_package]
                base = ".".join([*above, base] if base else above)
            found.update(Import(f"{base}.{alias.name}", deferred) for alias in node.names)
        deferred = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            visit(child, deferred=deferred)

    visit(ast.parse(source), deferred=False)
    return found


def room_of(name: str) -> str | None:
    """Room of a dotted name: None where it is not ours, "" for the package and its helpers."""
    head, _, rest = name.partition(".")
    if head != "scalingfit":
        return None
    room = rest.partition(".")[0]
    if room.startswith("_") and room != "__main__":
        return ""
    return room


def breaches(source: str, module: str, *, is_package: bool = False) -> set[tuple[str, str | None]]:
    """Return (module, room) for every import of `source` that goes to the right."""
    imported = imports_of(source, module, is_package=is_package)
    own = room_of(module)
    if own == "models":
        allowed = ("scalingfit.law.", "scalingfit.models.")
        return {
            (module, room_of(target) or "scalingfit")
            for target, _ in imported
            if room_of(target) is not None and not f"{target}.".startswith(allowed)
        }
    allowed = {None, "", *(ROOMS[: ROOMS.index(own) + 1] if own else ())}
    if own == "catalog":  # all other rooms get their laws from it, by name
        allowed.add("models")
    found = set()
    for target, deferred in imported:
        room = room_of(target)
        if target == "scalingfit" and own != "cli":  # a way round to every room
            found.add((module, "scalingfit"))
        elif room not in allowed and not (deferred and (module, room) in HANDOVERS):
            found.add((module, room))
    return found


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


# The package itself is left out: its public names come from every room, each on first use.
@pytest.mark.parametrize("module", sorted(SOURCES.keys() - {"scalingfit"}))
def test_every_import_goes_to_the_left(module: str) -> None:
    path = SOURCES[module]
    room = room_of(module)
    assert room in {*ROOMS, "", "models"}, f"{path} belongs to no room: name its place in ROOMS"
    assert not breaches(path.read_text("utf-8"), module, is_package=path.stem == "__init__")


def test_every_handover_is_used() -> None:
    used = {
        (module, room_of(target))
        for module, path in SOURCES.items()
        for target, deferred in imports_of(path.read_text("utf-8"), module)
        if deferred
    }
    existing = {handover for handover in HANDOVERS if handover[0] in SOURCES}
    assert existing <= used


@pytest.mark.parametrize(
    ("source", "module", "room"),
    [
        ("import scalingfit.inference.point", "scalingfit.runs.read", "inference"),
        ("from scalingfit import report", "scalingfit.batch.store", "report"),
        ("from ..evidence import loo", "scalingfit.allocation.flops", "evidence"),
        ("def f():\n    from ..cli import main", "scalingfit.report.html", "cli"),
        ("from scalingfit.runs import Runs", "scalingfit._errors", "runs"),
        ("from scalingfit.catalog import laws", "scalingfit.law", "catalog"),
        ("from scalingfit.models.kaplan import Kaplan", "scalingfit.inference.point", "models"),
        ("import scalingfit as sf", "scalingfit.runs.read", "scalingfit"),
        ("from scalingfit.noise import Normal", "scalingfit.models.chinchilla", "noise"),
        ("from ..noise import Normal", "scalingfit.models.chinchilla", "noise"),
        ("import scalingfit", "scalingfit.models.chinchilla", "scalingfit"),
    ],
)
def test_an_import_to_the_right_is_found(source: str, module: str, room: str) -> None:
    assert breaches(source, module) == {(module, room)}


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from scalingfit.law import Law\nfrom .chinchilla import C", "scalingfit.models.kaplan"),
        ("from .._errors import InputError\nimport numpy", "scalingfit.runs.read"),
        ("import scalingfit.models", "scalingfit.catalog"),
        ("from scalingfit import __version__", "scalingfit.inference.posterior"),
        ("import scalingfit as sf", "scalingfit.cli"),
        ("from .table import Runs\nfrom ..law import Law", "scalingfit.runs.read"),
        ("def f():\n    from scalingfit.catalog import law", "scalingfit.law"),
    ],
)
def test_an_import_to_the_left_is_fine(source: str, module: str) -> None:
    assert not breaches(source, module)


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


@pytest.mark.parametrize("name", scalingfit.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(scalingfit, name) is not None
    assert name in dir(scalingfit)


def test_law_is_a_name_to_call_and_a_module() -> None:
    module = importlib.import_module("scalingfit.law")
    assert scalingfit.law("chinchilla").name == "chinchilla"
    assert issubclass(scalingfit.law("chinchilla"), module.Law)


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'fitt'.*__version__"):
        scalingfit.fitt  # noqa: B018  # type: ignore[attr-defined]


def test_type_checkers_see_the_public_names() -> None:
    tree = ast.parse(SOURCES["scalingfit"].read_text("utf-8"))
    blocks = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = {
        alias.asname
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == set(scalingfit.__all__) - {"__version__"}
