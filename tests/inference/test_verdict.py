"""What a fit is called, on tables whose faults are known."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import scalingfit as sf
from scalingfit._messages import Argument, Call, Message, OnlyIn, from_record, to_record
from scalingfit.inference import Posterior, Verdict, far_in_prior
from scalingfit.inference.departure import Carried, Departure
from scalingfit.inference.misfit import (
    FAR,
    about_residuals,
    beyond_repeats,
    causes,
    outliers,
    says_nothing,
)
from scalingfit.inference.regression import added
from scalingfit.inference.residuals import Residuals
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.runs import Runs

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT.parent / "shared" / "cases"

TRUTH: dict[str, float] = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.36}


def grid(scatter: float = 0.003, seed: int = 0) -> dict[str, Any]:
    """Losses of a law over 6 sizes and 6 numbers of tokens."""
    rng = np.random.default_rng(seed)
    N = np.tile(np.geomspace(5e7, 5e9, 6), 6)
    D = np.repeat(np.geomspace(1e9, 2e11, 6), 6)
    L = sf.law("chinchilla")(**TRUTH).loss(N, D) * np.exp(scatter * rng.standard_normal(36))
    return {"N": N, "D": D, "L": np.asarray(L)}


def fit(columns: dict[str, Any], labels: dict[str, Any] | None = None, **more: Any) -> Posterior:
    """An exact law, so that what it misses is left in the residuals."""
    return sf.fit(Runs.from_columns(columns, labels=labels), law_error=None, **more)


def codes(posterior: Posterior) -> list[str]:
    return [note.code for note in posterior.verdict.notes]


def test_every_code_is_in_the_documentation() -> None:
    rooms = [ROOT / "scalingfit" / "runs", ROOT / "scalingfit" / "inference"]
    paths = [path for room in rooms for path in room.rglob("*.py")]
    made = "\n".join(path.read_text("utf-8") for path in paths)
    codes = {*re.findall(r'(?:Note|Finding)\(\s*"(\w+)"', made), "rhat", "ess_bulk", "ess_tail"}
    listed = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "verdicts.md").read_text("utf-8")))
    # Residuals answer what groups ask; bootstraps of a point estimate have no verdict.
    assert codes - listed <= {"groups", "undetermined"}
    assert len(codes) > 20


# --- the test behind it --------------------------------------------------------------------------


def test_columns_that_mean_nothing_have_uniform_chances() -> None:
    rng = np.random.default_rng(0)
    base = np.stack([np.ones(30), rng.standard_normal(30)], axis=1)
    found = [
        added(rng.standard_normal(30) + base @ [3, 5], base, rng.standard_normal((30, 3)))[1]
        for _ in range(2000)
    ]
    assert stats.kstest(found, "uniform").pvalue > 1e-3


def test_the_share_is_that_of_the_textbook() -> None:
    rng = np.random.default_rng(1)
    values, column = rng.standard_normal(40), rng.standard_normal(40)
    share, chance, of, total = added(values, np.ones((40, 1)), column[:, None])
    line = stats.linregress(column, values)
    assert chance == pytest.approx(line.pvalue)
    assert share == pytest.approx(1 - (1 - line.rvalue**2) * 39 / 38)
    assert total == pytest.approx(values.std(ddof=1))
    assert of == pytest.approx(total * np.sqrt(max(share, 0)))


# --- residuals -----------------------------------------------------------------------------------


def residuals(values: np.ndarray, departure: Departure | None = None) -> Residuals:
    """Those of a law that takes up the level alone, on a grid; the scatter is 1 %."""
    columns = grid()
    count = len(values)
    taken = np.full((count, 1), count**-0.5)
    inputs = {name: columns[name] for name in "ND"}
    return Residuals(values, 0.01, taken, Runs.from_columns(columns), inputs, departure)


def said(found: Residuals) -> dict[str, tuple[str, bool]]:
    every = about_residuals(found, on_log=True)
    return {note.code: (str(note), doubt) for note, doubt in every}


def test_a_smooth_part_is_found_and_measured() -> None:
    columns = grid()
    N, D = (np.log(columns[name]) for name in "ND")
    slope = (N - N.mean()) * (D - D.mean())
    scatter = np.random.default_rng(0).standard_normal(36)
    (cause,) = causes(residuals(scatter + 2 * slope / slope.std()))
    assert cause.what == "smooth"
    assert cause.of == pytest.approx(0.02, rel=0.2)  # scales of 1 %
    assert cause.total == pytest.approx(0.01 * np.sqrt(5), rel=0.25)
    assert causes(residuals(scatter)) == []


def test_a_column_of_zeros_explains_nothing() -> None:
    # The slope of a loss in an input that does not move it, such as data that are never repeated.
    found = residuals(np.random.default_rng(0).standard_normal(36))
    columns = np.stack([np.zeros(36), np.arange(36.0)], axis=1)
    moved, chances = found.one_by_one(columns, np.zeros((36, 0)))
    assert moved[0] == 0
    assert chances[0] == 1
    assert 0 < chances[1] < 1


@pytest.mark.parametrize(
    ("departure", "doubt"),
    [
        (Departure(of=0.012, share=0.5, rank=0.4), False),
        (Departure(of=0.04, share=0.9, rank=0.4), True),  # no matter of intervals any more
        (Departure(of=0.012, share=0.5, rank=0.995), True),  # nor one that was believed in
    ],
)
def test_a_misfit_that_intervals_carry_is_a_doubt_only_where_it_is_large(
    departure: Departure, doubt: bool
) -> None:
    scatter = np.random.default_rng(0).standard_normal(36)
    text, doubtful = said(residuals(scatter, departure))["misfit"]
    assert "all intervals carry" in text
    assert f"off by {100 * departure.of:.2g} %" in text
    assert doubtful == doubt


def test_a_small_part_of_the_scatter_is_no_misfit() -> None:
    scatter = np.random.default_rng(0).standard_normal(36)
    assert said(residuals(scatter, Departure(of=0.003, share=0.1, rank=0.4))) == {}


def test_a_departure_is_what_the_law_cannot_take_up() -> None:
    """Errors along a direction of the law are none; those beside it count in nearly all draws."""
    along, beside = np.linalg.qr(np.random.default_rng(0).standard_normal((36, 2)))[0].T
    exact = np.arange(400) < 4
    size = np.where(exact, 0.0, 0.03 * np.sqrt(36))[:, None]
    scale = np.full((400, 36), 0.01)
    none = Departure.between(size * along, scale, along[:, None], 0.5)
    assert none.of == pytest.approx(0, abs=1e-12)
    found = Departure.between(size * (along + beside), scale, along[:, None], 0.5)
    assert found.of == pytest.approx(0.03)
    assert found.share == pytest.approx(0.9)  # .03**2 of .03**2 + .01**2: 1 % are exact
    rarer = Departure.between(
        np.where(np.arange(400)[:, None] < 16, 0, size) * beside, scale, along[:, None], 0.5
    )
    assert rarer.share == 0.0  # 4 % are


def test_losses_that_vary_by_chance_are_told_from_those_of_a_law() -> None:
    """At a level of 1 %, with room for ten more of a thousand (more than three deviations)."""
    rng = np.random.default_rng(0)
    columns = grid()
    inputs = {name: columns[name][::3] for name in "ND"}

    def silent(L: np.ndarray) -> bool:
        runs = Runs.from_columns({**inputs, "L": L})
        values = np.zeros(12)
        return says_nothing(Residuals(values, 0.01, np.full((12, 1), 12**-0.5), runs, inputs))

    missed = sum(not silent(3 * np.exp(0.05 * rng.standard_normal(12))) for _ in range(1000))
    assert missed <= 20
    assert not silent(columns["L"][::3])


def test_rows_far_from_the_law_are_named() -> None:
    values = np.random.default_rng(0).standard_normal(36)
    assert outliers(residuals(values)) == []
    values[[7, 20]] = [40.0, -60.0]
    assert outliers(residuals(values)) == [20, 7]
    text, _ = said(residuals(values))["outliers"]
    number = residuals(values).runs.row_numbers
    assert f"rows {number[20]} (60 %), {number[7]} (40 %) lie more than {FAR:.0f} times" in text


def test_the_order_of_the_rows_counts_beside_what_is_smooth_in_the_inputs() -> None:
    order = np.random.default_rng(3).permutation(36)
    columns = {name: values[order] for name, values in grid().items()}
    drift = np.linspace(-3, 3, 36) + np.random.default_rng(0).standard_normal(36)
    runs = Runs.from_columns(columns)
    taken = np.full((36, 1), 1 / 6)
    found = Residuals(drift, 0.01, taken, runs, {name: columns[name] for name in "ND"})
    assert [cause.what for cause in causes(found)] == ["order"]


def test_repeated_runs_say_what_scatter_is() -> None:
    rng = np.random.default_rng(0)
    columns = {"N": np.tile(np.geomspace(1e8, 8e8, 4), 8), "D": np.full(32, 2e10)}
    level = np.tile([1.0, -1.0, 1.0, -1.0], 8)
    runs = Runs.from_columns({**columns, "L": np.full(32, 3.0)})
    taken = np.full((32, 1), 32**-0.5)

    def found(size: float) -> Residuals:
        values = size * level + 0.1 * rng.standard_normal(32)
        return Residuals(values, 0.01, taken, runs, {name: columns[name] for name in "ND"})

    gap = beyond_repeats(found(1.0))
    assert gap == pytest.approx((0.01, 0.001), rel=0.3)
    assert beyond_repeats(found(0.0)) is None


@pytest.mark.parametrize("copies", [1, 5])
def test_rows_of_one_run_repeat_nothing(copies: int) -> None:
    """Evaluations of a run agree, whatever the law; runs of equal inputs tell what scatter is."""
    rng = np.random.default_rng(0)
    N = np.repeat(np.tile(np.geomspace(1e8, 8e8, 4), 8), copies)
    columns = {"N": N, "D": np.full(len(N), 2e10)}
    labels = {"run_id": np.repeat(np.arange(32), copies)}
    runs = Runs.from_columns({**columns, "L": np.full(len(N), 3.0)}, labels=labels)
    taken = np.full((len(N), 1), len(N) ** -0.5)

    def found(law: float, of_runs: float) -> Residuals:
        level = np.tile([law, -law], 16) + of_runs * rng.standard_normal(32)
        values = np.repeat(level, copies) + 0.01 * rng.standard_normal(len(N))
        return Residuals(values, 0.01, taken, runs, {name: columns[name] for name in "ND"})

    assert beyond_repeats(found(0.0, 1.0)) is None
    assert beyond_repeats(found(1.0, 0.1)) == pytest.approx((0.01, 0.001), rel=0.3)


# --- fits ----------------------------------------------------------------------------------------


def test_a_table_of_the_law_is_ok() -> None:
    labels = {"optimizer": np.tile(["adamw", "muon", "lion"], 12)}
    assert fit(grid(), labels).verdict.ok


def test_recipes_that_differ_are_not_pooled_in_silence() -> None:
    columns = grid()
    recipe = np.random.default_rng(5).permutation(np.repeat([0, 1, 2], 12))
    columns["L"] = columns["L"] * (1 + 0.02 * recipe)
    posterior = fit(columns, {"optimizer": np.array(["adamw", "muon", "lion"])[recipe]})
    assert posterior.verdict.status == "warned"
    assert codes(posterior) == ["label_explains"]
    assert "residuals differ by optimizer" in str(posterior.verdict)
    again = Verdict.of(json.loads(json.dumps(posterior.verdict.record)))
    assert again == posterior.verdict


def test_another_law_than_the_right_one_is_a_misfit() -> None:
    columns = grid()
    N, D = columns["N"], columns["D"]
    columns["L"] = columns["L"] * (1 + 0.01 * np.log(N / 5e8) * np.log(D / 1.4e10))
    posterior = fit(columns)
    assert posterior.verdict.status == "warned"
    assert "misfit" in codes(posterior)


@pytest.mark.parametrize("factor", [4.0, 0.25])
def test_tokens_that_are_counted_otherwise_in_part_of_the_runs_are_told(factor: float) -> None:
    columns = grid()
    large = columns["N"] > 7e8
    posterior = fit({**columns, "D": columns["D"] * np.where(large, factor, 1.0)})
    assert posterior.verdict.status == "warned"
    (text,) = (str(note) for note in posterior.verdict.notes if note.code == "miscounted")
    assert "jump at N 315M" in text  # the largest of the smaller half
    way = "high" if factor > 1 else "low"
    told = re.search(rf"as if D were counted (\S+) times too {way} beyond", text)
    assert told is not None
    assert 2 < float(told[1]) < 8  # to first order in its logarithm
    everywhere = fit({**columns, "D": factor * columns["D"]})
    assert everywhere.verdict.ok  # B takes it up, and nothing can tell it


def test_low_perplexities_are_told_from_losses() -> None:
    """The law holds for their logarithm; nearly none is so high that it could be no loss."""
    columns = grid()
    columns |= {"N": 6 * columns["N"], "D": 6 * columns["D"]}
    nats = sf.law("chinchilla")(**{**TRUTH, "E": 1.4}).loss(columns["N"], columns["D"])
    scatter = np.random.default_rng(0).standard_normal(36)
    posterior = fit({**columns, "L": np.exp(nats * np.exp(0.003 * scatter))})
    assert [finding.code for finding in posterior.runs.findings] == []
    assert posterior.verdict.status == "warned"
    assert "unit" in codes(posterior)
    assert "as if it were a perplexity" in str(posterior.verdict)


def test_what_an_error_can_carry_is_taken_out_as_by_generalised_least_squares() -> None:
    rng = np.random.default_rng(0)
    factor, columns, values = (rng.standard_normal((30, k)) for k in (4, 3, 1))
    carried = Carried.by(3 * factor)
    after, left = carried.out_of(columns), carried.out_of(values[:, 0])
    precision = np.linalg.inv(np.eye(30) + 9 * factor @ factor.T)
    np.testing.assert_allclose(after.T @ after, columns.T @ precision @ columns, atol=1e-10)
    np.testing.assert_allclose(after.T @ left, columns.T @ precision @ values[:, 0], atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_eight_rows_of_noise_are_never_ok(seed: int) -> None:
    rng = np.random.default_rng(seed)
    N, D = (np.exp(rng.uniform(np.log(low), np.log(100 * low), 8)) for low in (1e8, 2e9))
    posterior = fit({"N": N, "D": D, "L": 3 + 0.05 * rng.standard_normal(8)})
    assert not posterior.verdict.ok
    assert "no_trend" in codes(posterior)


@pytest.mark.parametrize("digits", [4, 8])
def test_nearly_exact_tables_are_ok_and_said_to_be(digits: int) -> None:
    columns = grid(scatter=0)
    posterior = fit({**columns, "L": columns["L"].round(digits)})
    assert posterior.verdict.ok
    assert codes(posterior) == ["digits"]


@pytest.mark.parametrize(
    "law_error", [None, pytest.param(LAW_ERROR, marks=pytest.mark.slow)], ids=["exact", "error"]
)
def test_exact_tables_are_ok_and_can_be_loaded(tmp_path: Path, law_error: LawError | None) -> None:
    posterior = sf.fit(Runs.from_columns(grid(scatter=0)), law_error=law_error)
    assert posterior.verdict.ok
    assert posterior.sampled.record.get("exact", 1.0) == 1.0
    assert codes(posterior) == ["digits"]
    for name, value in TRUTH.items():
        assert np.median(posterior.draws[name]) == pytest.approx(value, rel=1e-6)
    posterior.save(tmp_path / "fit.nc")
    assert sf.load(tmp_path / "fit.nc").verdict == posterior.verdict


def test_a_parameter_far_out_in_its_prior_is_named() -> None:
    columns = grid()
    posterior = fit({**columns, "L": 20 * columns["L"]})  # no nats
    assert "E" in far_in_prior(posterior.model, posterior.sampled.values)
    assert "prior_conflict" in codes(posterior)
    assert not posterior.verdict.ok


def test_a_sentence_comes_back_from_its_record() -> None:
    text = Message(
        "a ",
        Argument("L", ("x", 2.0), "column"),
        Argument("E", ..., "prior"),
        Call("read", (Argument("where", "a=b"),), other=True),
        OnlyIn("python", ("p", Argument("q", True))),
    )
    assert from_record(json.loads(json.dumps(to_record(text)))) == text
    assert from_record(to_record("plain")) == "plain"


def _two_explanations(apart: float) -> Runs:
    """Half of the runs lie above a constant loss, and half below: either may be the outliers."""
    rng = np.random.default_rng(0)
    X = np.geomspace(1e6, 1e9, 24)
    level = 3.0 * np.exp(apart * np.tile([0.0, 1.0], 12) + 1e-3 * rng.standard_normal(24))
    return Runs.from_columns({"X": X, "L": level})


@pytest.mark.parametrize(("apart", "modes"), [(0.05, True), (0.0, False)])
def test_a_second_mode_is_said_and_chains_begin_there_too(apart: float, modes: bool) -> None:
    priors: dict[str, Any] = {"c": 0.3, "beta": 1e-3, "sigma": 1e-3, "nu": 1.5}
    posterior = sf.fit(_two_explanations(apart), "power", priors=priors, law_error=None, draws=500)
    assert ("modes" in codes(posterior)) == modes
    middles = np.median(posterior.draws["E"], axis=1)
    assert (np.ptp(middles) > 0.02) == modes
    if modes:
        assert posterior.sampled.record["elsewhere"] == pytest.approx(0.5, abs=0.4)
        assert not posterior.verdict.ok


# --- tables that went wrong ----------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], set[str]]] = {
    "checkpoints_as_runs.csv": ({}, {"rows_of_one_run"}),
    "negative_floor.csv": ({"law": "power"}, set()),
    "moe_counted_flops.csv": ({}, {"compute_ratio"}),
    "tokens_wrong_batch.csv": ({}, {"compute_ratio", "misfit"}),
    "three_optimizers.csv": ({}, {"label_explains"}),
}


@pytest.mark.parametrize("name", WRONG)
def test_tables_that_went_wrong_are_never_ok(name: str) -> None:
    if not (CASES / name).is_file():
        pytest.skip("no cases here")
    arguments, expected = WRONG[name]
    posterior = sf.fit(sf.read(CASES / name), law_error=None, **arguments)
    assert not posterior.verdict.ok
    assert expected <= {*codes(posterior)}


def test_each_optimizer_alone_is_ok() -> None:
    path = CASES / "three_optimizers.csv"
    if not path.is_file():
        pytest.skip("no cases here")
    for part in sf.read(path).split("optimizer").values():
        assert sf.fit(part, law_error=None).verdict.status in ("ok", "unidentified")
