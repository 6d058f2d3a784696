"""Which column is which symbol."""

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.declare.law import SYMBOLS
from scalingfit.runs import read
from scalingfit.runs.columns.names import PLAIN, SPELLINGS
from tests.runs.small import DIGEST, FRAME


@pytest.mark.parametrize(
    "names",
    [
        ("params", "tokens", "flops", "loss"),
        ("N", "D", "C", "L"),
        ("Model Size", "Training Tokens", "Training FLOP", "Validation Loss"),
        ("config.num_params", "summary/n_tokens", "train_flops", "eval/loss"),
        ("nParams", "NumTokens", "compute", "val-loss"),
    ],
)
def test_common_spellings_are_recognised(names: tuple[str, ...]) -> None:
    values = ([1e7, 1e8], [1e9, 1e9], [6e16, 6e17], [4.0, 3.0])
    runs = read(dict(zip(names, values, strict=True)))
    assert list(runs.columns) == ["N", "D", "C", "L"]
    assert not runs.labels


TRAINERS = {
    "nanochat": ("params_total", "tokens_trained", "flops_budget", "val_bpb", 1.0),
    "Trainer": ("model/num_parameters", "train/num_input_tokens_seen", "train/total_flos",
                "eval/loss", 1.0),
    "OLMo": ("num_params", "throughput/total_tokens", "throughput/total_training_Gflops",
             "eval_loss", 1e9),
    "OLMo-core": ("num_params", "throughput/total tokens", "throughput/total petaflops",
                  "eval_loss", 1e15),
    "levanter": ("parameter_count", "throughput/total_tokens", "throughput/total_gflops",
                 "eval/paloma/macro_loss", 1e9),
    "torchtitan": ("num_params", "n_tokens_seen", "flops", "validation_metrics/loss", 1.0),
    "lingua": ("num_params", "optim/total_tokens", "flops", "val_loss", 1.0),
    "Megatron": ("num_params", "consumed_tokens", "flops", "lm loss validation", 1.0),
}  # fmt: skip


@pytest.mark.parametrize("trainer", TRAINERS)
def test_headers_of_trainers_are_recognised(trainer: str) -> None:
    N, D, C, L, unit = TRAINERS[trainer]
    flops = [6e16, 6e17, 6e18]
    logged = {N: [1e7, 1e8, 1e9], D: [1e9, 1e9, 1e9], C: [one / unit for one in flops]}
    runs = read(logged | {L: [4.0, 3.0, 2.5], "train/CE loss": [1.0, 2.0, 3.0]})
    np.testing.assert_allclose(runs.C, flops)
    assert set(runs.columns) == {"N", "D", "C", "L"}


def test_sizes_in_a_column_of_models_are_parameters() -> None:
    sizes = {"Model": ["30M", "72M", "1.2B"], "tokens": [1e9, 2e9, 3e9], "loss": [4.0, 3.5, 3.0]}
    runs = read(sizes)
    assert runs.N.tolist() == [30e6, 72e6, 1.2e9]
    assert "Model: B, M understood as a power of ten" in runs.describe()
    for cells in (["30M", "72M", "llama"], [1, 2, 3]):
        assert "Model" in read(sizes | {"Model": cells}).labels


def test_a_column_like_the_missing_one_is_offered() -> None:
    runs = read({"n_params_no_embedding": [1e7, 2e7], "tokens": [1e9, 2e9], "loss": [4.0, 3.0]})
    with pytest.raises(InputError, match=r'N="n_params_no_embedding"(.|\n)*fit a law of D'):
        runs.input(["N", "D"])


def test_a_rate_of_compute_is_no_compute() -> None:
    runs = read(FRAME.drop(columns="flops", errors="ignore").assign(**{"throughput/gflops": 1e5}))
    assert "throughput/gflops" in runs.labels


def test_other_counts_of_parameters_and_train_losses_are_not_taken_for_n_and_l() -> None:
    frame = FRAME.assign(params_non_embedding=1e6, train_loss=1.0, n=3, c=4, flops_6nd=1.0)
    runs = read(frame)
    assert runs.digest == DIGEST
    assert {"params_non_embedding", "train_loss", "n", "c", "flops_6nd"} < set(runs.labels)


def test_a_budget_is_compute_unless_it_is_a_number_of_one() -> None:
    budget = 6 * FRAME["params"] * FRAME["tokens"]
    assert read(FRAME.assign(budget=budget)).provenance["columns"]["C"]["column"] == "budget"
    numbered = read(FRAME.assign(budget=[1, 1, 2, 2]))
    assert numbered.digest == DIGEST
    assert "budget" in numbered.labels
    both = read(FRAME.assign(budget=2 * budget, flops=budget))
    assert both.provenance["columns"]["C"]["column"] == "flops"


def test_an_input_of_a_law_is_known_by_its_own_name() -> None:
    """Where it holds positive numbers; else, and where it is asked for as one, it is a label."""
    runs = read(FRAME.assign(U=[1.0, 2.0, 3.0, 4.0], S=["a", "b", "c", "d"], X=[0.0, 1, 2, 3]))
    assert runs.columns["U"].tolist() == [1, 2, 3, 4]
    assert set(runs.labels) == {"run", "S", "X"}
    assert "U = U" in str(runs)
    assert "U" in read(FRAME.assign(U=[1.0, 2.0, 3.0, 4.0]), labels=["U"]).labels
    assert list(read({"X": [1, 2, 4], "loss": [3.0, 2.0, 1.0]}).columns) == ["X", "L"]


def test_all_inputs_but_the_batch_are_known_by_their_names() -> None:
    """A batch may be in tokens or in sequences."""
    assert set(PLAIN) == set(SYMBOLS) - set(SPELLINGS) - {"batch"}


def test_a_named_column_wins_over_a_recognised_one() -> None:
    runs = read(FRAME.assign(body=FRAME["params"] / 2), N="body")
    np.testing.assert_array_equal(runs.N, FRAME["params"] / 2)
    assert "params" in runs.labels


def test_a_column_whose_name_is_taken_by_a_symbol_is_left_out_and_said() -> None:
    runs = read(FRAME.assign(N=1.0), N="params")
    assert runs.digest == DIGEST
    assert "N" not in runs.labels
    assert "column 'N' left out" in runs.describe()
    with pytest.raises(InputError, match="both a numeric column and a label"):
        read(FRAME.assign(N=1.0), N="params", labels=["N"])


def test_further_inputs_errors_and_weights_by_name() -> None:
    frame = FRAME.assign(unique=1e9, se=0.01, w=[0, 1, 2, 3], steps=[1, 2, 3, 4])
    runs = read(frame, U="unique", S=("steps", 1e3), weight="w", labels=["run"])
    assert list(runs.columns) == ["N", "D", "C", "U", "S", "L", "loss_se", "weight"]
    assert runs["S"].tolist() == [1e3, 2e3, 3e3, 4e3]
    assert runs["weight"].tolist() == [0, 1, 2, 3]
    assert set(runs.labels) == {"run"}
