"""Batches: equal bits in any company, few programs, and fits that nothing can be made of."""

import dataclasses
import logging
import threading
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import scalingfit as sf
from scalingfit.inference import Draws, Model, Settings, build, group, sample, sampled, sampler
from scalingfit.inference import programs as engine
from scalingfit.inference.group import Group
from scalingfit.noise import Normal
from scalingfit.runs import Runs

FAST = Settings(chains=2, draws=100, warmup=30, retries=0)
MODEL = build(sf.law("chinchilla"), Normal)
ARRAYS = ("log_density", "energy", "acceptance", "leapfrogs", "diverging", "step_size")


def assert_same_bits(one: Draws, two: Draws) -> None:
    for name in MODEL.sites:
        np.testing.assert_array_equal(one.values[name], two.values[name])
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for field in dataclasses.fields(one.diagnosis):
        np.testing.assert_array_equal(
            getattr(one.diagnosis, field.name), getattr(two.diagnosis, field.name)
        )


@pytest.mark.parametrize(
    ("precision", "rows"),
    [("float64", (12, 16, 25)), pytest.param("float32", (12, 16), marks=pytest.mark.slow)],
)
def test_a_fit_has_the_same_bits_alone_and_in_any_company(
    simulated: Callable[..., Runs], precision: str, rows: tuple[int, ...]
) -> None:
    """In company of other lengths, other padded shapes, other orders and in other groups."""
    settings = dataclasses.replace(FAST, precision=precision)
    tables = [simulated(count, seed=count) for count in rows]
    others = [simulated(9 + i % 7, seed=i, sigma=0.03) for i in range(9)]
    alone = [sample(MODEL, [runs], settings)[0] for runs in tables]
    company = sample(MODEL, [*others, *reversed(tables)], settings)
    for fit, draws in enumerate(alone):
        assert_same_bits(draws, company[-1 - fit])


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four fits to a program, as on an accelerator."""
    for module in (engine, group, sampler):
        monkeypatch.setattr(module, "group_size", lambda _: 4)


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("method", ["nuts", "auto"])
def test_fits_that_share_a_program_have_the_bits_they_have_alone(
    simulated: Callable[..., Runs], method: str
) -> None:
    """Their records too; ten fits are two full programs and a half."""
    settings = dataclasses.replace(FAST, method=method, draws=250)
    tables = [simulated(9 + i % 7, seed=i, sigma=0.03) for i in range(10)]
    together = sample(MODEL, tables, settings)
    for fit in (0, 3, 9):
        (alone,) = sample(MODEL, [tables[fit]], settings)
        assert_same_bits(alone, together[fit])
        assert alone.record == together[fit].record
    methods = {draws.record["method"] for draws in together}
    assert methods <= {"nuts"} if method == "nuts" else "importance" in methods


def test_tables_of_several_lengths_run_side_by_side(
    simulated: Callable[..., Runs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No length waits for another, and no place holds two groups at a time."""
    places = [jax.devices()[0]] * 3
    both = threading.Barrier(3, timeout=60)

    class Pretended:
        white = jax.numpy.zeros(1)

        def __init__(self, model: Model, tables: list[Runs], *_: object) -> None:
            self.rows = len(tables[0])

        def compile_ahead(self, by_weights: bool) -> None:
            pass

        def by_nuts(self) -> list[int]:
            both.wait()  # for ever, unless three groups are under way
            return [self.rows]

    monkeypatch.setattr(sampler, "workplaces", lambda: places)
    monkeypatch.setattr(sampler, "group_of", Pretended)
    tables = [simulated(rows, seed=rows) for rows in (12, 20, 50)]
    attempt: Any = sampler._attempt(MODEL, tables, [0, 1, 2], FAST, 0, by_weights=False)
    assert sorted((members, made) for members, made in attempt) == [
        ([0], [12]),
        ([1], [20]),
        ([2], [50]),
    ]


