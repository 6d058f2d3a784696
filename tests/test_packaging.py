"""However scalingfit arrives, the same modules are there, and nothing beside them."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import scalingfit

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def shell(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command away from this checkout and return its standard output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_of(checkout: Path, to: Path) -> Path:
    """Copy the files that make up the repository; building writes into its folder."""
    kept = ("scalingfit", "models", "tests", "benchmarks", ".ci")
    to.mkdir()
    for path in checkout.iterdir():
        if path.name in kept:
            junk = shutil.ignore_patterns("__pycache__", "out")
            shutil.copytree(path, to / path.name, ignore=junk)
        elif path.is_file():
            shutil.copy2(path, to)
    return to


def build(kind: str, source: Path, out: Path) -> Path:
    """Call the build backend as an installer would: no network, no installer's own files."""
    out.mkdir()
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(out)!r})"
    shell(sys.executable, "-c", code, cwd=source)
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(ROOT, tmp_path_factory.mktemp("checkout") / "scalingfit")


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("sdist")
    return build("sdist", copy_of(checkout, work / "source"), work / "out")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the sdist, as installers do."""
    work = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    (source,) = work.iterdir()
    return build("wheel", source, work / "out")


def environment_at(folder: Path) -> Path:
    """Make a bare environment that sees this one's packages, but not its editable installs.

    A plain path in a .pth file is searched for packages; .pth files found there are not read.
    """
    venv.create(folder, symlinks=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    site_packages = Path(sysconfig.get_path("purelib", vars=paths))
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python"


def install(what: Path, folder: Path, *, editable: bool = False) -> Path:
    python = environment_at(folder)
    flags = ["--editable"] if editable else []
    shell(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed"),
        *flags,
        what,
        cwd=folder,
    )
    return python


WHAT_IS_THERE = """
import importlib.util, scalingfit, scalingfit.models
print(scalingfit.__version__)
print(scalingfit.models.__name__)
print(*sorted(scalingfit.laws()))
print(importlib.util.find_spec("models"))
print(scalingfit.__file__)
"""


@pytest.mark.parametrize("how", ["wheel", "editable"])
def test_installed(how: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    editable = how == "editable"
    source: Path = request.getfixturevalue("checkout" if editable else how)
    if editable:
        source = copy_of(source, tmp_path / "source")
    python = install(source, tmp_path / "environment", editable=editable)
    (tmp_path / "elsewhere").mkdir()
    version, models, laws, top_level, file = shell(
        python, "-c", WHAT_IS_THERE, cwd=tmp_path / "elsewhere"
    ).splitlines()
    assert version == scalingfit.__version__
    assert models == "scalingfit.models"
    assert laws.split() == sorted(scalingfit.laws())
    assert top_level == "None"
    assert Path(file).is_relative_to(source if editable else tmp_path / "environment")
    assert version in shell(python.with_name("scalingfit"), "--version", cwd=tmp_path)


def test_checkout_without_installation(checkout: Path, tmp_path: Path) -> None:
    python = environment_at(tmp_path / "environment")
    lines = shell(python, "-c", WHAT_IS_THERE, cwd=tmp_path, PYTHONPATH=str(checkout)).splitlines()
    assert lines[:2] == [scalingfit.__version__, "scalingfit.models"]
    assert lines[2].split() == sorted(scalingfit.laws())
    assert Path(lines[-1]).is_relative_to(checkout)


@pytest.mark.parametrize("module", ["models", "models.chinchilla"])
def test_models_is_no_package_of_its_own(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "ImportError" in done.stderr.splitlines()[-1]
    assert "write `import scalingfit.models`" in done.stderr


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path, checkout: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = {name for name in archive.namelist() if ".dist-info/" in name}
    folders = {"scalingfit": checkout / "scalingfit", "scalingfit/models": checkout / "models"}
    expected = {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert names == expected
    assert any(name.endswith("licenses/LICENSE") for name in metadata)


def test_the_sdist_holds_tests_and_benchmarks(sdist: Path, checkout: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/test_packaging.py", "models/__init__.py", "constraints.txt", "Makefile"} <= names
    for folder in ("tests", "benchmarks"):
        assert {
            path.relative_to(checkout).as_posix() for path in (checkout / folder).rglob("*.py")
        } <= names


def top_level_imports(source: str) -> set[str]:
    """Distributable packages that a module names, at any depth of its code."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    names += [node.module or "" for node in froms]
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def declared_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", requirement)[0] for requirement in requirements}


def test_every_import_is_a_declared_dependency() -> None:
    declared = declared_names(PYPROJECT["project"]["dependencies"])
    for extra in ("parquet", "excel", "report", "cluster"):
        declared |= declared_names(PYPROJECT["project"]["optional-dependencies"][extra])
    # h5py comes with the extra of h5netcdf that we ask for.
    allowed = {"scalingfit", "h5py", *declared}
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        (path.name, name)
        for folder in ("scalingfit", "models")
        for path in (ROOT / folder).rglob("*.py")
        for name in top_level_imports(path.read_text("utf-8"))
        if not {name, *providers.get(name, ())} & allowed
    }
    assert not undeclared


def test_constraints_name_versions_and_no_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin) for pin in pins)
    pinned = {pin.partition("==")[0] for pin in pins}
    requirements = list(PYPROJECT["project"]["dependencies"])
    for extra in PYPROJECT["project"]["optional-dependencies"].values():
        requirements += extra
    assert declared_names(requirements) - {"scalingfit"} <= pinned
