"""Laws by name, ours and other packages'."""

import importlib
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import scalingfit.models

import scalingfit as sf
from scalingfit import catalog
from scalingfit._errors import InputError
from scalingfit.declare import Array, Law, dist, parameter

MODELS = Path(sf.__file__).parents[1] / "models"


class Constant(Law):
    """A law of another package."""

    E: Array = parameter(dist.LogNormal(0.0, 1.0), "the loss")

    def loss(self, N: Any) -> Any:
        return self.E + 0 * N


@pytest.fixture
def afresh() -> Iterator[None]:
    """Forget what was found before and after."""
    vars(catalog.LAWS).pop("classes", None)
    yield
    vars(catalog.LAWS).pop("classes", None)


def test_every_file_of_models_gives_a_law() -> None:
    files = {path.stem for path in MODELS.glob("[!_]*.py")}
    modules = {found.__module__ for found in sf.laws().values()}
    assert {f"scalingfit.models.{name}" for name in files} <= modules
    assert list(sf.laws()) == sorted(sf.laws())
    assert all(name == found.name for name, found in sf.laws().items())


def test_a_name_or_a_class_will_do() -> None:
    chinchilla = sf.law("chinchilla")
    assert sf.law(chinchilla) is chinchilla
    assert sf.law(Constant) is Constant


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chinchila", r"unknown law 'chinchila'; did you mean chinchilla\?"),
        ("xyz", r"unknown law 'xyz'; known: broken, .*chinchilla"),
        (42, "unknown law 42"),
    ],
)
def test_an_unknown_law_is_told_with_its_nearest(name: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sf.law(name)


@pytest.mark.parametrize("value", ["{module}:Constant", "{module}"])
@pytest.mark.usefixtures("afresh")
def test_other_packages_offer_laws_through_entry_points(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """As a class, or as a module with laws in it."""
    monkeypatch.setitem(sys.modules, Constant.__module__, sys.modules[__name__])
    entry = importlib.metadata.EntryPoint(
        "theirs", value.format(module=Constant.__module__), "scalingfit.laws"
    )
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda *, group: [entry] if group == entry.group else []
    )
    assert sf.law("constant") is Constant
    assert "chinchilla" in sf.laws()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Line(Law)", r"laws of line.py cannot be loaded\n  SyntaxError"),
        (
            """
class Line(Law):
    A: Array = coefficient(of="D", power="a", at=1, median=1, log_sd=1, about="")
    def loss(self, N): return self.A
""",
            r"laws of line.py cannot be loaded\n  TypeError: Line.A: its exponent 'a'",
        ),
        (
            """
class Line(Law):
    A: Array = parameter(dist.LogNormal(0, 1), "")
    def lose(self, N): return self.A
""",
            "the law Line of scalingfit.models.line has no loss",
        ),
        (
            """
class Chinchilla(Law):
    A: Array = parameter(dist.LogNormal(0, 1), "")
    def loss(self, N): return self.A
""",
            r"(?s)two laws are called 'chinchilla'.*scalingfit.models.line",
        ),
    ],
)
@pytest.mark.usefixtures("afresh")
def test_a_faulty_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    head = "from scalingfit.declare import Array, Law, coefficient, dist, parameter\n"
    (tmp_path / "line.py").write_text(head + source)
    folders = [*scalingfit.models.__path__, str(tmp_path)]
    monkeypatch.setattr(scalingfit.models, "__path__", folders)
    importlib.invalidate_caches()
    try:
        with pytest.raises(InputError, match=said):
            sf.law("chinchilla")
    finally:
        sys.modules.pop("scalingfit.models.line", None)


@pytest.mark.usefixtures("afresh")
def test_another_package_cannot_take_the_place_of_a_law(monkeypatch: pytest.MonkeyPatch) -> None:

    def loss(self: Any, N: Any) -> Any:
        return self.E + 0 * N

    E = parameter(dist.LogNormal(0.0, 1.0), "the loss")
    theirs = ModuleType("theirs")
    body = {"__annotations__": {"E": Array}, "__module__": "theirs", "E": E, "loss": loss}
    vars(theirs)["Broken"] = type("Broken", (Law,), body)
    entry = importlib.metadata.EntryPoint("theirs", "theirs:Broken", "scalingfit.laws")
    monkeypatch.setitem(sys.modules, "theirs", theirs)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: [entry])
    with pytest.raises(InputError, match=r"(?s)two laws are called 'broken'.*models.broken"):
        sf.laws()
