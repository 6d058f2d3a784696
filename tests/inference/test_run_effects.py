"""Rows of one run: their effect in the density, in draws, in words, and in what is left out."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from jax import numpy as jnp
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from scipy.stats import t as student

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.catalog import law, noise
from scalingfit.evidence.comparison.leave_out import groups_of, leave_each
from scalingfit.inference import Posterior, Settings, build, log_likelihood_by_run, model_of
from scalingfit.inference.conditional import Conditional, RunEffects, Scales
from scalingfit.inference.effects import about_effects, effective_rows
from scalingfit.law_error import LAW_ERROR, LENGTHS
from scalingfit.noise import At, Normal, StudentT, alike
from scalingfit.runs import Runs

type Floats = NDArray[np.float64]

_normal: Any = Normal  # of NumPy arrays
_student: Any = StudentT
RUNS, ROWS = 8, 10
X = np.geomspace(1e5, 1e8, RUNS)
FLOOR, POWER = 0.5, 0.3
PRIORS: dict[str, Any] = {"E": FLOOR, "c": POWER, "beta": dist.LogNormal(np.log(20.0), 1.0)}


@pytest.fixture(scope="module")
def evaluated() -> Runs:
    """Evaluations of eight runs, ten of each: runs differ by 3 %, evaluations by 0.5 %."""
    rng = np.random.default_rng(3)
    effect = 0.03 * rng.standard_normal((RUNS, 1))
    scatter = 0.005 * rng.standard_normal((RUNS, ROWS))
    L = (FLOOR + 20 * X**-POWER)[:, None] * np.exp(effect + scatter)
    labels = {"run_id": np.repeat(np.arange(RUNS), ROWS)}
    return Runs.from_columns({"X": np.repeat(X, ROWS), "L": L.ravel()}, labels=labels)


@pytest.fixture(scope="module")
def posterior(evaluated: Runs) -> Posterior:
    return sf.fit(evaluated, "power", "normal", PRIORS)


def test_coordinates_are_conditional() -> None:
    """With a normal scatter the density in them has the known integral whatever the scales are.

    It is standard normal at the ratio of scales that they are made for. There its height at zero,
    which the mode is sought by, also rises with each scale as the integral does.
    """
    rng = np.random.default_rng(0)
    rows, features, runs = 14, 4, 5
    run = rng.integers(0, runs, rows)
    table, weight = rng.normal(size=(rows, features)), rng.uniform(0.5, 2, rows)
    residual = rng.normal(size=rows)
    member = np.equal.outer(run, np.arange(runs)).astype(float)
    dim, ratio = features + runs, 2.0

    def marginal(logs: Floats) -> float:
        sigma, tau, omega = np.exp(logs)
        covariance = tau**2 * table @ table.T + omega**2 * member @ member.T
        covariance += np.diag(sigma**2 / weight)
        return float(multivariate_normal(cov=covariance).logpdf(residual))

    with jax.enable_x64(True):
        effects = RunEffects.given(jnp.asarray(run), runs, jnp.asarray(weight))
        conditional = Conditional.given(jnp.asarray(table), jnp.asarray(weight), effects, ratio)

        def height(white: Any, logs: Any) -> Any:
            scales = Scales(*jnp.exp(logs))
            found, effect, density = conditional.apart(jnp.asarray(residual), scales, white)
            assert effect is not None
            left = residual - conditional.basis @ found - effect[run]
            scatter = jnp.log(2 * jnp.pi * scales.sigma**2 / weight)
            return density - 0.5 * jnp.sum(weight * left**2 / scales.sigma**2 + scatter)

        zero = jnp.zeros(dim)
        for sigma, tau, omega in (
            (0.3, 0.7, 0.6),
            (0.3, 0.2, 0.01),
            (0.3, 1.5, 3.0),
            (0.1, 1, 0.2),
        ):
            logs = jnp.log(jnp.array([sigma, tau, omega]))
            slope, bend = jax.grad(height)(zero, logs), -jax.hessian(height)(zero, logs)
            integral = height(zero, logs) + 0.5 * slope @ jnp.linalg.solve(bend, slope)
            integral += 0.5 * (dim * jnp.log(2 * jnp.pi) - jnp.linalg.slogdet(bend)[1])
            assert integral == pytest.approx(marginal(np.asarray(logs)), abs=1e-8)
            if omega == pytest.approx(ratio * sigma):
                np.testing.assert_allclose(slope, 0, atol=1e-9)
                np.testing.assert_allclose(bend, np.eye(dim), atol=1e-9)
                rises = jax.grad(height, argnums=1)(zero, logs)
                np.testing.assert_allclose(
                    rises, approx_fprime(np.asarray(logs), marginal, 1e-7), atol=1e-4
                )


def oracle(runs: Runs, *, erring: bool, effects: bool) -> tuple[float, dict[str, Floats], Floats]:
    """Log evidence, grids of the parameters and weights, by sums over a grid of dense marginals."""
    y = np.log(runs["L"]).reshape(RUNS, ROWS)
    within = float(np.sum((y - y.mean(axis=1, keepdims=True)) ** 2))
    x = np.log10(X)
    apart = (x[:, None] - x) ** 2
    K = sum(length**2 * np.exp(-apart / (2 * length**2)) for length in LENGTHS)
    size, turn = np.linalg.eigh(K)
    grids = {
        "beta": np.log(20) + np.linspace(-0.5, 0.5, 101),
        "sigma": np.log(0.005) + np.linspace(-0.5, 0.7, 31),
        "omega": np.log(0.02) + np.linspace(-6, 3.5, 77) if effects else np.array([-np.inf]),
        "tau": np.log(0.02) + np.linspace(-3.5, 3.5, 57) if erring else np.array([-np.inf]),
    }
    law = np.log(FLOOR + np.exp(grids["beta"])[:, None] * X**-POWER)
    told = (ROWS * ((y.mean(axis=1) - law) @ turn) ** 2).reshape(-1, 1, 1, 1, RUNS)
    sigma, omega, tau = np.meshgrid(
        *(np.exp(2 * grids[name]) for name in ("sigma", "omega", "tau")), indexing="ij"
    )
    spread = ROWS * (tau[..., None] * np.maximum(size, 0) + omega[..., None]) + sigma[..., None]
    height = -0.5 * np.sum(told / spread + np.log(2 * np.pi * spread), axis=-1)
    height += -0.5 * (within / sigma + RUNS * (ROWS - 1) * np.log(2 * np.pi * sigma))
    height -= np.sum(y)  # densities are of the loss
    priors = {"beta": (np.log(20), 1.0), "sigma": (np.log(0.01), 1.0)}
    priors |= {"omega": (np.log(0.01), 1.0), "tau": (np.log(0.02), 0.7)}
    for axis, (name, grid) in enumerate(grids.items()):
        if len(grid) > 1:
            step = norm(*priors[name]).logpdf(grid) + np.log(grid[1] - grid[0])
            height += step.reshape([-1 if at == axis else 1 for at in range(4)])
    total = float(logsumexp(height))
    return total, grids, np.exp(height - total)


def quantile(share: float, grid: Floats, weights: Floats, axis: int) -> float:
    """Of a marginal on a grid, whose cells are centred at its places."""
    mass = weights.sum(axis=tuple(at for at in range(4) if at != axis))
    ends = np.append(grid, 2 * grid[-1] - grid[-2]) - 0.5 * (grid[1] - grid[0])
    return float(np.interp(share, np.append(0.0, np.cumsum(mass)), ends))


def test_draws_and_evidence_are_those_of_dense_marginals(
    evaluated: Runs, posterior: Posterior
) -> None:
    exact, erring = (oracle(evaluated, erring=erring, effects=True) for erring in (False, True))
    found = posterior.sampled.evidence
    assert found is not None
    total = np.logaddexp(exact[0], erring[0]) - np.log(2)
    # Four standard errors, and what the ends of the grid leave out.
    assert found.log == pytest.approx(total, abs=4 * found.error + 0.02)
    share = float(np.exp(exact[0] - np.log(2) - total))
    assert posterior.sampled.record["exact"] == pytest.approx(share, abs=4 * found.error + 0.02)
    without = posterior.sampled.values["tau"] == 0
    for part, (_, grids, weights) in ((without, exact), (~without, erring)):
        for axis, name in enumerate(("beta", "sigma", "omega")):
            draws = np.log(posterior.draws[name][part])
            for level in (0.05, 0.5, 0.95):
                below = np.mean(draws < quantile(level, grids[name], weights, axis))
                # At least one in four draws is effective (see the verdict's limits).
                error = 4 * np.sqrt(level * (1 - level) / (0.25 * draws.size))
                assert below == pytest.approx(level, abs=error), (name, level)


def test_many_rows_of_a_run_do_not_narrow_what_the_runs_tell(
    evaluated: Runs, posterior: Posterior
) -> None:
    beta = np.log(posterior.draws["beta"])
    width = float(np.subtract(*np.quantile(beta, [0.95, 0.05])))
    assert np.quantile(beta, 0.05) < np.log(20) < np.quantile(beta, 0.95)
    # The means of the runs by themselves, whose scatter is theirs, say as much and no less.
    L = np.exp(np.log(evaluated["L"]).reshape(RUNS, ROWS).mean(axis=1))
    spread = float(np.std(np.log(L / (FLOOR + 20 * X**-POWER)), ddof=1))
    slope = 20 * X**-POWER / (FLOOR + 20 * X**-POWER)
    by_means = 2 * 1.645 * spread / np.sqrt(np.sum(slope**2))
    assert width > 0.8 * by_means
    # As independent rows they would seem to say much more.
    _, grids, weights = oracle(evaluated, erring=False, effects=False)
    ends = [quantile(level, grids["beta"], weights, 0) for level in (0.05, 0.95)]
    assert width > 2 * (ends[1] - ends[0])


def test_a_new_run_has_an_effect_of_its_own(posterior: Posterior) -> None:
    forecast = posterior.forecast(X=1e7)
    apart = np.log(forecast.new_run / forecast.mean)
    expected = np.mean(posterior.draws["omega"] ** 2 + posterior.draws["sigma"] ** 2)
    assert np.mean(apart**2) == pytest.approx(expected, rel=0.2)
    drawn = np.log(posterior.predictive() / posterior.law_with_error.expand(1).loss(
        X=posterior.runs["X"]))  # fmt: skip
    by_run = np.asarray(drawn).reshape(-1, RUNS, ROWS)
    assert by_run.std(axis=2).mean() == pytest.approx(posterior.draws["sigma"].mean(), rel=0.1)
    between = np.mean(by_run.mean(axis=2) ** 2)
    assert between == pytest.approx(np.mean(posterior.draws["omega"] ** 2), rel=0.2)


def test_files_hold_the_effects(posterior: Posterior, tmp_path: Path) -> None:
    posterior.save(tmp_path / "fit.nc")
    found = sf.load(tmp_path / "fit.nc")
    assert str(found) == str(posterior)
    np.testing.assert_array_equal(found.draws["omega"], posterior.draws["omega"])
    mine, theirs = (fit.forecast(X=1e9).new_run for fit in (found, posterior))
    np.testing.assert_array_equal(mine, theirs)


def test_what_was_done_is_said(evaluated: Runs, posterior: Posterior) -> None:
    worth = posterior.effective_runs
    assert worth is not None
    assert RUNS < worth < 2 * RUNS
    assert f"worth {worth:.0f} independent rows" in posterior.title
    (note,) = (note for note in posterior.notes if note.code == "rows_of_one_run")
    assert "runs differ by" in str(note.text)
    assert "last_of" not in str(note.text)  # they are finished
    D = np.tile(np.geomspace(1, 2, ROWS), RUNS)
    steps = Runs.from_columns(
        {"X": evaluated["X"] * D, "L": evaluated["L"]}, labels=evaluated.labels
    )
    ((note, doubtful),) = about_effects(steps, posterior.noise)
    assert doubtful
    assert 'last_of="run_id"' in str(note.text)


def test_whole_runs_are_left_out(posterior: Posterior) -> None:
    by_row = groups_of(posterior.runs)
    with pytest.raises(InputError, match="share an effect"):
        leave_each(posterior, by_row, Settings(), refit=False)
    by_run = leave_each(posterior, groups_of(posterior.runs, "run_id"), Settings(), refit=False)
    assert by_run.elpd_i.shape == (RUNS,)


def test_effective_rows_are_kishs() -> None:
    labels = {"run": ["a"] * 4 + ["b"] * 2 + ["c"]}
    runs = Runs.from_columns({"X": np.arange(1.0, 8), "L": np.ones(7)}, labels=labels)
    made: Any = _normal(sigma=np.full((1, 1), 0.1), run_effect=np.full((1, 1), 0.2))
    rho = 0.04 / 0.05
    assert effective_rows(runs, made) == pytest.approx(4 / (1 + 3 * rho) + 2 / (1 + rho) + 1)
    (one,) = alike([made])
    assert one.run_effect is made.run_effect
    none, some = alike(
        [_normal(sigma=np.ones(3)), _normal(sigma=np.ones(3), run_effect=np.ones(3))]
    )
    assert none.run_effect is not None
    assert not np.any(none.run_effect)
    assert some.run_effect is not None


@functools.cache
def _columns() -> Mapping[str, Floats]:
    return {"X": np.geomspace(1e5, 1e9, 6), "L": np.linspace(3, 2, 6)}


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        ({}, None),
        ({"run_id": [*"abcdef"]}, None),
        ({"run_id": [*"aaaaaa"]}, None),  # of one run nothing tells its effect
        ({"seed": [1, 2, 1, 2, 1, 2]}, None),  # seeds make runs
        ({"run_id": [*"aabbcd"]}, [0, 0, 1, 1, 2, 3]),
        ({"run_id": ["a", "a", None, None, "b", "b"]}, [0, 0, 1, 2, 3, 3]),
    ],
)
def test_a_label_names_runs(labels: Mapping[str, Any], numbers: list[int] | None) -> None:
    runs = Runs.from_columns(_columns(), labels=labels)
    found = runs.run_numbers
    assert (None if found is None else found.tolist()) == numbers
    model = build(law("power"), noise("student_t"), None, LAW_ERROR)
    assert (model_of(model, runs) is model) == (numbers is None)
    exact = build(law("power"), noise("student_t"))
    assert model_of(exact, runs) is exact  # of independent rows


def test_densities_of_runs_are_the_integrals_over_their_effects() -> None:
    rng = np.random.default_rng(0)
    numbers = np.array([0, 0, 0, 1, 1, 2])
    mean, observed = rng.uniform(2, 3, (2, 6)), rng.uniform(2, 3, 6)
    sigma, omega, nu = np.array([[0.1], [0.02]]), np.array([[0.05], [0.2]]), np.full((2, 1), 3.0)
    residual = np.log(observed) - np.log(mean)
    normal = log_likelihood_by_run(
        _normal(sigma=sigma, run_effect=omega), At(mean), observed, numbers
    )
    heavy = log_likelihood_by_run(
        _student(sigma=sigma, nu=nu, run_effect=omega), At(mean), observed, numbers
    )
    for draw in range(2):
        s, w = float(sigma[draw, 0]), float(omega[draw, 0])
        for run in range(3):
            rows = np.flatnonzero(numbers == run)
            apart, volume = residual[draw, rows], np.log(observed[rows]).sum()
            covariance = s**2 * np.eye(len(rows)) + w**2
            expected = multivariate_normal(cov=covariance).logpdf(apart) - volume
            assert normal[draw, run] == pytest.approx(expected, abs=1e-6)

            def joint(u: float, apart: Floats = apart, s: float = s, w: float = w) -> float:
                each = student(3.0, scale=s).pdf(apart - u)
                return float(norm(scale=w).pdf(u) * np.prod(each))

            places = sorted({0.0, *apart.tolist()})
            total = quad(joint, -2, 2, points=places, limit=400, epsabs=0, epsrel=1e-9)[0]
            # Two rows lie 19 scales apart: two modes, which the rule gives to 0.3 %.
            assert heavy[draw, run] == pytest.approx(np.log(total) - volume, abs=5e-3)
