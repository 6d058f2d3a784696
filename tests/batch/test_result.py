"""What `refit` returns: labels, statuses, arrays, words. No draws are needed."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

import scalingfit as sf
from scalingfit.batch import Refits
from scalingfit.inference import Verdict
from scalingfit.runs import Runs
from tests.batch.small import QUICK, same_bits, simulated

pytestmark = pytest.mark.usefixtures("pretended")


def weightless(rows: int) -> Runs:
    """A table of which nothing counts."""
    return simulated(rows, seed=0).with_weight(np.zeros(rows))


@pytest.fixture
def refits(tables: dict[str, Runs]) -> Refits:
    return sf.refit({**tables, "empty": weightless(5)}, **QUICK)


def test_a_table_that_cannot_be_fitted_stops_nothing(refits: Refits) -> None:
    assert len(refits) == 13
    assert len(refits.fitted) == 12
    assert refits.statuses["empty"].startswith("refused: none of the 5 runs has weight")
    assert not refits.ok
    assert sum(refits.counts.values()) == 13
    assert refits.counts["refused"] == 1
    assert "none of the 5 runs has weight" in str(refits)
    with pytest.raises(ValueError, match="no posterior of 'empty'; refused: none of the 5 runs"):
        refits["empty"]
    with pytest.raises(ValueError, match="no fit 'nothing'"):
        refits["nothing"]


def test_fits_that_were_refused_are_left_out_of_the_spread_in_words() -> None:
    resamples = sf.designs.bootstraps(simulated(9, seed=0), 12)
    refits = sf.refit({**resamples, 12: weightless(9)}, **QUICK)
    assert refits.counts["refused"] == 1
    (note,) = refits.caveats
    assert note.code == "refused"
    assert str(note.text).startswith("1 of 13 fits were refused: what is said of all fits")
    assert "none of the 9 runs has weight" in next(iter(refits.unfitted.values()))


def test_where_nothing_can_be_fitted_the_reason_is_raised() -> None:
    with pytest.raises(ValueError, match=r"none of the 2 tables.*none of the 5 runs"):
        sf.refit([weightless(5), weightless(4)], **QUICK)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (simulated(20, seed=0), "many tables, not one"),
        ({"a": 3}, "table 'a' is not Runs but int"),
        ([], "no table to fit"),
        (5, "takes tables of runs, not int"),
    ],
)
def test_other_sources_are_refused(source: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sf.refit(source, **QUICK)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"method": "foo"}, "method 'foo' is neither 'auto' nor 'nuts'"),
        ({"draws": 200.5}, "draws must be a whole number, and is 200.5"),
        ({"retries": -1}, "retries must be at least 0, and is -1"),
        ({"limits": 1.01}, "limits must be Limits, not float"),
        ({"chunk": 2.5}, "chunk must be a whole number, and is 2.5"),
        ({"chunk": 0}, "chunk must be at least 1, and is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        sf.refit([simulated(20, seed=0)], **{**QUICK, **setting})


def test_whole_numbers_may_be_of_any_kind() -> None:
    refits = sf.refit([simulated(20, seed=0)], **{**QUICK, "draws": np.int64(100)})
    assert type(refits[0].provenance["settings"]["draws"]) is int


def test_tables_without_labels_are_counted() -> None:
    assert sf.refit((simulated(20, seed=i) for i in range(3)), **QUICK).labels == (0, 1, 2)


def test_arrays_are_stacked_by_fit(refits: Refits) -> None:
    for place, label in enumerate(refits.fitted):
        for name, draws in refits[label].draws.items():
            assert np.array_equal(refits.draws[name][place], draws)
    assert refits.law.alpha.shape == (12, 4, 100)


def test_answers_are_those_of_each_fit(refits: Refits) -> None:
    budgets = [1e21, 1e24]
    frontiers = refits.frontier(budgets)
    forecasts = refits.forecast(N=[1e9, 7e10], D=1e12)
    assert frontiers.pooled.N.shape == (12, 4, 100, 2)
    for label in refits.fitted[::5]:
        own = refits[label].frontier(budgets)
        for name, draws in own.draws.items():
            np.testing.assert_allclose(frontiers[label].draws[name], draws, rtol=1e-9)
        assert np.array_equal(
            forecasts[label].mean, refits[label].forecast(N=[1e9, 7e10], D=1e12).mean
        )


def test_each_fit_has_its_own_reach() -> None:
    runs = simulated(60, seed=0)
    refits = sf.refit(sf.designs.horizons(runs, [5e20, 1e24]), **QUICK)
    forecasts = refits.forecast(N=3e9, D=1e11)
    for label in refits.fitted:
        own = refits[label].forecast(N=3e9, D=1e11)
        assert [*forecasts[label].notes] == [*own.notes]
        assert forecasts[label].provenance == own.provenance
    assert not forecasts[1e24].notes
    (note,) = forecasts.notes
    assert str(note.text).startswith(
        "beyond the runs of 1 of 2 fits; the farthest, 5e+20: C 1.8e21 is 4.93"
    )


def test_each_fit_has_the_notes_of_its_own_frontier(refits: Refits) -> None:
    budgets = [1e21, 1e24]
    frontiers = refits.frontier(budgets)
    own = refits["table 5"].frontier(budgets)
    assert [*frontiers["table 5"].notes] == [*own.notes]
    assert "beyond the runs of 12 of 12 fits; the farthest, 'table " in str(frontiers)


def test_answers_say_which_fits_nobody_should_use(refits: Refits) -> None:
    lost = dataclasses.replace(refits["table 3"], verdict=Verdict("not converged"))
    mixed = dataclasses.replace(refits, fits={**refits.fits, "table 3": lost})
    for answer in (mixed.frontier(1e21), mixed.forecast(N=1e9, D=1e10)):
        assert "1 of 12 fits did not converge and are in these numbers: 'table 3'" in str(answer)
    assert "did not converge" not in str(refits.frontier(1e21))


def test_a_frame_of_answers_has_one_row_a_fit_and_budget(refits: Refits) -> None:
    answers = refits.frontier([1e21, 1e24])
    frame = answers.to_pandas()
    assert len(frame) == 24
    found = answers.quantiles("N")
    for at, (_, series) in enumerate(frame.iterrows()):
        fit, row = divmod(at, 2)
        assert series["fit"] == answers.labels[fit]
        assert series["C"] == answers.pooled.asked["C"][row]
        assert series["N_q95"] == found[2, fit, row]
    own = answers["table 3"].to_pandas()
    np.testing.assert_allclose(frame[frame["fit"] == "table 3"]["N_q50"], own["N_q50"])
    arrays = answers.to_xarray()
    assert arrays["N"].dims == ("fit", "chain", "draw", "budget")
    assert np.array_equal(arrays["N"].sel(fit="table 3"), answers.pooled.N[3])


def test_the_spread_is_of_medians_and_of_draws(refits: Refits) -> None:
    own = [refits[label].summary()["alpha"] for label in refits.fitted]
    row = refits.spread()["alpha"]
    for at, (key, q) in enumerate((("q5", 0.05), ("q50", 0.5), ("q95", 0.95))):
        assert row["across"][at] == pytest.approx(np.quantile([one["q50"] for one in own], q))
        assert row["within"][at] == pytest.approx(np.median([one[key] for one in own]))


def test_few_fits_have_a_row_each_and_all_say_how_they_were_made(refits: Refits) -> None:
    assert ", 12 by none." in str(refits)
    few, many = (
        str(sf.refit(sf.designs.bootstraps(simulated(20, seed=0), count), **QUICK))
        for count in (12, 13)
    )
    assert few.splitlines()[1].split()[:2] == ["fit", "status"]
    assert few.splitlines()[2].split()[0] == "0"
    assert "across fits" in few
    assert "across fits" in many.splitlines()[1]


def test_every_table_has_a_row(refits: Refits) -> None:
    frame = refits.to_pandas().set_index("fit")
    assert list(frame.index) == list(refits.labels)
    assert frame.loc["table 3", "rows"] == 23
    assert frame.loc["empty", "status"] == "refused"
    assert str(frame.loc["empty", "why"]).startswith("none of the 5 runs")
    assert frame.loc["table 3", "alpha_mean"] == refits["table 3"].summary()["alpha"]["mean"]


def test_the_dataset_names_its_axes(refits: Refits) -> None:
    dataset = refits.to_xarray()
    assert dict(dataset.sizes) == {"fit": 12, "chain": 4, "draw": 100}
    found = dataset["alpha"].sel(fit="table 7").values
    assert np.array_equal(found, refits["table 7"].draws["alpha"])
    assert dataset["status"].dims == ("fit",)


def test_json_holds_all_but_the_draws(refits: Refits) -> None:
    data = json.loads(json.dumps(refits.as_json(), allow_nan=False))
    assert data["counts"] == refits.counts
    assert len(data["fits"]) == 13
    assert [row["parameter"] for row in data["spread"]] == list(refits.draws)
    assert {note["of"] for note in data["notes"] if note["code"] == "refused"} == {"empty", ""}


def test_equal_tables_are_fitted_once_and_keep_their_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = simulated(20, seed=0)
    second = simulated(20, seed=0, row_numbers=np.arange(20) + 100)
    refits = sf.refit({"first": first, "second": second}, **QUICK)
    assert refits["first"].sampled is refits["second"].sampled
    assert refits["second"].runs.row_numbers[0] == 100


def test_where_no_fit_was_made_there_are_no_draws() -> None:
    refits = Refits(models={"a": "chinchilla"}, fits={}, unfitted={"a": "lost: killed"})
    for ask in (lambda: refits.law, refits.spread, lambda: refits.frontier(1e21)):
        with pytest.raises(ValueError, match=r"^no fit was made"):
            ask()


def test_several_laws_make_a_product(tables: dict[str, Runs]) -> None:
    some = dict(list(tables.items())[:3]) | {"empty": weightless(5)}
    priors = {"chinchilla": {"beta": "alpha"}}
    refits = sf.refit(some, ["chinchilla", "kaplan"], priors=priors, **QUICK)
    assert len(refits) == 8
    assert refits["table 0", "kaplan"].model.law.name == "kaplan"
    chinchilla = refits["table 0", "chinchilla"].draws
    assert np.array_equal(chinchilla["alpha"], chinchilla["beta"])
    with pytest.raises(ValueError, match="fits of 'chinchilla', 'kaplan'"):
        refits.frontier(1e21)
    kaplan = refits.of("kaplan")
    assert kaplan.labels == tuple(some)
    assert kaplan.law.alpha_N.shape == (3, 4, 100)
    assert "kaplan, normal noise" in str(refits)
    with pytest.raises(ValueError, match="no fits of 'hoffmann'"):
        refits.of("hoffmann")


def test_one_law_in_a_list_is_one_law(tables: dict[str, Runs]) -> None:
    one, priors = {"a": tables["table 0"]}, {"E": 1.7}
    listed = sf.refit(one, ["chinchilla"], priors=priors, **QUICK)
    assert same_bits(listed, sf.refit(one, "chinchilla", priors=priors, **QUICK))
    named = sf.refit(one, ["chinchilla"], priors={"chinchilla": priors}, **QUICK)
    assert same_bits(listed, named)
    assert np.all(listed["a"].law.E == 1.7)


def test_several_noises_make_a_product(tables: dict[str, Runs]) -> None:
    options = {**QUICK, "noises": ["normal", "laplace"]}
    refits = sf.refit({"a": tables["table 0"]}, priors={"E": 1.7}, **options)
    assert refits.labels == (("a", "chinchilla, normal"), ("a", "chinchilla, laplace"))
    assert np.all(refits.of("chinchilla, laplace").law.E == 1.7)


def test_tuples_can_be_labels() -> None:
    refits = sf.refit({("a", 1): simulated(20, seed=0)}, **QUICK)
    assert refits["a", 1].runs["L"].size == 20
    assert "('a', 1)  " in str(refits)
    assert "across fits" not in str(refits)  # there is but one
    assert refits.to_xarray()["fit"].values.tolist() == ["('a', 1)"]
