"""Where compiled programs are kept."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scalingfit.cli._cache import cache_folder, use_cache
from tests.cli.typed import ROOT, one_json
from tests.report import standin


def test_the_cache_of_compiled_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variable = "JAX_COMPILATION_CACHE_DIR"
    monkeypatch.setenv(variable, "")  # so that it is put back after the test
    monkeypatch.delenv(variable)
    monkeypatch.setenv("SCALINGFIT_CACHE", "off")
    use_cache()
    assert cache_folder() is None
    assert variable not in os.environ
    monkeypatch.setenv("SCALINGFIT_CACHE", str(tmp_path))
    use_cache()
    assert os.environ[variable] == str(tmp_path / "jax")
    monkeypatch.setenv(variable, "theirs")
    use_cache()
    assert os.environ[variable] == "theirs"


@pytest.mark.fault("cache", "the command's folder is open to others", "not used, and said")
def test_a_cache_that_others_may_write_to_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variable = "JAX_COMPILATION_CACHE_DIR"
    monkeypatch.setenv(variable, "")  # so that it is put back after the test
    monkeypatch.delenv(variable)
    monkeypatch.setenv("SCALINGFIT_CACHE", str(tmp_path))
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax").chmod(0o777)
    use_cache()
    assert variable not in os.environ
    assert f"chmod go-w {tmp_path / 'jax'}" in capsys.readouterr().err
    (tmp_path / "jax").rmdir()
    use_cache()
    assert os.environ[variable] == str(tmp_path / "jax")
    assert stat.S_IMODE((tmp_path / "jax").stat().st_mode) == 0o700


@pytest.mark.slow
@pytest.mark.fault("cache", "every compiled program cut short, or blanked", "compiled anew")
@pytest.mark.parametrize("content", [b"", bytes(5000), None])
def test_corrupt_programs_are_compiled_anew(content: bytes | None, tmp_path: Path) -> None:
    standin.table().to_pandas().to_csv(tmp_path / "runs.csv", index=False)
    environment = {name: text for name, text in os.environ.items() if not name.startswith("JAX_")}
    environment |= {"SCALINGFIT_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}

    def fit() -> Any:
        command = [
            sys.executable,
            "-m",
            "scalingfit",
            "fit",
            "runs.csv",
            "--draws",
            "100",
            "--json",
        ]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1), done.stderr
        assert "Traceback" not in done.stderr
        return one_json(done.stdout)["parameters"]

    made = fit()
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    assert fit() == made
