"""Whole fits: published data, another sampler, other precisions, and tables too poor to fit."""

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from arviz_stats.base import array_stats
from numpyro.infer import MCMC, NUTS, init_to_value

import scalingfit as sf
from benchmarks import choices
from scalingfit._errors import InputError
from scalingfit.allocation import cheapest, choose, forecast, frontier
from scalingfit.inference import Limits, Posterior, Settings, build, hypothesis, pack, posterior_of
from scalingfit.noise import Normal
from scalingfit.runs import Runs
from tests.batch.small import pretend

QUANTILES = (0.05, 0.5, 0.95)


def mean_of(posterior: Posterior, name: str) -> float:
    return float(posterior.draws[name].mean())


def share_for_parameters(posterior: Posterior) -> np.ndarray:
    """Exponent a of N*(C) ~ C^a."""
    draws = posterior.draws
    return np.asarray(draws["beta"] / (draws["alpha"] + draws["beta"]))


def tokens_per_parameter(law: Any, C: float) -> np.ndarray:
    """Hoffmann et al. 2022, equation 4."""
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    a = law.beta / (law.alpha + law.beta)
    return np.asarray((C / 6) ** (1 - 2 * a) / G**2)


# --- the points of Besiroglu et al. 2024 ---------------------------------------------------------


def test_the_published_points_give_the_published_law(posterior_240: Posterior) -> None:
    for name, low, high in (
        ("alpha", 0.335, 0.355),
        ("beta", 0.345, 0.378),
        ("E", 1.77, 1.84),
    ):
        assert low < mean_of(posterior_240, name) < high
    share = share_for_parameters(posterior_240)
    assert 0.495 < share.mean() < 0.525
    assert 0.007 < share.std() < 0.016


def test_the_fit_passes_its_diagnostics_cheaply(posterior_240: Posterior) -> None:
    assert posterior_240.sampled.diagnosis.passes(Limits()), posterior_240.verdict
    for row in posterior_240.summary().values():
        assert row["rhat"] <= 1.01
        assert min(row["ess_bulk"], row["ess_tail"]) >= 400
    assert posterior_240.sampled.diverging.sum() == 0
    assert posterior_240.sampled.leapfrogs.mean() <= 10


def test_the_plan_for_chinchillas_budget_is_chinchilla(posterior_240: Posterior) -> None:
    """The refit's 18.3 tokens a parameter lies inside, Hoffmann's own 92.6 far outside."""
    ratio = tokens_per_parameter(posterior_240.law, 5.76e23)
    assert 14 < np.median(ratio) < 24
    low, high = np.quantile(ratio, [0.05, 0.95])
    refit = sf.law("chinchilla").published["besiroglu-2024"].law
    hoffmann = sf.law("chinchilla").published["hoffmann-2022"].law
    assert low < tokens_per_parameter(refit, 5.76e23) < high
    assert high < tokens_per_parameter(hoffmann, 5.76e23)


def test_five_bad_points_move_it_less_than_log_huber(
    posterior_240: Posterior, epoch_245: Runs
) -> None:
    """Log-Huber's exponent a moves from .5139 to .5646 when they are kept."""
    every = sf.fit(epoch_245, law_error=None)
    moved = share_for_parameters(every).mean() - share_for_parameters(posterior_240).mean()
    assert abs(moved) < 0.5646 - 0.5139


# --- another sampler on the same model -----------------------------------------------------------


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