def test_weights_are_worth_no_more_than_the_draws_that_are_kept(
    simulated: Callable[..., Runs],
) -> None:
    """Four hundred effective draws are asked for; of 200 kept there are never so many."""
    auto, runs = dataclasses.replace(FAST, method="auto"), simulated(60)
    (few,) = sample(MODEL, [runs], auto)
    assert few.record["method"] == "nuts"
    (many,) = sample(MODEL, [runs], dataclasses.replace(auto, draws=400))
    assert many.record["method"] == "importance"
    assert 400 <= many.diagnosis.ess_bulk[0] < 800


def test_another_generator_of_jaxs_changes_nothing(simulated: Callable[..., Runs]) -> None:
    runs = simulated(12)
    (usual,) = sample(MODEL, [runs], FAST)
    before = jax.config.jax_default_prng_impl
    jax.config.update("jax_default_prng_impl", "rbg")
    try:
        (other,) = sample(MODEL, [runs], FAST)
    finally:
        jax.config.update("jax_default_prng_impl", before)
    assert_same_bits(usual, other)


def test_runs_of_weight_zero_need_no_loss() -> None:
    """A floor of -1 is possible for the runs that count, and leaves the absurd one no loss."""
    signed = build(sf.law("power"), Normal, {"E": dist.Normal(0.0, 1.0), "beta": 1.0, "c": 0.1})
    X = np.array([1e2, 1e3, 1e4, 1e5, 1e250])
    runs = Runs.from_columns({"X": X, "L": 0.01 + X**-0.1}).with_weight([1.0, 1, 1, 1, 0])
    data = jax.tree.map(lambda leaf: leaf[0], engine.pack_group(signed, [runs], 8, "float64"))
    with jax.enable_x64(True):
        place = signed.unconstrain({"E": -0.001, "sigma": 0.01}, data.centre)
        assert np.isfinite(signed.log_density(place, data))


def test_seeds_and_content_make_the_draws_labels_and_origin_do_not(
    simulated: Callable[..., Runs],
) -> None:
    runs = simulated(12)
    renamed = Runs.from_columns(
        dict(runs.columns), labels={"family": ["x"] * len(runs)}, provenance={"source": "elsewhere"}
    )
    first, second, third, again = (
        sample(MODEL, [of], dataclasses.replace(FAST, seed=seed))[0]
        for of, seed in ((runs, 0), (renamed, 0), (runs, 1), (runs, 0))
    )
    assert_same_bits(first, second)
    assert_same_bits(first, again)
    assert not np.any(first.values["alpha"] == third.values["alpha"])


def test_a_known_shape_compiles_nothing(
    simulated: Callable[..., Runs], caplog: pytest.LogCaptureFixture
) -> None:
    """Other lengths, numbers of fits and settings run through the same programs."""
    sample(MODEL, [simulated(12)], FAST)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        longer = dataclasses.replace(FAST, warmup=40, acceptance=0.8, seed=3)
        sample(MODEL, [simulated(9 + i, seed=i) for i in range(7)], longer)
        assert not [record for record in caplog.records if "Compiling" in record.getMessage()]
        jax.jit(lambda x: x + 1)(1.0)  # the count above could have failed
        assert [record for record in caplog.records if "Compiling" in record.getMessage()]


@pytest.mark.parametrize("astray", [False, True])
def test_a_weighted_table_has_the_mode_of_the_rows_that_count(
    simulated: Callable[..., Runs], astray: bool
) -> None:
    """Its search begins at the modes without weights, even where rows of weight zero are absurd."""
    runs = simulated(16)
    losses = runs["L"].copy()
    if astray:
        losses[10:] = 1e6 * np.arange(1, 7)
    columns = {name: runs[name] for name in ("N", "D")} | {"L": losses}
    weighted = Runs.from_columns(columns).with_weight((np.arange(16) < 10).astype(float))
    with jax.enable_x64(True):
        few, all_rows = (
            Group(MODEL, [table], FAST, attempt=0).white
            for table in (runs.take(np.arange(10)), weighted)
        )
        assert float(all_rows.log_density[0]) == pytest.approx(float(few.log_density[0]), abs=1e-6)


