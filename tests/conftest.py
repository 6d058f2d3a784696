"""What the tests of every room share."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from scalingfit._errors import InputError
from tests.faces import callers, foreign

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

FOLDER_VARIABLE = "SCALINGFIT_DATA"


@pytest.fixture(autouse=True)
def refusals_speak_both_languages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold that no error of the library gives Python's advice to whoever types commands."""
    raised: list[tuple[InputError, bool]] = []
    make = InputError.__init__

    def remember(error: InputError, *args: object, **keywords: object) -> None:
        make(error, *args, **keywords)  # type: ignore[arg-type]
        if modules := callers():
            raised.append((error, any(name.startswith("scalingfit.cli") for name in modules)))

    monkeypatch.setattr(InputError, "__init__", remember)
    yield
    wrong = {str(error): found for error, typed in raised if (found := foreign(error, typed=typed))}
    assert not wrong


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of published tables; tests that need it are skipped where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get(FOLDER_VARIABLE) or beside)
    if not (folder / "epoch_chinchilla.csv").is_file():
        pytest.skip(f"no published tables here: name their folder in {FOLDER_VARIABLE}")
    return folder


@pytest.fixture
def published(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, where `datasets.read` looks for tables too."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(data_dir))
    return data_dir
