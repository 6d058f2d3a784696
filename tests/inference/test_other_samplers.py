"""Whole fits by another sampler, and in another precision."""

from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import pytest
from arviz_stats.base import array_stats
from numpyro.infer import MCMC, NUTS, init_to_value

import scalingfit as sf
from benchmarks import choices
from scalingfit.inference import Posterior, pack
from scalingfit.runs import Runs
from tests.inference.small_fits import assert_same_distribution


def numpyros(
    posterior: Posterior, draws: int, chains: int, acceptance: float = 0.8
) -> dict[str, np.ndarray]:
    """Plain NumPyro NUTS on the model in NumPyro's own coordinates; leaves (chain, draw)."""
    model, runs = posterior.model, posterior.runs
    with jax.enable_x64(True):
        data = pack(model, runs, len(runs), "float64")
        begin = {name: np.median(posterior.draws[name]) for name in model.sites}
        kernel = NUTS(
            model.sample,
            dense_mass=True,
            target_accept_prob=acceptance,
            init_strategy=init_to_value(values=begin),
        )
        sampler = MCMC(
            kernel,
            num_warmup=700,
            num_samples=draws,
            num_chains=chains,
            chain_method="vectorized",
            progress_bar=False,
        )
        sampler.run(jax.random.key(11), data)
        return {k: np.asarray(v) for k, v in sampler.get_samples(group_by_chain=True).items()}


@pytest.mark.parametrize(
    ("draws", "chains"),
    [(1000, 2), pytest.param(10_000, 4, marks=pytest.mark.slow)],
)
def test_numpyros_nuts_agrees(posterior_240: Posterior, draws: int, chains: int) -> None:
    reference = numpyros(posterior_240, draws, chains)
    ours = {name: posterior_240.draws[name] for name in reference}
    assert set(ours) == set(posterior_240.model.sites)
    assert_same_distribution(ours, reference)


# Tables and models of different kinds: data set, rows (None: all), law, noise, pinned parameters.
KINDS = [
    ("epoch_chinchilla", 80, "chinchilla", "normal", {}),
    ("epoch_chinchilla", 50, "chinchilla", "student_t", {}),
    ("epoch_chinchilla", 120, "chinchilla", "student_t", {}),
    ("epoch_chinchilla", None, "chinchilla", "student_t", {}),
    ("epoch_chinchilla", None, "chinchilla", "normal", {}),
    ("epoch_chinchilla", None, "chinchilla", "laplace", {}),
    ("epoch_chinchilla", None, "chinchilla", "normal_level", {}),
    ("epoch_chinchilla", None, "chinchilla", "student_t_level", {}),
    ("epoch_chinchilla", None, "chinchilla", "student_t", {"beta": 0.37}),
    ("epoch_chinchilla", None, "chinchilla", "student_t", {"beta": "alpha"}),
    ("epoch_chinchilla", None, "kaplan", "student_t", {}),
    ("epoch_chinchilla", None, "over_training", "student_t", {}),
    ("epoch_chinchilla", None, "kaplan_size", "student_t", {}),
    ("ladder", None, "chinchilla", "student_t", {}),
    ("ladder", None, "chinchilla", "normal", {}),
    ("ladder", None, "kaplan", "student_t", {}),
    ("ladder", None, "kaplan_compute", "student_t", {}),
    ("ladder", None, "over_training", "normal", {}),
    ("llama3_isoflop", None, "chinchilla", "student_t", {}),
    ("misfitting_checkpoints", 200, "chinchilla", "student_t", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rows", "law", "noise", "pinned"), KINDS)
def test_numpyros_nuts_agrees_on_many_kinds_of_tables(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    rows: int | None,
    law: str,
    noise: str,
    pinned: dict[str, float | str],
) -> None:
    """Whichever method made the draws."""
    monkeypatch.setenv("SCALINGFIT_DATA", str(data_dir))
    every = sf.datasets.read(name)
    runs = every.take(np.random.default_rng(0).permutation(len(every))[:rows])
    reference: dict[str, np.ndarray] = {}
    for method in ("nuts", "auto"):
        made = sf.refit(
            {"": runs},
            law,
            noise,
            pinned,
            law_error=None,
            method=method,
            draws=2000,
            progress=False,
        )
        posterior = made.fits[""]
        reference = reference or numpyros(posterior, 6000, 4, acceptance=0.98)
        # Where NumPyro's own chains disagree, they say nothing of ours.
        assert max(array_stats.rhat(np.log(draws)) for draws in reference.values()) < 1.01
        ours = as_independent(posterior)
        assert_same_distribution({name: ours[name] for name in reference}, reference)


def as_independent(posterior: Posterior) -> dict[str, np.ndarray]:
    """The draws; of those by importance a quarter as many as their weights are worth.

    Their own scatter then outweighs that of the weights, which they share.
    """
    record = posterior.sampled.record
    if record["method"] == "nuts":
        return posterior.draws
    count = int(record["importance_ess"]) // 16
    return {k: draws.ravel()[: 4 * count].reshape(4, -1) for k, draws in posterior.draws.items()}


def test_at_kaplans_corner_chains_pass_and_weights_agree() -> None:
    """Where the floor may be nothing: runs tell slopes, and exponents only with the floor."""
    runs = choices.simulated("kaplan", 24, 0.005, seed=0)
    chains = sf.fit(runs, "nested", law_error=None, retries=0)
    assert np.quantile(chains.draws["E"], 0.05) < 0.1 * np.quantile(chains.draws["E"], 0.95)
    assert chains.verdict.ok
    weighed = sf.refit({"": runs}, "nested", law_error=None, progress=False).fits[""]
    assert weighed.sampled.record["method"] != "nuts"
    assert_same_distribution(as_independent(weighed), chains.draws)


def test_single_precision_agrees(posterior_240: Posterior, epoch_240: Runs) -> None:
    single = sf.fit(epoch_240, law_error=None, precision="float32", seed=5)
    assert single.provenance["precision"] == "float32"
    assert_same_distribution(single.draws, posterior_240.draws)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nuts", "auto"])
@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("clark_routing_moe", "routed"),
        ("ladder", "chinchilla"),
        ("llama3_isoflop", "chinchilla"),
        ("misfitting_checkpoints", "kaplan"),
        ("muennighoff_data_constrained", "data_constrained"),
        ("porian_isoflop", "nested"),
        ("vocab_scaling", "vocabulary"),
    ],
)
def test_single_precision_agrees_on_many_tables(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    law: str,
    method: Literal["nuts", "auto"],
) -> None:
    monkeypatch.setenv("SCALINGFIT_DATA", str(data_dir))
    every = sf.datasets.read(name)
    runs = every.take(np.random.default_rng(0).permutation(len(every))[:120])
    options: Any = {"law_error": None, "draws": 2000, "progress": False}
    double = sf.refit({"": runs}, law, method="nuts", **options).fits[""]
    single = sf.refit({"": runs}, law, method=method, seed=5, precision="float32", **options)
    assert single.fits[""].provenance["precision"] == "float32"
    assert_same_distribution(as_independent(single.fits[""]), double.draws)
