"""The page computes what Python computes, in a real browser."""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.allocation import Costs, SixND, WithInference
from scalingfit.allocation.solver import Optimum, solve
from scalingfit.catalog import noise
from scalingfit.declare import Law, dist, floor, loss_of_logs, parameter
from scalingfit.inference import Posterior
from scalingfit.noise import At
from scalingfit.report._controls import Control
from scalingfit.report._explorer import DRAWS, explorer, some_of
from scalingfit.report._javascript import javascript
from scalingfit.report._page import rendered
from scalingfit.report._scatter import scatter
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


def single_runs(posterior: Posterior, L: np.ndarray, **inputs: Any) -> np.ndarray:
    """Losses of single runs in the page, (draw and run, setting), about the law's."""
    law, noise = some_of(posterior)
    about = scatter(law.exact, noise, middle(posterior))
    with jax.enable_x64(True):
        loss = functools.partial(loss_of_logs, law.exact.expand(1))
        at = noise.expand(1).at(loss, {name: jnp.log(value) for name, value in inputs.items()})
        scale = noise.expand(1).scale(dataclasses.replace(at, mean=L))
    scale = np.broadcast_to(np.asarray(scale), L.shape)
    losses = L[:, None] * np.exp(scale[:, None] * about.runs[..., None])
    return losses.reshape(-1, L.shape[-1])


def middle(posterior: Posterior) -> dict[str, float]:
    names = posterior.law.inputs()
    return {name: float(np.log(posterior.runs[name]).mean()) for name in names}


def check(posterior: Posterior, page: Path, seed: int, **others: float) -> None:
    """Hold every number of the page against the solver and the law, on the draws of the page."""
    given = settings(posterior, seed) | {
        name: np.full(COUNT, value) for name, value in others.items()
    }
    found = asked(
        page, [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    )
    (law, _), (C, served, N, D, rate, price, *_) = some_of(posterior), given.values()
    extras = {name: np.full(COUNT, value) for name, value in others.items()}
    split = best(law, C, served, **extras)
    for name in ("N", "D", "L"):
        expected = of_draws(getattr(split, name))
        np.testing.assert_allclose(found[f"budget.{name}"], expected, rtol=DIGITS)
    np.testing.assert_allclose(found["budget.ratio"], of_draws(split.D / split.N), rtol=DIGITS)
    with jax.enable_x64(True):
        L = np.asarray(law.expand(1).loss(**{"N": N, "D": D, **extras}))
    np.testing.assert_allclose(found["run.L"], of_draws(L), rtol=DIGITS)
    for part, loss, n, d in (("run", L, N, D), ("budget", split.L, split.N, split.D)):
        expected = of_draws(single_runs(posterior, loss, N=n, D=d, **extras))
        np.testing.assert_allclose(found[f"{part}.single"], expected, rtol=DIGITS)
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


def scattering(posterior: Posterior, name: str) -> Posterior:
    """The same draws with another noise: scales about a percent, and differing by the draw."""
    cls, rng = noise(name), np.random.default_rng(8)
    values = {each: 0.01 * rng.lognormal(0, 0.3, posterior.law.shape) for each in cls.parameters()}
    if "nu" in values:
        values["nu"] = np.full(posterior.law.shape, 4.0)
    return dataclasses.replace(posterior, noise=cls(**values))


@pytest.mark.parametrize(("exact", "name"), [(True, "student_t"), (False, "error_in_n")])
def test_the_explorer_equals_python(exact: bool, name: str, tmp_path: Path) -> None:
    posterior = scattering(standin.posterior(exact=exact), name)
    page = tmp_path / "report.html"
    bare(posterior, page)
    check(posterior, page, seed=1)


@pytest.mark.parametrize(
    ("name", "effect"),
    [("normal", 0.02), *((name, 0.0) for name in ("laplace", "one_sided", "error_in_n_and_d"))],
)
def test_single_runs_scatter_as_forecasts_say(name: str, effect: float) -> None:
    """Shares of a forecast's runs below the page's quantiles, whose errors are binomial."""
    posterior = scattering(standin.posterior(), name)
    if effect:
        own = dataclasses.replace(posterior.noise, run_effect=0 * posterior.noise.sigma + effect)
        posterior = dataclasses.replace(posterior, noise=own)
    place: dict[str, Any] = {"N": 3e9, "D": 2e11}
    forecast = posterior.forecast(**place).new_run.ravel()
    with jax.enable_x64(True):
        L = np.asarray(some_of(posterior)[0].loss(**place))[:, None]
    page = of_draws(single_runs(posterior, L, **place))
    below = (forecast[:, None] < page.T).mean(axis=0)
    shares = np.array(SHARES)
    error = np.sqrt(shares * (1 - shares) * (1 / forecast.size + 1 / DRAWS))
    np.testing.assert_array_less(np.abs(below - shares), 4.5 * error)


class OwnScatter(noise("one_sided")):  # type: ignore[misc]
    """A scale that differs between runs, of a scatter that is not in proportion to it."""

    name: ClassVar[str] = "own_scatter"

    def scale(self, at: At) -> Any:
        return self.sigma * at.mean


def test_a_scatter_that_a_page_cannot_hold_is_refused() -> None:
    law, _ = some_of(standin.posterior())
    each = np.full(law.shape, 0.01)
    with pytest.raises(InputError, match="not in proportion"):
        scatter(law, OwnScatter(sigma=each, excess=each), middle(standin.posterior()))


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
