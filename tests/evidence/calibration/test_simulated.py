"""What is simulated is what the model says, and it is ranked as it should be."""

import numpy as np
import pytest
from scipy.stats import binom, kstest

from scalingfit.allocation import SixND, cost
from scalingfit.catalog import law, noise
from scalingfit.declare import dist
from scalingfit.evidence.calibration.simulated import BEYOND, Simulated, _rank, beyond
from scalingfit.inference import build, landmarks_of
from scalingfit.law_error import LAW_ERROR
from scalingfit.runs import Runs

TABLES = 400


def design(rows: int = 8) -> Runs:
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7, 9, rows), 10 ** rng.uniform(9, 11, rows)
    return Runs.from_columns({"N": N, "D": D, "L": np.ones(rows), "weight": np.full(rows, 2.0)})


@pytest.fixture(scope="module")
def exact() -> Simulated:
    model = build(law("chinchilla"), noise("normal"), {"beta": 0.3})
    return Simulated.of(model, design(), TABLES, seed=1)


@pytest.fixture(scope="module")
def erring() -> Simulated:
    model = build(law("chinchilla"), noise("normal"), {"sigma": 1e-9}, LAW_ERROR)
    return Simulated.of(model, design(), TABLES, seed=2)


def residuals(made: Simulated) -> np.ndarray:
    """Log of observed over the law's loss, (table, run)."""
    given = {name: value[:, None] for name, value in made.values.items()}
    truth = law("chinchilla")(**{n: given.get(n, 0.3) for n in law("chinchilla").parameters()})
    mean = np.asarray(truth.loss(made.design.N, made.design["D"]))
    return np.asarray(np.log(np.stack([runs["L"] for runs in made.tables.values()]) / mean))


def test_parameters_and_scatter_come_from_the_prior(exact: Simulated) -> None:
    assert list(exact.tables) == list(range(TABLES))
    assert set(exact.values) == {"E", "alpha", "A", "B", "sigma"}
    E = dist.LogNormal(np.log(1.5), 0.7)
    assert kstest(exact.values["E"], lambda x: np.asarray(E.cdf(x))).pvalue > 1e-3
    scatter = residuals(exact) / exact.values["sigma"][:, None]
    assert kstest(scatter.ravel(), "norm").pvalue > 1e-3
    assert "weight" not in exact.tables[0].columns


def test_errors_of_the_law_come_from_their_prior(erring: Simulated) -> None:
    tau = erring.values["tau"]
    least, most = np.asarray(binom.ppf([1e-4, 1 - 1e-4], TABLES, LAW_ERROR.exact))
    assert least <= np.sum(tau == 0) <= most
    slab = np.log(tau[tau > 0] / LAW_ERROR.median) / LAW_ERROR.log_sd
    assert kstest(slab, "norm").pvalue > 1e-3
    found = residuals(erring)
    np.testing.assert_allclose(found[tau == 0], 0, atol=1e-7)
    # Eight runs are landmarks all: their errors, by the factor of their covariance, are normal.
    known = landmarks_of(erring.model, erring.design)
    order = [int(np.argmin(np.abs(erring.design.N - 10**N))) for N in known.places[:, 0]]
    normal = np.linalg.solve(known.own, found[tau > 0][:, order].T / tau[tau > 0])
    assert kstest(normal.ravel(), "norm").pvalue > 1e-3
    assert erring.errors is not None
    np.testing.assert_allclose(found[:, order], erring.errors, atol=1e-6)


def test_beyond_the_runs_is_the_closed_form(exact: Simulated) -> None:
    values = {name: value[None] for name, value in exact.values.items()} | {"beta": 0.3}
    truth = law("chinchilla")(
        **{
            name: np.broadcast_to(values[name], (1, TABLES))
            for name in law("chinchilla").parameters()
        }
    )
    found = beyond(truth, exact.design)
    C = BEYOND * cost(SixND(), exact.design.N, exact.design["D"]).max()
    alpha, beta = truth.alpha.ravel(), truth.beta.ravel()
    N = (alpha * truth.A / (beta * truth.B)).ravel() ** (1 / (alpha + beta)) * (C / 6) ** (
        beta / (alpha + beta)
    )
    inside = (N > 10) & (N < C / 60)  # elsewhere the search ends at what can be trained
    assert inside.mean() > 0.9
    np.testing.assert_allclose(found["N*"][inside], N[inside], rtol=1e-5)
    np.testing.assert_allclose(found["a*"][inside], (beta / (alpha + beta))[inside], rtol=1e-4)


def test_a_law_that_splits_nothing_is_asked_for_its_loss() -> None:
    curve = Runs.from_columns({"X": [1e5, 1e7], "L": [1.0, 1.0]})
    truth = law("power")(E=np.array([[0.5]]), c=np.array([[0.3]]), beta=np.array([[20.0]]))
    found = beyond(truth, curve)
    assert found["L"] == pytest.approx(0.5 + 20.0 * (1e8) ** -0.3)


def test_tables_without_finite_losses_are_left_out() -> None:
    steep = {"beta": dist.LogNormal(700.0, 30.0), "c": 0.01}
    model = build(law("power"), noise("normal"), steep)
    made = Simulated.of(model, Runs.from_columns({"X": [1e4, 1e6], "L": [1.0, 1.0]}), 100, seed=0)
    assert 0 < len(made.tables) < 100
    for number, runs in made.tables.items():
        assert np.all(np.isfinite(runs["L"]))
        assert made.values["beta"][number] < 1e308


def test_equal_values_rank_by_chance() -> None:
    rng = np.random.default_rng(0)
    values = np.array([0.0, *np.zeros(3), *np.ones(6)])
    ranks = [_rank(values, rng) for _ in range(4000)]
    counts = np.bincount(ranks)
    least, most = np.asarray(binom.ppf([1e-4, 1 - 1e-4], 4000, 0.25))
    assert len(counts) == 4
    assert np.all((counts >= least) & (counts <= most))
    assert _rank(np.array([np.nan, 1.0, 2.0]), rng) == 2
