"""Tables too poor to fit: each ends with a verdict, or is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.inference import Posterior, Settings, build, posterior_of
from scalingfit.noise import Normal
from scalingfit.runs import Runs
from tests.batch.small import pretend
from tests.inference.small_fits import QUICK

STATUSES = {"ok", "warned", "unidentified", "not converged"}


def assert_told(posterior: Posterior) -> None:
    """There is a verdict in words, and nothing broken passes for sound."""
    assert posterior.verdict.status in STATUSES
    assert posterior.verdict.ok or posterior.verdict.notes
    if posterior.verdict.status != "not converged":
        assert all(np.isfinite(draws).all() for draws in posterior.draws.values())
    assert str(posterior.verdict) in str(posterior)


@pytest.mark.parametrize(
    "rows", [8, *(pytest.param(rows, marks=pytest.mark.slow) for rows in (12, 25))]
)
def test_small_tables_end_with_a_verdict(simulated: Callable[..., Runs], rows: int) -> None:
    assert_told(sf.fit(simulated(rows, seed=rows), **QUICK))


def all_equal(runs: Runs) -> dict[str, np.ndarray]:
    return {"L": np.full(len(runs), 2.5)}


def one_outlier(runs: Runs) -> dict[str, np.ndarray]:
    return {"L": np.where(np.arange(len(runs)) == 3, 1e6, runs.L)}


def huge_sizes(runs: Runs) -> dict[str, np.ndarray]:
    return {"N": 1e9 * runs.N}


def one_size(runs: Runs) -> dict[str, np.ndarray]:
    return {"N": np.full(len(runs), 1e8)}


@pytest.mark.parametrize("spoil", [all_equal, one_outlier, huge_sizes, one_size])
def test_degenerate_tables_end_with_a_verdict(
    simulated: Callable[..., Runs], spoil: Callable[[Runs], dict[str, np.ndarray]]
) -> None:
    runs = simulated(8)
    posterior = sf.fit(Runs.from_columns({**runs.columns, **spoil(runs)}), **QUICK)
    assert_told(posterior)
    if spoil is one_size:
        assert not posterior.verdict.ok


def test_an_outlier_hardly_moves_the_default_fit(simulated: Callable[..., Runs]) -> None:
    runs = simulated(25, seed=2)
    L = np.array(runs.L)
    L[7] *= 2.0
    clean, spoilt = (
        sf.fit(of, law_error=None, seed=1)
        for of in (runs, Runs.from_columns({**runs.columns, "L": L}))
    )
    for N, D in ((1e9, 2e10), (1e10, 2e11)):
        losses = [of.law.loss(N, D) for of in (clean, spoilt)]
        assert abs(np.median(losses[1]) / np.median(losses[0]) - 1) < 0.03


def test_two_sizes_in_a_fixed_ratio_are_not_called_fine() -> None:
    """With D = 20 N the two terms can be exchanged: the design cannot tell them apart."""
    N, rng = np.geomspace(1e8, 1e10, 8), np.random.default_rng(0)
    L = sf.law("chinchilla").published["besiroglu-2024"].law.loss(N, 20 * N)
    runs = Runs.from_columns({"N": N, "D": 20 * N, "L": L * np.exp(0.005 * rng.standard_normal(8))})
    posterior = sf.fit(runs, **QUICK)
    assert not posterior.verdict.ok
    assert any("token" in message for message in map(str, posterior.verdict.notes))


def test_what_cannot_be_fitted_is_refused(simulated: Callable[..., Runs]) -> None:
    runs = simulated(12)
    every = {"E": 1.8, "A": 400, "B": 400, "alpha": 0.3, "beta": 0.3, "sigma": 0.01}
    for arguments, message in (
        ({"runs": dict(runs.columns)}, "fit takes runs, not dict"),
        ({"law": "chinchila"}, "unknown law 'chinchila'; did you mean chinchilla"),
        ({"noise": "cauchy"}, "unknown noise model 'cauchy'"),
        ({"law": "data_constrained"}, "these runs lack U"),
        ({"draws": 10}, "draws must be at least .*, and is 10"),
        ({"chains": 1}, "chains must be at least .*, and is 1"),
        ({"draws": 2e2}, "draws must be a whole number, and is 200.0\nWhat to do: write one"),
        ({"warmup": "50"}, "warmup must be a whole number, and is '50'"),
        ({"retries": -1}, "retries must be at least 0, and is -1"),
        ({"seed": 0.5}, "seed must be a whole number, and is 0.5"),
        ({"limits": {}}, "limits must be Limits, not dict"),
        ({"precision": "float16"}, "precision 'float16' is neither"),
        ({"noise": "normal", "priors": every}, "is pinned"),
        (
            {"runs": runs.with_weight(np.zeros(12))},
            "none of the 12 runs has weight",
        ),
    ):
        given: dict[str, Any] = {"runs": runs, **arguments}
        with pytest.raises(InputError, match=message):
            sf.fit(**given)


@pytest.mark.parametrize("rows", [1, 2, 5, 6])
def test_few_runs_are_answered_by_the_priors_too(simulated: Callable[..., Runs], rows: int) -> None:
    """The fewer, the wider, down to the prior of the loss; and the verdict says so."""
    fit = sf.fit(simulated(rows), law_error=None, draws=500)
    plural = "s" if rows > 1 else ""
    assert any(
        str(note.text).startswith(f"{rows} run{plural} for the 5 free parameters of chinchilla")
        for note in fit.verdict.notes
    )
    assert not fit.verdict.ok
    enough = sf.fit(simulated(12), law_error=None, draws=500)
    assert not any("free parameters" in str(note.text) for note in enough.verdict.notes)
    far: Any = {"N": 1e11, "D": 2e12}
    wide, narrow = (np.std(np.log(each.forecast(**far).mean)) for each in (fit, enough))
    assert wide > narrow


@pytest.mark.parametrize("name", ["error_in_n", "scatter_with_design"])
def test_negative_losses_need_noise_on_the_level_whatever_the_noise(
    simulated: Callable[..., Runs], name: str
) -> None:
    runs = simulated(12)
    shifted = Runs.from_columns({**runs.columns, "L": runs.L - 2.6}, allow_negative_loss=True)
    with pytest.raises(InputError, match='use noise="student_t_level"'):
        sf.fit(shifted, noise=name, law_error=None)


def test_negative_losses_need_noise_on_the_level(simulated: Callable[..., Runs]) -> None:
    runs = simulated(12)
    columns = {**runs.columns, "L": runs.L - 2.6}
    shifted = Runs.from_columns(columns, allow_negative_loss=True)
    with pytest.raises(InputError, match='use noise="student_t_level"'):
        sf.fit(shifted)


def test_a_prior_too_narrow_for_floats_is_no_error(simulated: Callable[..., Runs]) -> None:
    model = build(sf.law("chinchilla"), Normal, {"alpha": dist.LogNormal(0.0, 1e-17)})
    settings, runs = Settings(chains=2, draws=10), simulated(20)
    [[(_, draws)]] = pretend(model, [runs], settings)
    assert posterior_of(model, runs, draws, settings).verdict.status == "not converged"
