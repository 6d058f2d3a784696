"""The probability of a statement about a fit: against its draws, and closed forms."""

import json
import re
from typing import Any

import numpy as np
import pytest

from benchmarks.sbc.cells import around
from scalingfit._errors import InputError
from scalingfit.allocation import frontier
from scalingfit.allocation.extras import splits
from scalingfit.catalog import law, laws
from scalingfit.inference import Posterior
from scalingfit.inference.build import build
from scalingfit.inference.fit import posterior_of
from scalingfit.inference.hypothesis import OPTIMA, hypothesis
from scalingfit.inference.programs import prior_values
from scalingfit.inference.sampler import sample
from scalingfit.noise import Normal
from tests.simulated import SETTINGS, scattered, simulated

EXTRAS: dict[str, dict[str, Any]] = {
    "data_constrained": {"U": 1e11},
    "kaplan_steps": {"batch": 1.0},
}


def others(name: str) -> dict[str, Any]:
    """The inputs of a law that no budget pays for, each in the middle of its range."""
    kind = law(name)
    wanted = [given for given in kind.inputs() if given not in {*kind.size, "D"}]
    return {given: float(np.sqrt(np.prod(around(name, given, 1.0)))) for given in wanted}


SPLITTING = [name for name, each in laws().items() if splits(each)]


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    runs, model = simulated("chinchilla"), build(law("chinchilla"), Normal)
    return posterior_of(model, runs, sample(model, [runs], SETTINGS)[0], SETTINGS)


def test_a_prior_that_leaves_a_side_undefined_has_no_share() -> None:
    fit = scattered("chinchilla")
    least = fit.draws["E"].min()
    assert prior_values(fit.model)["E"].min() < 0.9 * least
    found = hypothesis(fit, f"log(E - {0.9 * least}) < 0")
    assert 0 <= found.probability <= 1
    assert found.prior is None


def test_unknown_names_are_refused_with_the_nearest(posterior: Posterior) -> None:
    with pytest.raises(InputError, match=r"'alhpa'(?s:.*)did you mean alpha"):
        posterior.hypothesis("alhpa > 0.3")


def test_the_probability_is_the_share_of_draws(posterior: Posterior) -> None:
    found = posterior.hypothesis("alpha > beta")
    share = np.mean(posterior.draws["alpha"] > posterior.draws["beta"])
    prior = prior_values(posterior.model)
    assert found.probability == share
    assert found.prior == np.mean(prior["alpha"] > prior["beta"])
    assert found.C is None
    independent = np.sqrt(share * (1 - share) / posterior.sampled.energy.size)
    assert 0.5 * independent < found.error < 4 * independent


def test_the_exponent_of_chinchillas_law_is_the_closed_form(posterior: Posterior) -> None:
    """Hoffmann et al. 2022, equation 4: a = beta / (alpha + beta) at every budget."""
    exponent = posterior.draws["beta"] / (posterior.draws["alpha"] + posterior.draws["beta"])
    limit = float(np.median(exponent)) + 1e-9
    assert posterior.hypothesis(f"a < {limit}").probability == pytest.approx(0.5, abs=1e-3)
    assert posterior.hypothesis("abs(a + b - 1) < 1e-6").probability == 1.0
    far = posterior.hypothesis("N * D * 6 / 1e26 > 0.999", C=1e26)
    assert far.probability == 1.0
    assert far.C == 1e26


def test_what_was_never_seen_still_has_an_error(posterior: Posterior) -> None:
    found = posterior.hypothesis("a > 0.75")
    assert found.probability == 0.0
    assert 0 < found.error < 0.01
    assert found.prior is not None
    assert 0 < found.prior < 0.2
    assert str(found).startswith("P(a > 0.75) = 0 ±")


def test_the_laws_that_split_a_budget_are_known() -> None:
    assert {"chinchilla", "kaplan", "nested", "over_training", "vocabulary"} <= set(SPLITTING)
    assert not {"power", "kaplan_size", "routed", "transfer"} & set(SPLITTING)


@pytest.mark.parametrize("name", SPLITTING)
def test_names_of_the_split_mean_the_split_in_every_law(name: str) -> None:
    fit = scattered(name)
    extras = EXTRAS.get(name) or others(name)
    found = frontier(fit.law, 1e22, **extras)
    true = {name: float(np.median(found.draws[name])) * (1 - 1e-12) for name in OPTIMA}
    said = hypothesis(fit, " and ".join(f"{k} > {v!r}" for k, v in true.items()), C=1e22, **extras)
    assert said.probability == np.mean(
        np.all([found.draws[name] > limit for name, limit in true.items()], axis=0)
    )
    assert said.C == 1e22


