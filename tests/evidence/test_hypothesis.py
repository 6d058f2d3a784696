"""Statements about fits: what is understood, what is refused, and their probabilities."""

import dataclasses
import json
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalingfit._errors import InputError
from scalingfit.allocation import cost, counting, frontier, splits
from scalingfit.catalog import law, laws
from scalingfit.evidence import RULES, Comparison, exponents_by_law
from scalingfit.evidence.hypotheses.stacked import stacked_hypothesis
from scalingfit.inference import OPTIMA, Posterior, Statement, build, hypothesis, prior_values
from scalingfit.noise import Normal
from scalingfit.runs import Runs

VALUES = {"a": np.array([0.2, 0.5, 0.8]), "b": np.array([0.8, 0.5, 0.2])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > 0.4", [False, True, True]),
        ("a >= b", [False, True, True]),
        ("0.4 < a <= 0.5", [False, True, False]),
        ("abs(a - 0.5) < 0.1 or b < 0.3", [False, True, True]),
        ("not a > b and 2 * a ** 2 < 1", [True, True, False]),
        ("max(a, b) - min(a, b) > 0.5", [True, False, True]),
        ("log(exp(a)) < +b / 1 - -0", [True, False, False]),
    ],
)
def test_statements_hold_where_they_are_true(text: str, expected: list[bool]) -> None:
    assert Statement(text).holds(VALUES).tolist() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a + b",
        "a > ",
        "a > b; import os",
        "__import__('os').system('true') > 0",
        "a.__class__ > 0",
        "a[0] > 0",
        "(lambda: 1)() > 0",
        "[x for x in a] > 0",
        "(a := 3) > 0",
        "open('x') > 0",
        "eval('1') > 0",
        "f'{a}' > 0",
        "'a' > 0",
        "True > a",
        "True",
        "a if b else a > 0",
        "a > None",
        "a > 1j",
        "a is b",
        "a in b",
        "a == b",
        "a > b > (b > a)",
        "(a > b) + 1 > 0",
        "a > (not b)",
        "log(a, b) > 0",
        "max(a) > 0",
        "abs(x=a) > 0",
        "abs(*a) > 0",
        "a // b > 0",
        "a << 3 > 0",
        "a @ b > 0",
        "await a > 0",
        "(yield) > 0",
        "(" * 400 + "a" + ")" * 400,
        "a > 0" + " " * 600,
        "a > 0\x00",
        "a > " + "9" * 400,
        "a > 1e999",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Statement(text)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_hold_or_be_refused(text: str) -> None:
    try:
        statement = Statement(text)
        statement.require(VALUES)
        assert statement.holds(VALUES).dtype == bool
    except InputError:
        return


def test_an_astronomic_power_costs_nothing() -> None:
    with pytest.raises(InputError, match="not a finite number in 100 % of the draws"):
        Statement("9 ** 9 ** 9 ** 9 > a").holds(VALUES)


@pytest.mark.parametrize(
    ("text", "part", "percent"),
    [
        ("1 / (a - a) > 0", "1 / (a - a)", 100),
        ("log(-a) > 0", "log(-a)", 100),
        ("not log(b - 0.3) > 0 or a > 0", "log(b - 0.3)", 33.3),
    ],
)
def test_what_is_undefined_is_neither_true_nor_false(text: str, part: str, percent: float) -> None:
    with pytest.raises(InputError) as refusal:
        Statement(text).holds(VALUES)
    assert f"{part!r} is not a finite number in {percent} % of the draws" in str(refusal.value)


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
    assert 0 < found.prior < 0.2
    assert str(found).startswith("P(a > 0.75) = 0 ±")


EXTRAS: dict[str, dict[str, Any]] = {
    "data_constrained": {"U": 1e11},
    "kaplan_steps": {"batch": 1.0},
}
SPLITTING = [name for name, each in laws().items() if splits(each)]


def scattered(name: str) -> Any:
    """What a hypothesis reads of a posterior, with draws about a published point."""
    rng = np.random.default_rng(0)
    point = next(iter(law(name).published.values()))
    values = {k: v * np.exp(0.05 * rng.standard_normal((4, 50))) for k, v in point.values.items()}
    drawn = law(name)(**values)
    N = np.geomspace(1e8, 1e10, 20)
    runs = Runs.from_columns({"N": N, "D": 20 * N, "L": np.linspace(3.5, 2.2, 20)})
    model = build(law(name), Normal)
    sampled = SimpleNamespace(energy=np.zeros((4, 50)))
    return SimpleNamespace(
        law=drawn, noise=None, draws=drawn.values(), runs=runs, model=model, sampled=sampled,
        provenance={},
    )  # fmt: skip


