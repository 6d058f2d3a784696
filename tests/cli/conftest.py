"""Commands as they are typed, and fits that they are asked of."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scalingfit import cli
from tests.cli.typed import Done
from tests.report import standin


@pytest.fixture
def type_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Done]:
    """Run commands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCALINGFIT_DATA", raising=False)

    def run(*arguments: str) -> Done:
        code = cli.run(arguments)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit whose verdict is ok."""
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    standin.posterior().save(path)
    return path


@pytest.fixture(scope="session")
def unsound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit whose chains disagree."""
    path = tmp_path_factory.mktemp("unsound") / "fit.nc"
    standin.posterior(sound=False).save(path)
    return path
