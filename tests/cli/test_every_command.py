"""What every command takes: quiet, colours, completion, and the schema of JSON."""

import json
import re
from pathlib import Path

import pytest

from docs import schemas
from scalingfit import cli
from scalingfit.result import SCHEMA

COLOUR = re.compile(r"\x1b\[[\d;]*?(?:3[0-8]|4[0-8]|9[0-7])[\d;]*m")
BEYOND = ("frontier", "fit.nc", "--compute", "1e30")


@pytest.fixture
def fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds a fit."""
    from tests.report import standin

    monkeypatch.chdir(tmp_path)
    standin.posterior().save("fit.nc")
    return tmp_path


def test_quiet_leaves_standard_error_empty(
    fitted: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # standard error is taken for a terminal
    fit = ["fit", "ladder", "--where", "C>1e12", "--draws", "100", "--law-error", "none"]
    cli.run(fit)
    assert capsys.readouterr().err
    cli.run([*fit, "-q"])
    out, err = capsys.readouterr()
    assert out
    assert err == ""


def test_quiet_still_says_why_a_command_is_refused(
    fitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["-q", "frontier", "nowhere.nc", "--compute", "1e20"]) == cli.REFUSED
    assert "nowhere.nc" in capsys.readouterr().err


def test_no_color(
    fitted: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    cli.run(BEYOND)
    assert COLOUR.search(capsys.readouterr().out)
    monkeypatch.setenv("NO_COLOR", "1")
    cli.run(BEYOND)
    assert not COLOUR.search(capsys.readouterr().out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_every_command(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "completion"
    assert cli.run(["--install-completion", "--shell", shell, "--output", str(path)]) == cli.OK
    capsys.readouterr()
    written = path.read_text("utf-8")
    assert [command for command in cli.COMMANDS if command not in written] == []


@pytest.mark.parametrize(
    "command", ["laws", "frontier fit.nc --compute 1e20", "frontier nowhere.nc --compute 1e20"]
)
def test_json_says_its_schema(
    command: str, fitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run([*command.split(), "--json"])
    assert json.loads(capsys.readouterr().out)["schema"] == SCHEMA


def test_a_schema_tells_answers_from_what_is_none() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="comes with the extra docs")
    answer = {"rows": [{"N": {"q5": 1.0, "q50": 2.0, "q95": None}, "of": "C"}], "ok": True}
    found = {**schemas.schema(answer), "$defs": {"interval": schemas.INTERVAL}}
    jsonschema.validate(answer, found)
    for wrong in ({**answer, "ok": "yes"}, {"ok": True}, {**answer, "rows": [{"N": 1.0}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, found)
