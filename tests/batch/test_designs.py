import numpy as np
import pytest

import scalingfit as sf
from scalingfit.runs import Runs
from tests.batch.small import simulated


@pytest.fixture
def runs() -> Runs:
    return simulated(24, seed=1, labels={"family": ["a", "b", "b", "c", "c", "c"] * 4})


def test_resamples_have_as_many_runs_as_the_table(runs: Runs) -> None:
    for resample in sf.designs.bootstraps(runs, 50).values():
        weight = resample["weight"]
        assert weight.sum() == len(runs)
        assert np.array_equal(weight, np.round(weight))


def test_a_mean_over_resamples_scatters_as_theory_says(runs: Runs) -> None:
    count = 2000
    resamples = sf.designs.bootstraps(runs, count).values()
    means = [np.average(runs.L, weights=one["weight"]) for one in resamples]
    expected = runs.L.std() / np.sqrt(len(runs))  # sd of a mean of draws from the table
    error = 1 / np.sqrt(2 * count)  # relative, of an estimated sd
    assert np.std(means) == pytest.approx(expected, rel=4 * error)


def test_a_resample_does_not_depend_on_how_many_there_are(runs: Runs) -> None:
    few, many = sf.designs.bootstraps(runs, 2), sf.designs.bootstraps(runs, 5)
    assert [few[i].digest for i in few] == [many[i].digest for i in few]
    assert len({one.digest for one in many.values()}) == 5
    assert few[0].digest != sf.designs.bootstraps(runs, 1, seed=1)[0].digest


def test_weights_that_were_there_are_multiplied(runs: Runs) -> None:
    given = np.linspace(0, 3, len(runs))
    plain = sf.designs.bootstraps(runs, 3)
    weighted = sf.designs.bootstraps(runs.with_weight(given), 3)
    for label, one in weighted.items():
        assert np.array_equal(one["weight"], given * plain[label]["weight"])


def test_clusters_stay_whole(runs: Runs) -> None:
    for resample in sf.designs.bootstraps(runs, 30, cluster="family").values():
        times = [set(part["weight"]) for part in resample.split("family").values()]
        assert all(len(values) == 1 for values in times)
        assert sum(min(values) for values in times) == 3  # families, drawn three times


def test_each_group_is_left_out_once(runs: Runs) -> None:
    left = sf.designs.leave_out(runs, "family")
    assert list(left) == ["a", "b", "c"]
    for family, rest in left.items():
        assert family not in rest.labels["family"]
        gone = runs.take(runs.labels["family"] == family)
        assert sorted([*rest.row_numbers, *gone.row_numbers]) == list(runs.row_numbers)


def test_rows_are_told_apart_by_place_not_by_number(runs: Runs) -> None:
    doubled = runs.take(np.repeat(np.arange(len(runs)), 2))
    assert len(sf.designs.leave_out(doubled, "family")["a"]) == 2 * 20


def test_subsets_are_drawn_without_replacement(runs: Runs) -> None:
    parts = sf.designs.subsets(runs, 10, 40)
    for part in parts.values():
        assert len(set(part.row_numbers)) == 10
    assert len({part.digest for part in parts.values()}) == 40


def test_horizons_are_nested(runs: Runs) -> None:
    scale = np.sort(6 * runs.N * runs.D)
    parts = sf.designs.horizons(runs, [scale[11], scale[5]])
    assert [len(part) for part in parts.values()] == [6, 12]
    assert set(parts[scale[5]].row_numbers) < set(parts[scale[11]].row_numbers)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (lambda runs: sf.designs.bootstraps(runs, 0), "count must be at least 1, and is 0"),
        (lambda runs: sf.designs.bootstraps(runs, 2.5), "count must be a whole number, and is 2.5"),  # type: ignore[arg-type]
        (lambda runs: sf.designs.bootstraps(runs, 9, seed=-1), "seed must be at least 0"),
        (lambda runs: sf.designs.subsets(runs, 9, seed=-1), "seed must be at least 0, and is -1"),
        (lambda runs: sf.designs.subsets(runs, 9, 0), "count must be at least .*, and is 0"),
        (lambda runs: sf.designs.subsets(runs, 9.5), "size must be a whole number, and is 9.5"),  # type: ignore[arg-type]
        (lambda runs: sf.designs.bootstraps(runs, 9, cluster="none"), "no column 'none'"),
        (lambda runs: sf.designs.bootstraps(runs.take([0])), "always the same"),
        (lambda runs: sf.designs.leave_out(runs, "nothing"), "no column 'nothing'"),
        (lambda runs: sf.designs.leave_out(runs.take([0, 6]), "family"), "no run is left"),
        (lambda runs: sf.designs.subsets(runs, 25), "25 runs cannot be taken from 24"),
        (lambda runs: sf.designs.horizons(runs, []), "there are no budgets"),
        (lambda runs: sf.designs.horizons(runs, [1e3, 1e30]), "no run is as small as 1000"),
    ],
)
def test_what_cannot_be_made_is_refused(runs: Runs, design: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        design(runs)  # type: ignore[operator]
