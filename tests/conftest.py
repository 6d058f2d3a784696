"""What the tests of every room share."""

import os
from pathlib import Path

import pytest

FOLDER_VARIABLE = "SCALINGFIT_DATA"


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
    """The same folder, where `datasets.load` looks for tables too."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(data_dir))
    return data_dir