def test_tables_with_and_without_standard_errors_go_in_one_call(
    simulated: Callable[..., Runs],
) -> None:
    bare, known = simulated(12), simulated(12, loss_se=np.full(12, 0.01))
    together = sample(MODEL, [bare, known], FAST)
    assert_same_bits(together[0], sample(MODEL, [bare], FAST)[0])
    assert_same_bits(together[1], sample(MODEL, [known], FAST)[0])


@pytest.mark.parametrize("chains", [3, 4])
def test_each_chain_goes_its_own_way(simulated: Callable[..., Runs], chains: int) -> None:
    """Four chains are sampled by two programs, three by one."""
    (draws,) = sample(MODEL, [simulated(12)], dataclasses.replace(FAST, chains=chains))
    assert draws.log_density.shape == draws.leapfrogs.shape == (chains, FAST.draws)
    assert draws.step_size.shape == (chains,)
    assert len({chain.tobytes() for chain in draws.log_density}) == chains
    all_phases = draws.record["leapfrogs"]
    assert all_phases > draws.leapfrogs.sum() >= draws.log_density.size
    assert draws.diagnosis.rhat.max() < 1.2


def test_every_fit_comes_once_with_the_number_of_its_table(
    simulated: Callable[..., Runs],
) -> None:
    """Fits of several programs, made in any order, some of them twice."""
    tables = [simulated(25 if i % 4 else 12, seed=i) for i in range(10)]
    settings = dataclasses.replace(FAST, method="auto", draws=250, retries=1)
    made = [one for group in sampled(MODEL, tables, settings) for one in group]
    assert sorted(number for number, _ in made) == list(range(10))
    for number, draws in made[:2]:
        assert_same_bits(draws, sample(MODEL, [tables[number]], settings)[0])


def test_a_dead_fit_is_told_and_does_not_touch_its_neighbours(
    simulated: Callable[..., Runs],
) -> None:
    """A weight so large that the density overflows wherever the chain stands."""
    healthy = simulated(12, weight=np.ones(12))
    broken = healthy.with_weight(np.full(12, 1e308))
    dead, alive = sample(MODEL, [broken, healthy], FAST)
    assert not dead.diagnosis.passes(FAST.limits)
    assert_same_bits(alive, sample(MODEL, [healthy], FAST)[0])


def test_a_failed_fit_is_tried_again_harder(simulated: Callable[..., Runs]) -> None:
    """No draws reach this limit; each attempt warms up longer and takes smaller steps."""
    never = dataclasses.replace(FAST.limits, ess=1e9)
    insisting = dataclasses.replace(FAST, retries=1, limits=never)
    tables = [simulated(12, seed=i) for i in range(8)]  # one group
    again, once = (sample(MODEL, tables, settings) for settings in (insisting, FAST))
    assert {draws.record["attempts"] for draws in again} == {2}
    assert {draws.record["attempts"] for draws in once} == {1}
    steps = [[draws.step_size[0] for draws in made] for made in (again, once)]
    assert np.mean(np.log(steps[0])) < np.mean(np.log(steps[1]))
    accepted = [np.mean([draws.acceptance for draws in made]) for made in (again, once)]
    assert accepted[0] > accepted[1]


def test_a_huge_table_is_weighed_in_small_blocks(simulated: Callable[..., Runs]) -> None:
    """More rows than one evaluation is meant to hold; the truth is known to one part in 1000."""
    runs = simulated(20_000)
    (draws,) = sample(MODEL, [runs], dataclasses.replace(FAST, method="auto", draws=400))
    assert draws.record["method"] == "importance"
    truth = sf.law("chinchilla").published["besiroglu-2024"].values
    for name in ("E", "alpha", "beta"):
        values = draws.values[name]
        assert abs(values.mean() - truth[name]) < 4 * values.std() < 0.02
