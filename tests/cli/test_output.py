"""Standard output and standard error that take nothing."""

import os
import subprocess
import sys

import pytest

from tests.cli.typed import ROOT, one_json

ENDS = {
    "full": (">/dev/full", "No space left on device"),
    "closed": (">&-", "is closed"),
}


@pytest.mark.fault("command", "standard output is full or closed", "refused in words, exit code 2")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("words", ["laws", "laws --json", "laws nosuch --json", "--help"])
def test_an_answer_that_cannot_be_printed_is_told(end: str, words: str) -> None:
    sink, said = ENDS[end]
    done = shell(f"{sys.executable} -m scalingfit {words} {sink}")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.fault("command", "standard error is full or closed", "the answer all the same")
@pytest.mark.parametrize("sink", ["2>/dev/full", "2>&-"])
def test_remarks_that_cannot_be_printed_do_not_stop_an_answer(sink: str) -> None:
    done = shell(f"{sys.executable} -m scalingfit laws chinchilla --json {sink}")
    assert done.returncode == 0
    assert one_json(done.stdout)["name"] == "chinchilla"
    assert shell(f"{sys.executable} -m scalingfit laws nosuch {sink}").returncode == 2


def shell(command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
