"""The demo, and the doctor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scalingfit as sf
from scalingfit.inference import Posterior
from scalingfit.runs import Runs
from tests.cli.typed import Done, one_json
from tests.report import standin


def test_the_demo_leaves_a_fit_and_figures(
    type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def fit(runs: Runs, **_: Any) -> Posterior:
        given.append(runs)
        return standin.posterior(runs=runs)

    monkeypatch.setattr(sf, "fit", fit)
    done = type_in("demo", "--out", "somewhere/new", "--json")
    assert done.err == ""
    written = [Path(path) for path in one_json(done.out)["written"]]
    assert written == [Path("somewhere/new", n) for n in ("fit.nc", "overview.png", "frontier.png")]
    assert sf.load(written[0]).runs.digest == given[0].digest
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[1:])
    # The runs are the part of the shipped table that its README calls near the frontier.
    assert given[0].provenance["dataset"]["name"] == "ladder"
    assert 20 <= len(given[0]) < len(sf.datasets.read("ladder"))


@pytest.mark.parametrize("sound", [True, False])
def test_the_doctor_says_what_is_here(
    sound: bool, type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = standin.posterior()
    if not sound:
        monkeypatch.setattr(
            Posterior, "summary", lambda _: {"alpha": {"q5": 9, "q50": 9, "q95": 9}}
        )
    monkeypatch.setattr(sf, "fit", lambda *_, **__: found)
    done = type_in("doctor", "--json")
    said = one_json(done.out)
    assert done.code == (0 if sound else 1)
    assert said["fit"]["ok"] == sound
    assert said["versions"]["scalingfit"] == sf.__version__
    assert said["devices"]
    assert said["precision"] in ("float64", "float32")
    assert "a small fit" in type_in("doctor").out
