"""The page computes what Python computes, in a real browser."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.allocation import Costs, SixND, WithInference
from scalingfit.allocation.solver import Optimum, solve
from scalingfit.declare import Law, dist, floor, parameter
from scalingfit.inference import Posterior
from scalingfit.report._controls import Control
from scalingfit.report._explorer import explorer, some_of
from scalingfit.report._javascript import javascript
from scalingfit.report._page import rendered
from scalingfit.runs import Runs
from tests.report import standin
from tests.report.browser import answers

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
DIGITS = 5e-4
"""Half a unit of the third digit, relative to numbers that begin with 1."""

COUNT = 64
"""Settings; a power of two, so that budgets are not padded and each has its tokens to serve."""

ASK = """
  const settings = %s;
  const answered = () => new Promise((go) => setTimeout(go, 1));
  const found = [];
  for (const setting of settings) {
    for (const [name, value] of Object.entries(setting)) {
      const box = document.querySelector(`input[name="${name}"]`);
      box.value = String(value);
      box.dispatchEvent(new Event("input", { bubbles: true }));
    }
    await answered();
    const rows = {};
    for (const row of document.querySelectorAll("#explorer [data-row]")) {
      rows[`${row.closest("section").id}.${row.dataset.row}`] = JSON.parse(row.dataset.values);
    }
    found.push(rows);
  }
  return found;
