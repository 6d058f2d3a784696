"""The diagnostics against ArviZ's, and the words of the verdict."""

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy.signal import lfilter

from scalingfit.inference import Diagnosis, Limits, Verdict
from scalingfit.inference.diagnostics import diagnose, e_bfmi, ess_tail, rhat
from scalingfit.inference.verdict import judge
from scalingfit.result import Note

NAMES = ("alpha", "beta")


def autoregressive(memory: float, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(lfilter([np.sqrt(1 - memory**2)], [1, -memory], noise, axis=-1))


def apart(draws: np.ndarray) -> np.ndarray:
    return np.asarray(draws + np.arange(draws.shape[-2])[:, None] * 0.3)


CHAINS: dict[str, Callable[[], np.ndarray]] = {
    "independent": lambda: autoregressive(0.0, (4, 500)),
    "slow": lambda: autoregressive(0.95, (4, 500)),
    "antithetic": lambda: autoregressive(-0.7, (4, 500)),
    "apart": lambda: apart(autoregressive(0.3, (4, 500))),
    "odd number of draws": lambda: autoregressive(0.5, (3, 333)),
    "short": lambda: autoregressive(0.5, (2, 20)),
    "heavy tails": lambda: np.tan(autoregressive(0.5, (4, 400)) / 2),
    "ties": lambda: np.round(autoregressive(0.5, (4, 400))),
    "a trend": lambda: autoregressive(0.0, (4, 400)) + np.linspace(0, 3, 400),
    "almost stuck": lambda: np.repeat(autoregressive(0.0, (4, 10)), 50, axis=-1),
}


def diagnosis_of(draws: np.ndarray) -> Diagnosis:
    """Of one parameter, with energies that nothing is wrong with."""
    energy = np.random.default_rng(9).standard_normal(draws.shape)
    return diagnose(draws[None], energy, np.zeros(draws.shape, bool))


@pytest.mark.parametrize("kind", CHAINS)
def test_rhat_and_effective_sample_sizes_are_arvizs(kind: str) -> None:
    draws = CHAINS[kind]()
    made = diagnosis_of(draws)
    assert made.rhat[0] == pytest.approx(array_stats.rhat(draws), rel=1e-10)
    assert made.ess_bulk[0] == pytest.approx(array_stats.ess(draws, method="bulk"), rel=1e-10)
    tail = array_stats.ess(draws, method="tail", prob=(0.05, 0.95))
    assert made.ess_tail[0] == pytest.approx(tail, rel=1e-10)


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_e_bfmi_is_arvizs(memory: float) -> None:
    energy = autoregressive(memory, (4, 300))
    np.testing.assert_allclose(e_bfmi(energy), array_stats.bfmi(energy), rtol=1e-10)


def test_many_fits_are_judged_as_each_alone() -> None:
    draws = np.stack(
        [apart(autoregressive(m, (2, 4, 100), seed=i)) for i, m in enumerate((0, 0.9))]
    )
    energy = autoregressive(0.2, (2, 4, 100), seed=7)
    diverging = np.random.default_rng(0).random((2, 4, 100)) < 0.01
    together = diagnose(draws, energy, diverging)
    for fit in range(2):
        alone = diagnose(draws[fit], energy[fit], diverging[fit])
        for field in dataclasses.fields(Diagnosis):
            np.testing.assert_array_equal(
                getattr(together, field.name)[fit], getattr(alone, field.name)
            )


def test_ranks_make_it_indifferent_to_monotone_transforms() -> None:
    draws = autoregressive(0.5, (4, 200))
    assert rhat(np.exp(draws)) == pytest.approx(rhat(draws), rel=0.05)  # the folded half may move
    assert diagnosis_of(np.exp(draws)).ess_bulk == pytest.approx(diagnosis_of(draws).ess_bulk)
    assert ess_tail(np.exp(draws)) == pytest.approx(ess_tail(draws))


# --- what must never pass ------------------------------------------------------------------------

LENIENT = Limits(rhat=np.inf, ess=0.0, energy=0.0, divergences=10**9)


def good() -> np.ndarray:
    return autoregressive(0.0, (4, 500))


def one_constant() -> np.ndarray:
    draws = good()
    draws[2] = 1.0
    return draws


def one_nan() -> np.ndarray:
    draws = good()
    draws[1, 17] = np.nan
    return draws


def one_infinite() -> np.ndarray:
    draws = good()
    draws[1, 17] = np.inf
    return draws


DEAD: dict[str, Callable[[], np.ndarray]] = {
    "constant": lambda: np.ones((4, 500)),
    "one constant": one_constant,
    "one NaN": one_nan,
    "one infinite": one_infinite,
    "all NaN": lambda: np.full((4, 500), np.nan),
    "all infinite": lambda: np.full((4, 500), np.inf),
}


@pytest.mark.parametrize("kind", DEAD)
def test_dead_chains_never_pass_whatever_the_limits(kind: str) -> None:
    made = diagnosis_of(DEAD[kind]())
    assert made.stuck >= 1
    assert not made.passes(LENIENT)
    verdict = judge(made, ["alpha"], LENIENT, {})
    assert verdict.status == "not converged"
    assert "never moved or lost their energy" in str(verdict)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_energy_that_is_not_finite_never_passes(value: float) -> None:
    energy = autoregressive(0.0, (4, 500), seed=3)
    energy[0, 5] = value
    made = diagnose(good()[None], energy, np.zeros((4, 500), bool))
    assert made.stuck == 1
    assert not made.passes(LENIENT)


@pytest.mark.parametrize("field", ["rhat", "ess_bulk", "ess_tail", "e_bfmi"])
def test_a_nan_in_any_diagnostic_never_passes(field: str) -> None:
    made = diagnosis_of(good())
    assert made.passes(Limits())
    broken = dataclasses.replace(made, **{field: np.full_like(getattr(made, field), np.nan)})
    assert not broken.passes(LENIENT)
    assert judge(broken, ["alpha"], LENIENT, {}).status == "not converged"


# --- the verdict in words ------------------------------------------------------------------------

FINE = Diagnosis(
    rhat=np.array([1.001, 1.002]),
    ess_bulk=np.array([2000.0, 2100.0]),
    ess_tail=np.array([1500.0, 1400.0]),
    e_bfmi=np.array([0.9, 1.0, 1.1, 0.8]),
    divergences=np.array(0),
    stuck=np.array(0),
)


def verdict(widths: dict[str, float] | None = None, **changes: object) -> Verdict:
    made = dataclasses.replace(FINE, **changes)  # type: ignore[arg-type]
    given = judge(made, NAMES, Limits(), widths or {})
    assert bool(made.passes(Limits())) == (given.status != "not converged")
    return given


def test_a_fit_that_nothing_is_wrong_with_is_ok() -> None:
    given = verdict({"alpha": 0.3})
    assert given.ok
    assert str(given) == "verdict: ok"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rhat": np.array([1.0, 1.0101])}, r"R-hat of beta 1\.01.*at most 1\.01.*raise draws"),
        ({"ess_bulk": np.array([399.9, 500.0])}, r"bulk ESS of alpha 399\.9 .*at least 400"),
        ({"ess_tail": np.array([10.0, 20.0])}, r"tail ESS of alpha 10, beta 20 "),
        ({"e_bfmi": np.array([0.9, 0.29, 1.0, 1.0])}, r"E-BFMI 0\.29 .*at least 0\.3"),
        ({"divergences": np.array(1)}, r"1 divergent transition: .*narrower priors"),
        ({"stuck": np.array(2)}, r"2 chains never moved"),
    ],
)
def test_each_failure_has_its_words(changes: dict[str, Any], words: str) -> None:
    given = verdict(**changes)
    assert given.status == "not converged"
    (note,) = given.notes
    assert note.code == next(iter(changes))
    assert re.search(words, str(note))


