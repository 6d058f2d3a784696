"""From a source to runs: what follows from what, and what is taken at its word."""

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.runs import Runs, read
from tests.runs.small import DIGEST, FRAME


@pytest.mark.parametrize("missing", ["N", "D", "C"])
def test_the_missing_one_of_three_follows_from_six_n_d(missing: str) -> None:
    full = {"N": [1e7, 1e8], "D": [1e9, 4e9], "C": [6e16, 2.4e18], "L": [4.0, 3.0]}
    runs = read({name: values for name, values in full.items() if name != missing})
    np.testing.assert_allclose(runs[missing], full[missing], rtol=1e-15)
    assert list(runs.provenance["derived"]) == [missing]
    assert f"{missing} = " in runs.describe()
    assert (
        missing
        not in read(
            {name: values for name, values in full.items() if name != missing}, derive=None
        ).columns
    )


@pytest.mark.parametrize("known", ["N", "D", "C"])
@pytest.mark.parametrize("header", ["M", "tokens per parameter", "D/N"])
def test_tokens_per_parameter_stand_in_for_one_of_n_d_and_c(known: str, header: str) -> None:
    """Gadre et al. 2024, arXiv 2403.08540, state their runs by C and M = D / N."""
    N, D = FRAME["params"], FRAME["tokens"]
    every = {"N": N, "D": D, "C": 6 * N * D}
    runs = read({known: every[known], header: D / N, "loss": FRAME["loss"]})
    for symbol, values in every.items():
        np.testing.assert_allclose(runs[symbol], values, rtol=1e-14)
    derived = runs.provenance["derived"]
    assert list(derived) == [symbol for symbol in "NDC" if symbol != known]
    assert all(f"{symbol} = {rule}" in str(runs) for symbol, rule in derived.items())


def test_tokens_per_parameter_tell_nothing_beside_two_others() -> None:
    runs = read(FRAME.assign(M=7.0))
    assert "M" not in runs.columns
    assert "M" in runs.labels
    assert runs.provenance["derived"] == {"C": "6 N D"}


@pytest.mark.parametrize("known", ["ND", "NC", "DC", "NDC"])
def test_tokens_per_parameter_are_checked_against_two_others(known: str) -> None:
    N, D = FRAME["params"], FRAME["tokens"]
    every = {"N": N, "D": D, "C": 6 * N * D}
    table = {"loss": FRAME["loss"], **{symbol: every[symbol] for symbol in known}}
    near = read({**table, "ratio": 20 * D / N}, M="ratio")
    np.testing.assert_allclose(near["M"], 20 * D / N)
    with pytest.raises(InputError, match=r"M is about 1\.0e\+03 times .*: a column is in other"):
        read({**table, "ratio": 1e3 * D / N}, M="ratio")
    with pytest.raises(InputError, match=r"row 2, ratio: 1\.0e\+03 times, which is far from"):
        read({**table, "ratio": D / N * [1, 1e3, 1, 1]}, M="ratio")
    nothing = {known[0]: every[known[0]] * [1, 1, 0, 1]}  # divides nothing
    with pytest.raises(InputError, match=rf"row 3, {known[0]}: 0\.0 is not positive"):
        read({**table, **nothing, "ratio": D / N}, M="ratio")
    assert len(read({**table, "ratio": 1e3 * D / N}, M="ratio", derive=None)) == len(FRAME)


def test_one_input_is_enough_and_derives_nothing() -> None:
    runs = read({"flops": [1e18, 1e19], "loss": [3.0, 2.0]})
    assert list(runs.columns) == ["C", "L"]
    assert runs.provenance["derived"] == {}


def test_compute_within_a_factor_of_thirty_is_kept_as_given() -> None:
    frame = FRAME.assign(flops=6 * FRAME["params"] * FRAME["tokens"] * [0.04, 1.0, 5.0, 29.0])
    np.testing.assert_array_equal(read(frame).C, frame["flops"])


def test_derive_none_does_not_judge_compute() -> None:
    frame = FRAME.assign(flops=1e9)
    assert read(frame, derive=None).C.tolist() == [1e9] * 4


def test_negative_losses_are_read_on_request() -> None:
    runs = read({"tokens": [1e9, 2e9], "loss": [-3.0, -2.0]}, allow_negative_loss=True)
    assert runs.L.tolist() == [-3.0, -2.0]


def test_from_columns_and_read_agree() -> None:
    runs = read(FRAME)
    assert Runs.from_columns(runs.columns).digest == DIGEST