"""


def asked(page: Path, settings: Sequence[Mapping[str, float]]) -> dict[str, np.ndarray]:
    """Quantiles of every number that the page shows, by part and name, (quantile, setting)."""
    rows = answers(page, ASK % json.dumps(settings))
    assert len(rows) == len(settings)
    return {name: np.array([row[name] for row in rows], float).T for name in rows[0]}


def settings(posterior: Posterior, seed: int) -> dict[str, np.ndarray]:
    """Random budgets and runs, from within the runs to a thousand times beyond them."""
    rng = np.random.default_rng(seed)
    runs = posterior.runs
    low, high = runs["C"].min(), 1e3 * runs["C"].max()
    C = np.exp(rng.uniform(np.log(low), np.log(high), COUNT))
    # From no token to a hundred times what training would take: serving then takes nearly all.
    served = np.sqrt(20 * C / 6) * 10.0 ** rng.uniform(-2, 2, COUNT) * (rng.random(COUNT) < 0.9)
    N = np.exp(rng.uniform(np.log(runs["N"].min()), np.log(100 * runs["N"].max()), COUNT))
    D = np.exp(rng.uniform(np.log(runs["D"].min()), np.log(100 * runs["D"].max()), COUNT))
    return {
        "C": C, "served": served, "N": N, "D": D,
        "rate": rng.uniform(1e14, 1e15, COUNT), "price": rng.uniform(1, 10, COUNT),
    }  # fmt: skip


def of_draws(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.quantile(values, SHARES, axis=0))


def best(law: Law, C: np.ndarray, served: np.ndarray, **others: np.ndarray) -> Optimum:
    rule = WithInference(SixND(), served)  # type: ignore[arg-type]  # one for each budget
    return solve(law, C, rule, extras=others)


def check(posterior: Posterior, page: Path, seed: int, **others: float) -> None:
    """Hold every number of the page against the solver and the law, on the draws of the page."""
    given = settings(posterior, seed) | {
        name: np.full(COUNT, value) for name, value in others.items()
    }
    found = asked(
        page, [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    )
    law, (C, served, N, D, rate, price, *_) = some_of(posterior), given.values()
    extras = {name: np.full(COUNT, value) for name, value in others.items()}
    split = best(law, C, served, **extras)
    for name in ("N", "D", "L"):
        expected = of_draws(getattr(split, name))
        np.testing.assert_allclose(found[f"budget.{name}"], expected, rtol=DIGITS)
    np.testing.assert_allclose(found["budget.ratio"], of_draws(split.D / split.N), rtol=DIGITS)
    with jax.enable_x64(True):
        L = np.asarray(law.expand(1).loss(**{"N": N, "D": D, **extras}))
    np.testing.assert_allclose(found["run.L"], of_draws(L), rtol=DIGITS)
    spent = 6 * N * D
    np.testing.assert_allclose(found["run.C"][0], spent, rtol=DIGITS)
    least = best(law, spent, np.zeros(COUNT), **extras).L
    above = of_draws(np.maximum(L - least, 0))
    # Golden section finds the least loss to rounding, from above.
    np.testing.assert_allclose(found["run.above"], above, rtol=DIGITS, atol=1e-8)
    for part, cost in (("budget", C), ("run", spent)):
        hours = [Costs(r, p, "").hours(c) for r, p, c in zip(rate, price, cost, strict=True)]
        dollars = [Costs(r, p, "").money(c) for r, p, c in zip(rate, price, cost, strict=True)]
        np.testing.assert_allclose(found[f"{part}.hours"][2], hours, rtol=DIGITS)
        np.testing.assert_allclose(found[f"{part}.dollars"][2], dollars, rtol=DIGITS)


def bare(posterior: Posterior, page: Path, **others: Any) -> None:
    """A page with nothing but the explorer."""
    boxes = [Control(name, name, "1e21", (6.0, 27.0)) for name in ("C", "served", "N", "D")]
    prices = [Control(name, name, "1") for name in ("rate", "price", *others)]
    html = rendered(
        explorer(posterior, **others),
        title="", verdict=posterior.verdict, answers=[], left_out="", counting="", unit="",
        controls={"budget": boxes[:2], "run": boxes[2:], "other": prices},
        sections=[], provenance="",
    )  # fmt: skip
    page.write_bytes(html)


@pytest.mark.parametrize("exact", [True, False])
def test_the_explorer_equals_python(exact: bool, tmp_path: Path) -> None:
    posterior, page = standin.posterior(exact=exact), tmp_path / "report.html"
    bare(posterior, page)
    check(posterior, page, seed=1)


def test_a_law_of_more_inputs_has_an_explorer(tmp_path: Path) -> None:
    point = "muennighoff-2023"
    runs = standin.table()
    unique = Runs.from_columns({**runs.columns, "U": np.full(len(runs), 1e10)})
    posterior = standin.posterior(runs=unique, law="data_constrained", point=point)
    page = tmp_path / "report.html"
    bare(posterior, page, U=2e10)
    check(posterior, page, seed=2, U=2e10)


def test_what_a_page_cannot_hold_is_left_out_with_its_reason() -> None:
    with pytest.raises(InputError, match="N_nv, N_v"):
        explorer(standin.posterior(law="vocabulary", point="tao-2024"))
    with pytest.raises(InputError, match="it uses scan"):
        explorer(standin.posterior(), counting=lambda N, D: 6 * N * D)


class Stranger(Law):
    """Every operation of the translation that is at home in a formula, in one law."""

    E: Any = floor(dist.LogNormal(0.0, 1.0), "floor")
    k: Any = parameter(dist.LogNormal(0.0, 1.0), "slope")

    def loss(self, N: Any, D: Any) -> Any:
        x, y = jnp.log(N), jnp.log10(D)
        smooth = jnp.logaddexp(-self.k * x, -y) + jax.nn.softplus(x - y) + jax.nn.sigmoid(x - 20)
        bent = jnp.where((x > y) & ~(y < 3), jnp.tanh(x - y), jnp.minimum(x, y) ** 3 / 1e3)
        waves = jnp.sin(x) * jnp.cos(y)
        roots = jnp.cbrt(N) / 1e3 + jnp.sqrt(D) / 1e6 + 1 / jnp.sqrt(1 + x) + jnp.sinh(0.1 * y)
        rest = (
            jnp.clip(x, 2.0, 19.0) + jnp.abs(x - y) + jnp.floor(y) + jnp.sign(x - y) + jnp.expm1(-x)
        )
        return self.E + smooth + bent + waves + roots + rest + jnp.exp2(-x) + jnp.square(y)


def test_formulas_are_what_they_were(tmp_path: Path) -> None:
    law = Stranger(E=1.3, k=0.2)
    code = javascript(lambda E, k, N, D: Stranger(E=E, k=k).loss(N, D), [0.0] * 4)
    rng = np.random.default_rng(0)
    places = 10.0 ** rng.uniform([2, 2], [12, 14], (100, 2))
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><html><body></body></html>", "utf-8")
    script = f"return {json.dumps(places.tolist())}.map((at) => ({code})([1.3, 0.2, ...at]));"
    with jax.enable_x64(True):
        expected = [float(law.loss(N, D)) for N, D in places]
    np.testing.assert_allclose(answers(page, script), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: jnp.sum(jnp.arange(3.0) * x), "of arrays"),
        (lambda x: jax.scipy.special.gammaln(x), "lgamma"),
    ],
)
def test_a_formula_without_counterpart_is_refused(function: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        javascript(function, [0.0])