def test_an_exponent_is_not_mistaken_for_a_coefficient() -> None:
    """Equal exponents of N and D: N* ~ C^0.5, whatever the law's own a is (several units)."""
    fit = scattered("over_training")
    assert np.all(fit.draws["a"] > 1)
    assert hypothesis(fit, "abs(a - 0.5) < 1e-6 and abs(b - 0.5) < 1e-6").probability == 1.0


def test_a_law_without_a_split_keeps_its_parameters_names() -> None:
    fit = scattered("broken")
    assert hypothesis(fit, f"a > {np.median(fit.draws['a'])}").probability == 0.5


def test_names_are_listed_once() -> None:
    with pytest.raises(InputError) as caught:
        hypothesis(scattered("over_training"), "gamma > 1")
    listed = str(caught.value).splitlines()[1].removeprefix("  there are: ").split(", ")
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("C", [0, -1e21, float("nan"), float("inf"), "1e21", [1e21, 1e22]])
@pytest.mark.parametrize("statement", ["a > 0.5", "alpha > beta"])
def test_a_budget_is_one_positive_number(C: Any, statement: str) -> None:
    with pytest.raises(InputError, match=r"\bC\b"):
        hypothesis(scattered("chinchilla"), statement, C=C)


@pytest.mark.parametrize("statement", ["a > 0.5", "alpha > beta"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"counting": "bogus"}, "bogus"),
        ({"max_parms": 1e9}, r"'max_parms'(?s:.*)use max_params"),
        ({"U": 1e11}, r"'U'(?s:.*)chinchilla takes N, D"),
    ],
)
def test_what_is_not_known_is_refused_whatever_the_statement(
    statement: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        hypothesis(scattered("chinchilla"), statement, C=1e21, **options)


def test_what_a_statement_does_not_need_may_be_given() -> None:
    fit = scattered("data_constrained")
    plain = hypothesis(fit, "alpha > beta")
    assert hypothesis(fit, "alpha > beta", U=1e11, max_params=1e10) == plain
    assert hypothesis(scattered("kaplan_steps"), "alpha_N > 0", batch=1.0).probability == 1.0


def test_further_inputs_are_on_record() -> None:
    found = hypothesis(scattered("data_constrained"), "a > 0", C=1e21, U=[1e9])
    assert found.given == {"U": 1e9}
    assert "at C = 1e21, U = 1.00B" in str(found)
    assert json.loads(json.dumps(found.as_json()))["hypothesis"][0]["given"] == {"U": 1e9}
    critical = hypothesis(scattered("kaplan_steps"), "a > 0", C=1e21, batch="critical")
    assert "batch = critical" in str(critical)


def test_the_default_budget_is_the_largest_run_as_it_is_counted() -> None:
    fit = scattered("chinchilla")
    largest = hypothesis(fit, "a > 0.5").C
    assert largest == pytest.approx(6 * 1e10 * 20e10)
    smaller = hypothesis(fit, "a > 0.5", counting="6ND-non-embedding").C
    assert smaller is not None
    assert largest is not None
    assert largest > smaller
    assert hypothesis(fit, "alpha > beta").C is None


def test_exponents_are_of_the_n_that_is_counted(posterior: Posterior) -> None:
    """Counted without embeddings, N_E* grows faster at small budgets, and C = 6 N_E D still."""
    options: dict[str, Any] = {"C": 1e17, "counting": "6ND-non-embedding"}
    assert posterior.hypothesis("a > 0.6", C=1e17).probability < 0.05
    assert posterior.hypothesis("0.65 < a < 0.9", **options).probability > 0.95
    found = posterior.hypothesis("abs(a + b - 1) < 1e-6", **options)
    assert found.probability == 1.0
    assert "at C = 1e17, counted 6ND-non-embedding" in str(found)


def test_what_the_optimum_rests_on_is_noted(posterior: Posterior) -> None:
    """The default relation of embeddings far below the models it was fitted to, for one."""
    assert posterior.hypothesis("alpha > beta", C=1e13).notes == ()
    assert "!" not in str(posterior.hypothesis("a > 0.6", C=float(posterior.runs["C"].min())))
    tiny: Any = {"C": 1e13, "counting": "6ND-non-embedding"}
    found = posterior.hypothesis("a > 0.6", **tiny)
    assert found.notes == posterior.frontier(**tiny).notes
    assert re.search(r"(?m)^! omega = 47491 .* counting=NonEmbedding\(omega\)", str(found))