def test_the_laws_that_split_a_budget_are_known() -> None:
    assert {"chinchilla", "kaplan", "nested", "over_training", "vocabulary"} <= set(SPLITTING)
    assert not {"power", "kaplan_size", "routed", "transfer"} & set(SPLITTING)


@pytest.mark.parametrize("name", SPLITTING)
def test_names_of_the_split_mean_the_split_in_every_law(name: str) -> None:
    fit = scattered(name)
    extras = EXTRAS.get(name, {})
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
    assert json.loads(json.dumps(found.as_json()))["given"] == {"U": 1e9}
    critical = hypothesis(scattered("kaplan_steps"), "a > 0", C=1e21, batch="critical")
    assert "batch = critical" in str(critical)


class Answering(SimpleNamespace):
    """A stand-in that is asked as a posterior is."""

    def hypothesis(self, statement: str, **options: Any) -> Any:
        return hypothesis(self, statement, **options)  # type: ignore[arg-type]


def test_laws_are_averaged_by_weight_and_those_that_cannot_answer_are_named() -> None:
    fits: Any = {
        name: Answering(**vars(scattered(name))) for name in ("chinchilla", "kaplan", "broken")
    }
    weights = {"chinchilla": 0.3, "kaplan": 0.5, "broken": 0.2}
    statement = f"a + b > 0.5 and a < {np.median(frontier(fits['kaplan'].law, 1e21).draws['a'])}"
    each = {name: hypothesis(fits[name], statement, C=1e21) for name in ("chinchilla", "kaplan")}
    found = stacked_hypothesis(fits, weights, statement, C=1e21)
    assert found.each == each
    assert found.probability == pytest.approx(
        (0.3 * each["chinchilla"].probability + 0.5 * each["kaplan"].probability) / 0.8
    )
    assert set(found.refused) == {"broken"}  # though it has a parameter a
    *lines, stacked, why, share = str(found).splitlines()
    assert [line.split()[0] for line in lines] == ["chinchilla", "kaplan"]
    assert stacked.startswith("stacked ")
    assert why.startswith("! broken does not answer: it splits no budget")
    assert share == "! the laws that answer hold 0.8 of the stacking weight"
    said = json.loads(json.dumps(found.as_json()))
    assert said["probability"] == found.probability
    assert said["each"]["kaplan"]["C"] == 1e21


def test_an_input_goes_to_the_laws_that_have_it() -> None:
    fits: Any = {
        name: Answering(**vars(scattered(name))) for name in ("chinchilla", "data_constrained")
    }
    weights = {"chinchilla": 0.5, "data_constrained": 0.5}
    found = stacked_hypothesis(fits, weights, "a > 0.5", C=1e21, U=1e9)
    assert not found.refused
    assert [each.given for each in found.each.values()] == [{}, {"U": 1e9}]
    with pytest.raises(InputError, match="unknown input 'V'"):
        stacked_hypothesis(fits, weights, "a > 0.5", C=1e21, U=1e9, V=1.0)


def test_what_no_law_can_answer_is_refused_with_every_reason() -> None:
    fits: Any = {name: Answering(**vars(scattered(name))) for name in ("chinchilla", "kaplan")}
    with pytest.raises(InputError) as refusal:
        stacked_hypothesis(fits, {"chinchilla": 0.5, "kaplan": 0.5}, "q > 1")
    assert "chinchilla: the hypothesis 'q > 1' speaks of 'q'" in str(refusal.value)
    assert "kaplan: " in str(refusal.value)
    with pytest.raises(InputError, match="cannot be read"):
        stacked_hypothesis(fits, {}, "a >")


def test_the_default_budget_is_the_largest_run_as_it_is_counted() -> None:
    fit = scattered("chinchilla")
    largest = hypothesis(fit, "a > 0.5").C
    assert largest == pytest.approx(6 * 1e10 * 20e10)
    assert largest > hypothesis(fit, "a > 0.5", counting="6ND-non-embedding").C
    assert hypothesis(fit, "alpha > beta").C is None


