"""Tables that are read, and those that come by name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import scalingfit as sf
from tests.cli.typed import Done, frame, one_json


def test_read_says_what_it_understood(type_in: Callable[..., Done]) -> None:
    table = frame()
    table["family"] = "a"
    table[["params", "tokens"]] /= [1e6, 1e9]
    table.rename(columns={"params": "size (M)", "tokens": "seen"}).to_csv("runs.csv", index=False)
    done = type_in("read", "runs.csv", "-c", "N=size (M)", "-c", "D=seen*1e9", "--json")
    assert done.code == 0
    runs = one_json(done.out)
    np.testing.assert_allclose(runs["columns"]["N"]["max"], 1e10)
    np.testing.assert_allclose(runs["columns"]["D"]["max"], 10**11.5)
    assert runs["labels"] == ["family"]
    assert (
        "48 runs from runs.csv"
        in type_in("read", "runs.csv", "-c", "N=size (M)", "-c", "D=seen*1e9").out
    )


def test_read_draws_the_design(type_in: Callable[..., Done]) -> None:
    frame().to_csv("runs.csv", index=False)
    done = type_in("read", "runs.csv", "--plot", "design.png")
    assert done.code == 0
    assert done.out.endswith("drawn in design.png\n")
    assert Path("design.png").read_bytes().startswith(b"\x89PNG")
    assert type_in("read", "runs.csv", "--plot", "design.doc").code == 2


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        (["family=a"], 24),
        (["family!=a"], 24),
        (["family==a"], 24),
        (["step == 7"], 2),
        (["N>1e9"], 24),
        (["params>1e9"], 24),
        (["N>=1e8", "N < 1e9", "family=b"], 12),
        (["D/N>20"], 28),
        (["step<=2"], 6),
    ],
)
def test_where(conditions: list[str], count: int, type_in: Callable[..., Done]) -> None:
    frame().assign(family=["a", "b"] * 24, step=[*range(24)] * 2).to_csv("runs.csv", index=False)
    words = [word for condition in conditions for word in ("--where", condition)]
    found = one_json(type_in("read", "runs.csv", *words, "--json").out)
    assert found["count"] == count
    assert len(found["provenance"]["kept"]) == len(conditions)


def test_the_shipped_table_by_its_name(type_in: Callable[..., Done]) -> None:
    assert (
        one_json(type_in("read", "ladder", "--json").out)["provenance"]["dataset"]["name"]
        == "ladder"
    )


def test_datasets(type_in: Callable[..., Done]) -> None:
    listed = one_json(type_in("datasets", "--json").out)["datasets"]
    assert [row["name"] for row in listed] == sf.datasets.names()
    assert one_json(type_in("datasets", "ladder", "--json").out)["licence"] == "Apache-2.0"
    shown = type_in("datasets").out
    assert all(name in shown for name in sf.datasets.names())