def test_every_failure_is_named() -> None:
    given = verdict(
        rhat=np.array([1.5, np.nan]), divergences=np.array(7), e_bfmi=np.array([0.1] * 4)
    )
    assert [note.code for note in given.notes] == ["divergences", "rhat", "e_bfmi"]


def test_a_posterior_as_wide_as_its_prior_is_unidentified() -> None:
    given = verdict({"alpha": 0.3, "beta": 0.95})
    assert given.status == "unidentified"
    assert str(given).startswith("! beta: the posterior is 95% as wide as the prior")
    assert verdict({"beta": float("nan")}).status == "unidentified"


def test_a_design_that_limits_the_conclusions_is_reported() -> None:
    design = Note("design", "all runs share one budget")
    given = judge(FINE, NAMES, Limits(), {}, [design])
    assert given.status == "warned"
    assert str(given) == "! all runs share one budget\nverdict: warned"
    worse = judge(dataclasses.replace(FINE, stuck=np.array(1)), NAMES, Limits(), {}, [design])
    assert worse.status == "not converged"
    assert worse.notes[-1] == design
    assert worse.as_json()["status"] == "not converged"


def test_a_verdict_comes_back_from_its_record() -> None:
    given = verdict({"beta": 0.95}, divergences=np.array(7))
    assert Verdict.of(json.loads(json.dumps(given.record))) == given