def assert_same_distribution(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> None:
    """Means, and shares below quantiles, within five Monte-Carlo standard errors.

    Some two thousand are compared in all: by chance one of them lies beyond four in one round of
    ten, and beyond five in one of a thousand. Of logarithms, where there are. Errors of shares are
    binomial; those of the quantiles themselves are ill known from some hundred draws.
    """
    for name in one:
        if not np.ptp(one[name]):  # pinned
            assert one[name].flat[0] == two[name].flat[0]
            continue
        pair = one[name], two[name]
        if all(np.all(draws > 0) for draws in pair):
            pair = np.log(one[name]), np.log(two[name])
        errors = [array_stats.mcse(draws, method="mean") for draws in pair]
        assert abs(pair[0].mean() - pair[1].mean()) < 5 * np.hypot(*errors), name
        for level in QUANTILES:
            sizes = [array_stats.ess(draws, method="quantile", prob=level) for draws in pair]
            error = np.sqrt(level * (1 - level) * np.sum(1 / np.array(sizes)))
            share = np.mean(pair[0] <= np.quantile(pair[1], level))
            assert abs(share - level) < 5 * error, (name, level)


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


# --- precision, seeds, configuration -------------------------------------------------------------


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


def test_the_seed_makes_the_draws(posterior_240: Posterior, epoch_240: Runs) -> None:
    again, other = (sf.fit(epoch_240, law_error=None, seed=seed) for seed in (0, 1))
    for name, draws in posterior_240.draws.items():
        np.testing.assert_array_equal(again.draws[name], draws)
        assert np.mean(other.draws[name] == draws) < 0.01
    assert_same_distribution(other.draws, posterior_240.draws)


def test_a_fit_leaves_the_configuration_alone(simulated: Callable[..., Runs]) -> None:
    before, threads = dict(jax.config.values), numpyro.enable_validation
    sf.fit(simulated(8), law_error=None, draws=100, warmup=30, retries=0)
    assert dict(jax.config.values) == before
    assert numpyro.enable_validation is threads
    assert jax.numpy.ones(1).dtype == np.float32


def test_an_import_leaves_the_configuration_alone() -> None:
    code = (
        "import jax, numpyro\n"
        "before = dict(jax.config.values)\n"
        "import scalingfit.inference, scalingfit.inference.point, scalingfit.catalog\n"
        "scalingfit.catalog.laws()\n"
        "assert dict(jax.config.values) == before"
    )
    root = Path(sf.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


# --- poor tables ---------------------------------------------------------------------------------

STATUSES = {"ok", "warned", "unidentified", "not converged"}
QUICK: dict[str, Any] = {"law_error": None, "draws": 200, "warmup": 50, "retries": 0}


def assert_told(posterior: Posterior) -> None:
    """There is a verdict in words, and nothing broken passes for sound."""
    assert posterior.verdict.status in STATUSES
    assert posterior.verdict.ok or posterior.verdict.notes
    if posterior.verdict.status != "not converged":
        assert all(np.isfinite(draws).all() for draws in posterior.draws.values())
    assert str(posterior.verdict) in str(posterior)


@pytest.mark.parametrize(
    "rows", [8, *(pytest.param(rows, marks=pytest.mark.slow) for rows in (12, 25))]
)
def test_small_tables_end_with_a_verdict(simulated: Callable[..., Runs], rows: int) -> None:
    assert_told(sf.fit(simulated(rows, seed=rows), **QUICK))


def all_equal(runs: Runs) -> dict[str, np.ndarray]:
    return {"L": np.full(len(runs), 2.5)}


def one_outlier(runs: Runs) -> dict[str, np.ndarray]:
    return {"L": np.where(np.arange(len(runs)) == 3, 1e6, runs.L)}


def huge_sizes(runs: Runs) -> dict[str, np.ndarray]:
    return {"N": 1e9 * runs.N}


def one_size(runs: Runs) -> dict[str, np.ndarray]:
    return {"N": np.full(len(runs), 1e8)}


@pytest.mark.parametrize("spoil", [all_equal, one_outlier, huge_sizes, one_size])
def test_degenerate_tables_end_with_a_verdict(
    simulated: Callable[..., Runs], spoil: Callable[[Runs], dict[str, np.ndarray]]
) -> None:
    runs = simulated(8)
    posterior = sf.fit(Runs.from_columns({**runs.columns, **spoil(runs)}), **QUICK)
    assert_told(posterior)
    if spoil is one_size:
        assert not posterior.verdict.ok


def test_an_outlier_hardly_moves_the_default_fit(simulated: Callable[..., Runs]) -> None:
    runs = simulated(25, seed=2)
    L = np.array(runs.L)
    L[7] *= 2.0
    clean, spoilt = (
        sf.fit(of, law_error=None, seed=1)
        for of in (runs, Runs.from_columns({**runs.columns, "L": L}))
    )
    for N, D in ((1e9, 2e10), (1e10, 2e11)):
        losses = [of.law.loss(N, D) for of in (clean, spoilt)]
        assert abs(np.median(losses[1]) / np.median(losses[0]) - 1) < 0.03


def test_two_sizes_in_a_fixed_ratio_are_not_called_fine() -> None:
    """With D = 20 N the two terms can be exchanged: the design cannot tell them apart."""
    N, rng = np.geomspace(1e8, 1e10, 8), np.random.default_rng(0)
    L = sf.law("chinchilla").published["besiroglu-2024"].law.loss(N, 20 * N)
    runs = Runs.from_columns({"N": N, "D": 20 * N, "L": L * np.exp(0.005 * rng.standard_normal(8))})
    posterior = sf.fit(runs, **QUICK)
    assert not posterior.verdict.ok
    assert any("token" in message for message in map(str, posterior.verdict.notes))


# --- what a posterior offers ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(simulated: Callable[..., Runs]) -> Posterior:
    """Alpha pinned, A and B tied, E with a prior of its own; standard errors known."""
    priors = {"alpha": 0.35, "B": "A", "E": dist.TruncatedNormal(1.8, 0.1, low=0.0)}
    runs = simulated(12, loss_se=np.full(12, 0.01))
    return sf.fit(runs, noise="normal", priors=priors, **QUICK)


def test_pinned_and_tied_parameters_come_back(small: Posterior) -> None:
    assert np.all(small.law.alpha == 0.35)
    np.testing.assert_array_equal(small.law.A, small.law.B)
    assert small.law.A.shape == small.noise.sigma.shape == (4, 200)
    table = small.summary()
    assert np.isnan(table["alpha"]["ess_bulk"])
    assert table["E"]["q5"] < table["E"]["q50"] < table["E"]["q95"]
    assert {"alpha (pinned)", "B (= A)"} <= {row[0] for row in small.tables[0].shown()}
    assert small.provenance["priors"]["alpha"] == "pinned at 0.35"
    assert small.provenance["priors"]["E"].startswith("TruncatedNormal(loc=1.8, scale=0.1")


def test_log_likelihood_is_that_of_every_draw(small: Posterior) -> None:
    mean = small.law.E[..., None] + small.law.A[..., None] * (
        small.runs.N ** -small.law.alpha[..., None] + small.runs.D ** -small.law.beta[..., None]
    )
    spread = np.hypot(small.noise.sigma[..., None], 0.01 / mean)
    deviation = np.log(small.runs.L / mean) / spread
    expected = -0.5 * deviation**2 - np.log(spread * small.runs.L * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(small.log_likelihood(), expected, rtol=1e-9, atol=1e-9)


def test_replicated_losses_scatter_as_the_model_says(small: Posterior) -> None:
    replicated = small.predictive(seed=3)
    assert replicated.shape == (4, 200, 12)
    np.testing.assert_array_equal(replicated, small.predictive(seed=3))
    assert not np.array_equal(replicated, small.predictive(seed=4))
    inside = np.mean(replicated > small.runs.L, axis=(0, 1))
    assert np.all((inside > 0.001) & (inside < 0.999))
    assert np.abs(small.residuals()).max() < 0.06


def test_frames_and_json(small: Posterior) -> None:
    frame = small.to_pandas().set_index("parameter")
    assert [*frame.index] == [*small.draws]
    np.testing.assert_allclose(frame["mean"]["beta"], small.law.beta.mean())
    assert np.isnan(frame["rhat"]["alpha"])
    arrays = small.to_xarray()
    assert arrays["beta"].dims == ("chain", "draw")
    np.testing.assert_array_equal(arrays["beta"].sel(chain=2), small.law.beta[2])
    record: Any = small.as_json()
    assert record["schema"] == 1
    assert record["runs"]["digest"] == small.runs.digest
    assert record["verdict"]["ok"] == small.verdict.ok
    assert [row["parameter"] for row in record["parameters"]] == [*small.draws]


@pytest.mark.parametrize(
    ("method", "verb"),
    [
        (Posterior.frontier, frontier),
        (Posterior.choose, choose),
        (Posterior.cheapest, cheapest),
        (Posterior.forecast, forecast),
        (Posterior.hypothesis, hypothesis),
    ],
)
def test_questions_take_the_same_as_a_method_and_as_a_verb(
    method: Callable[..., Any], verb: Callable[..., Any]
) -> None:
    _, *taken = inspect.signature(method).parameters.values()
    _, *same = inspect.signature(verb).parameters.values()
    assert taken == same
    assert inspect.signature(method).return_annotation == inspect.signature(verb).return_annotation


# --- refusals ------------------------------------------------------------------------------------


def test_what_cannot_be_fitted_is_refused(simulated: Callable[..., Runs]) -> None:
    runs = simulated(12)
    every = {"E": 1.8, "A": 400, "B": 400, "alpha": 0.3, "beta": 0.3, "sigma": 0.01}
    for arguments, message in (
        ({"runs": dict(runs.columns)}, "fit takes runs, not dict"),
        ({"law": "chinchila"}, "unknown law 'chinchila'; did you mean chinchilla"),
        ({"noise": "cauchy"}, "unknown noise model 'cauchy'"),
        ({"law": "data_constrained"}, "these runs lack U"),
        ({"draws": 10}, "draws must be at least .*, and is 10"),
        ({"chains": 1}, "chains must be at least .*, and is 1"),
        ({"draws": 2e2}, "draws must be a whole number, and is 200.0\nWhat to do: write one"),
        ({"warmup": "50"}, "warmup must be a whole number, and is '50'"),
        ({"retries": -1}, "retries must be at least 0, and is -1"),
        ({"seed": 0.5}, "seed must be a whole number, and is 0.5"),
        ({"limits": {}}, "limits must be Limits, not dict"),
        ({"precision": "float16"}, "precision 'float16' is neither"),
        ({"noise": "normal", "priors": every}, "is pinned"),
        (
            {"runs": runs.with_weight(np.zeros(12))},
            "none of the 12 runs has weight",
        ),
    ):
        given: dict[str, Any] = {"runs": runs, **arguments}
        with pytest.raises(InputError, match=message):
            sf.fit(**given)


@pytest.mark.parametrize("rows", [1, 2, 5, 6])
def test_few_runs_are_answered_by_the_priors_too(simulated: Callable[..., Runs], rows: int) -> None:
    """The fewer, the wider, down to the prior of the loss; and the verdict says so."""
    fit = sf.fit(simulated(rows), law_error=None, draws=500)
    plural = "s" if rows > 1 else ""
    assert any(
        str(note.text).startswith(f"{rows} run{plural} for the 5 free parameters of chinchilla")
        for note in fit.verdict.notes
    )
    assert not fit.verdict.ok
    enough = sf.fit(simulated(12), law_error=None, draws=500)
    assert not any("free parameters" in str(note.text) for note in enough.verdict.notes)
    far: Any = {"N": 1e11, "D": 2e12}
    wide, narrow = (np.std(np.log(each.forecast(**far).mean)) for each in (fit, enough))
    assert wide > narrow


@pytest.mark.parametrize("name", ["error_in_n", "scatter_with_design"])
def test_negative_losses_need_noise_on_the_level_whatever_the_noise(
    simulated: Callable[..., Runs], name: str
) -> None:
    runs = simulated(12)
    shifted = Runs.from_columns({**runs.columns, "L": runs.L - 2.6}, allow_negative_loss=True)
    with pytest.raises(InputError, match='use noise="student_t_level"'):
        sf.fit(shifted, noise=name, law_error=None)


def test_negative_losses_need_noise_on_the_level(simulated: Callable[..., Runs]) -> None:
    runs = simulated(12)
    columns = {**runs.columns, "L": runs.L - 2.6}
    shifted = Runs.from_columns(columns, allow_negative_loss=True)
    with pytest.raises(InputError, match='use noise="student_t_level"'):
        sf.fit(shifted)


def test_stricter_limits_change_the_verdict_alone(simulated: Callable[..., Runs]) -> None:
    limits = dataclasses.replace(sf.Limits(), ess=1e6)
    posterior = sf.fit(simulated(12), noise="normal", limits=limits, **QUICK)
    assert posterior.verdict.status == "not converged"
    assert "ESS" in str(posterior.verdict)


def test_a_prior_too_narrow_for_floats_is_no_error(simulated: Callable[..., Runs]) -> None:
    model = build(sf.law("chinchilla"), Normal, {"alpha": dist.LogNormal(0.0, 1e-17)})
    settings, runs = Settings(chains=2, draws=10), simulated(20)
    [[(_, draws)]] = pretend(model, [runs], settings)
    assert posterior_of(model, runs, draws, settings).verdict.status == "not converged"