def test_exponents_are_of_the_n_that_is_counted(posterior: Posterior) -> None:
    """Counted without embeddings, N_E* grows faster at small budgets, and C = 6 N_E D still."""
    options: dict[str, Any] = {"C": 1e17, "counting": "6ND-non-embedding"}
    assert posterior.hypothesis("a > 0.6", C=1e17).probability < 0.05
    assert posterior.hypothesis("0.65 < a < 0.9", **options).probability > 0.95
    found = posterior.hypothesis("abs(a + b - 1) < 1e-6", **options)
    assert found.probability == 1.0
    assert "at C = 1e17, counted 6ND-non-embedding" in str(found)


def test_what_the_optimum_rests_on_is_told(posterior: Posterior) -> None:
    """The default relation of embeddings far below the models it was fitted to, for one."""
    assert posterior.hypothesis("alpha > beta", C=1e13).messages == ()
    assert "!" not in str(posterior.hypothesis("a > 0.6", C=float(posterior.runs["C"].min())))
    tiny = {"C": 1e13, "counting": "6ND-non-embedding"}
    found = posterior.hypothesis("a > 0.6", **tiny)
    assert found.messages == posterior.frontier(**tiny).messages
    assert re.search(r"(?m)^! omega = 47491 .* counting=NonEmbedding\(omega\)", str(found))
    together = stacked_hypothesis({"one": posterior}, {"one": 1.0}, "a > 0.6", **tiny)
    assert [f"one: {text}" for text in found.messages] == list(together.messages)
    assert str(together).count("omega = 47491") == 1


def test_exponents_stand_by_law_and_by_count(posterior: Posterior, comparison: Comparison) -> None:
    """Every cell against the frontier's own draws; the stack between its laws."""
    found = comparison.exponents(r=0.1)
    rows = {(row.law, row.counting): row for row in found.rows}
    assert len(rows) == len(found.rows) == 9
    for rule in RULES:
        laws = []
        for name, fit in comparison.posteriors.items():
            spent = cost(counting(rule), fit.runs.N, fit.runs.D).max()
            drawn = frontier(fit, spent, counting=rule)
            a, row = drawn.a.ravel(), rows[name, rule]
            assert pytest.approx(spent) == row.C
            assert row.a == pytest.approx(np.quantile(a, [0.05, 0.5, 0.95]))
            assert row.near_kaplan == np.mean(np.abs(a - 0.73) < 0.1)
            assert row.near_chinchilla == np.mean(np.abs(a - 0.5) < 0.1)
            assert row.larger == np.mean(a > drawn.b.ravel())
            laws.append(row.larger)
        assert min(laws) <= rows["stacked", rule].larger <= max(laws)
    # Without embeddings small models shrink faster, so that the exponent is larger.
    first, second = (rows["chinchilla", rule].a[1] for rule in RULES[:2])
    assert second > first
    text = str(found)
    assert "r = 0.1" in text
    assert "6ND-non-embedding" in text
    assert json.loads(json.dumps(found.as_json()))["rows"][0]["law"] in comparison.posteriors
    alone = exponents_by_law({"chinchilla": posterior}, {"chinchilla": 1.0}, rules=["6ND"])
    assert [row.law for row in alone.rows] == ["chinchilla"]
    equal = law("over_training").published["muennighoff-2023"].law
    fit: Any = SimpleNamespace(law=equal, noise=None, provenance={}, runs=posterior.runs)
    (tied,) = exponents_by_law({"equal": fit}, {"equal": 1.0}, rules=["6ND"]).rows
    assert tied.larger == 0
    with pytest.raises(InputError, match="distance between exponents"):
        comparison.exponents(r=0.0)


def test_counts_of_another_n_are_left_out(posterior: Posterior) -> None:
    columns = {"N": {"column": "params_non_embedding"}}
    runs = dataclasses.replace(posterior.runs, provenance={"columns": columns})
    without = dataclasses.replace(posterior, runs=runs)
    found = exponents_by_law({"chinchilla": without}, {"chinchilla": 1.0})
    assert [row.counting for row in found.rows] == ["6ND", "6ND-with-embedding"]
    assert found.messages[0] == "6ND-non-embedding is for another N than that of chinchilla"


def test_a_law_without_a_split_has_no_exponent(posterior: Posterior) -> None:
    other: Any = SimpleNamespace(law=law("kaplan_compute").published["kaplan-2020-eq-1.3"].law)
    found = exponents_by_law(
        {"chinchilla": posterior, "compute": other}, {"chinchilla": 0.5, "compute": 0.5}
    )
    assert found.messages[0] == "compute splits no budget between N and D"
    with pytest.raises(InputError, match="no law splits a budget"):
        exponents_by_law({"compute": other}, {"compute": 1.0})
