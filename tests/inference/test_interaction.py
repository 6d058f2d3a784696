"""Whether N and D interact, told from a fit of the additive law, on runs of known laws."""

import numpy as np
import pytest

import scalingfit as sf
from scalingfit.allocation import frontier
from scalingfit.inference import Posterior, Verdict
from scalingfit.inference.interaction import Interaction, interaction
from scalingfit.inference.nested_fit import NestedFit, Precision, log_loss
from scalingfit.inference.scrutiny import looked_at_again
from scalingfit.result import Interval
from scalingfit.runs import Runs
from tests.report import standin
from tests.simulated import QUICK

POINT = sf.law("chinchilla").published["besiroglu-2024"].values
N, D = (grid.ravel() for grid in np.meshgrid(np.logspace(8, 10, 8), np.logspace(9.5, 11.5, 6)))


def simulated(q: float, seed: int) -> Runs:
    """Runs of the family that scatter as those of the stand-in do: Student's t, 5, at .005."""
    rng = np.random.default_rng(seed)
    L = np.asarray(sf.law("nested")(q=q, **POINT).loss(N, D))
    L = L * np.exp(0.005 * rng.standard_t(5, N.size))
    return Runs.from_columns({"N": N, "D": D, "L": L})


def of(fit: Posterior) -> Interaction:
    answer = interaction(fit.model, fit.runs, fit.draws)
    assert answer is not None
    return answer


def found(q: float, seed: int) -> Interaction | None:
    fit = standin.posterior(runs=simulated(q, seed))
    return interaction(fit.model, fit.runs, fit.draws)


def test_additive_runs_are_rarely_taken_for_others() -> None:
    """Odds of 20 for what is false come up in one of 20 tables at most."""
    clear = [seed for seed in range(40) if found(1.0, seed) is not None]
    assert len(clear) <= 5  # Binomial(40, 1/20): more in one of seventy


@pytest.mark.parametrize("q", [0.4, 0.7])
def test_an_interaction_is_found_where_it_is(q: float) -> None:
    answers = [of(standin.posterior(runs=simulated(q, seed))) for seed in range(40)]
    inside = sum(answer.q.low <= q <= answer.q.high for answer in answers)
    assert inside >= 30  # Binomial(40, 0.9): 36 with standard deviation 1.9


def test_the_optimum_is_that_of_the_family() -> None:
    """Of runs without scatter; q lies within the step of its values, and the optimum is flat."""
    truth = sf.law("nested")(q=0.4, **POINT)
    runs = Runs.from_columns({"N": N, "D": D, "L": np.asarray(truth.loss(N, D))})
    fit = standin.posterior(runs=runs)
    answer = of(fit)
    optimum = frontier(truth, answer.C)
    assert answer.nested == pytest.approx((optimum.N[0], optimum.L[0]), rel=1e-3)
    assert answer.nested[1] < answer.additive[1]
    verdict = looked_at_again(Verdict("ok"), fit.model, fit.runs, fit.sampled, fit.law)
    (note,) = verdict.notes
    assert note == answer.note
    said = str(note.text)
    assert said.startswith("N and D interact: q = 0.4")
    assert f"{100 * (1 - answer.nested[1] / answer.additive[1]):.2g} % lower" in said


def test_fit_tells_it() -> None:
    fit = sf.fit(simulated(0.4, 0), law_error=None, **QUICK)
    (note,) = (note for note in fit.verdict.notes if note.code == "interaction")
    assert note == of(fit).note


def test_it_is_a_doubt_where_the_best_size_is_another() -> None:
    """By a factor of two, and only where it is sure: of what is false, in one of 200 tables."""
    q = Interval(0.4, 0.5, 0.6)
    cases = [(6.0, 2.1, True), (6.0, 0.4, True), (6.0, 1.9, False), (4.0, 2.1, False)]
    for log_bayes, factor, doubtful in cases:
        told = Interaction(q, log_bayes, 1e21, (1e9, 2.5), (factor * 1e9, 2.49))
        assert told.doubtful == doubtful
    answers = [found(1.0, seed) for seed in range(40)]
    assert not any(answer.doubtful for answer in answers if answer is not None)


def test_other_laws_and_scatters_are_not_looked_at() -> None:
    fit = standin.posterior(law="kaplan", point="kaplan-2020-table-2")
    assert interaction(fit.model, fit.runs, fit.draws) is None


def test_what_runs_share_is_taken_out_of_their_precision() -> None:
    """Against the inverse of the dense covariance."""
    rng = np.random.default_rng(0)
    variance, shared, rows = (
        rng.uniform(1, 2, 30),
        rng.normal(size=(30, 7)),
        rng.normal(size=(4, 30)),
    )
    inverse = np.linalg.inv(np.diag(variance) + shared @ shared.T)
    precision = Precision.of(variance, shared)
    np.testing.assert_allclose(precision.between(rows), rows @ inverse @ rows.T, atol=1e-12)
    np.testing.assert_allclose(precision.own(rows[0]), variance * (inverse @ rows[0]), atol=1e-12)


def test_the_slopes_of_the_family_are_those_of_its_formula() -> None:
    x = np.log(np.stack([N, D])) - np.log([[1e9], [3e10]])
    terms = np.array([0.5, -0.5, -0.2, np.log(0.3), np.log(0.4), 0.6])
    fit = NestedFit(x, np.zeros(N.size), Precision.of(np.ones(N.size), np.empty((N.size, 0))))
    rows = fit.missed(terms)
    np.testing.assert_allclose(-rows[0], log_loss(terms, x), rtol=1e-12)
    for place, row in enumerate(rows[1:]):
        step = 1e-5 * np.eye(6)[place]
        slope = (log_loss(terms + step, x) - log_loss(terms - step, x)) / 2e-5
        np.testing.assert_allclose(row, slope, rtol=1e-6, atol=1e-10)


@pytest.mark.slow
def test_it_agrees_with_a_fit_of_the_family() -> None:
    runs = simulated(0.5, 0)
    drawn = sf.fit(runs, law="nested", law_error=None, **QUICK).draws["q"]
    answer = of(standin.posterior(runs=runs))
    assert answer.q.median == pytest.approx(np.median(drawn), abs=drawn.std())


def test_the_law_of_videau_et_al_is_the_same_family() -> None:
    k, x, y, a, b = 0.4, 0.8, 0.9, 2e3, 4e4
    nested = sf.law("nested")(E=1.7, q=k, alpha=k * x, beta=k * y, A=a**k, B=b**k)
    np.testing.assert_allclose(nested.loss(N, D), 1.7 + (a / N**x + b / D**y) ** k, rtol=1e-5)
