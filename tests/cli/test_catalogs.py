"""Laws, noise models and counting rules, listed and shown."""

from collections.abc import Callable

import pytest

import scalingfit as sf
from scalingfit.allocation import counting_rules
from scalingfit.catalog import noises
from tests.cli.typed import Done, one_json


def test_laws(type_in: Callable[..., Done]) -> None:
    listed = one_json(type_in("laws", "--json").out)["laws"]
    assert [row["name"] for row in listed] == list(sf.laws())
    (chinchilla,) = [row for row in listed if row["name"] == "chinchilla"]
    assert chinchilla["published"]["besiroglu-2024"]["alpha"] == 0.3478
    assert chinchilla["inputs"] == ["N", "D"]
    assert chinchilla["meanings"] == {"N": "parameters", "D": "training tokens"}
    shown = type_in("laws", "chinchilla").out
    assert "arXiv 2203.15556" in shown
    assert "N total parameters, D tokens, L in nats per token; rounded as printed" in shown
    assert "A/N^alpha at N=1e+09 ~ LogNormal(log 0.35, 1.5)" in shown


@pytest.mark.parametrize("name", sf.laws())
def test_every_law_can_be_shown(name: str, type_in: Callable[..., Done]) -> None:
    about = one_json(type_in("laws", name, "--json").out)
    assert about["name"] == name
    shown = type_in("laws", name).out
    assert name in shown
    said = [line.split(maxsplit=1) for line in shown.splitlines()]
    assert all([symbol, meaning] in said for symbol, meaning in about["meanings"].items())
    assert all([key, row["conventions"]] in said for key, row in about["published"].items())


def test_noises(type_in: Callable[..., Done]) -> None:
    listed = one_json(type_in("noises", "--json").out)["noises"]
    assert [row["name"] for row in listed] == list(noises())
    assert all(row["scatter"] and row["parameters"] for row in listed)
    (absolute,) = [row for row in listed if row["name"] == "laplace_level"]
    assert not absolute["on_log"]
    assert "units of the loss" in absolute["parameters"]["sigma"]["about"]
    assert all(name in type_in("noises").out for name in noises())


def test_rules(type_in: Callable[..., Done]) -> None:
    listed = one_json(type_in("rules", "--json").out)["rules"]
    assert {row["name"]: row["counting"] for row in listed} == {
        name: rule().describe() for name, rule in counting_rules().items()
    }
    ours = {"6ND": None, "6ND-non-embedding": True, "6ND-with-embedding": False}
    assert ours.items() <= {row["name"]: row["total"] for row in listed}.items()
    shown = type_in("rules", "6ND-non-embedding").out
    assert "arXiv 2406.12907" in shown
    assert "47491" in shown
    assert "Parameters" not in shown


@pytest.mark.parametrize(
    ("command", "name"),
    [("noises", name) for name in noises()] + [("rules", name) for name in counting_rules()],
)
def test_every_noise_model_and_rule_can_be_shown(
    command: str, name: str, type_in: Callable[..., Done]
) -> None:
    about = one_json(type_in(command, name, "--json").out)
    assert about["name"] == name
    shown = type_in(command, name).out
    assert shown.startswith(f"{name}: ")
    said = [line.split(maxsplit=1) for line in shown.splitlines()]
    assert all(any(words[:1] == [key] for words in said) for key in about.get("parameters", ()))
