"""Fits as files."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arviz_stats
import h5py
import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.declare import Array, Law, parameter
from scalingfit.inference import Posterior, Settings, build, posterior_of, sample
from scalingfit.noise import Normal
from scalingfit.runs import Runs

MIXTURE = dist.TransformedDistribution(
    dist.Exponential(100.0),
    dist.transforms.AffineTransform(1e-4, 1.0, domain=dist.constraints.positive),
)
PRIORS = {
    "alpha": 0.34567890123456789,
    "B": "A",
    "E": dist.TruncatedNormal(1.8, 0.1234567890123, low=0.0),
    "beta": dist.LogNormal(np.log(0.35), 1 / 3),
}
LOGGED = {"train/loss": np.linspace(3, 2, 12), "50%2F/%": np.arange(12.0)}
"""Labels as trackers name them, and one that is hard to store."""

QUICK: dict[str, Any] = {"noise": "normal", "draws": 120, "warmup": 40, "retries": 0}


@pytest.fixture(scope="module")
def fitted(simulated: Callable[..., Runs]) -> Posterior:
    runs = simulated(12, loss_se=np.full(12, 0.01), weight=np.arange(12.0) % 3)
    labelled = Runs.from_columns(
        dict(runs.columns),
        labels={"family": ["a", "b", None] * 4, "seed": np.arange(12), **LOGGED},
        row_numbers=np.arange(12) + 7,
        provenance={"source": "somewhere.csv", "dropped": [{"row": 3, "why": "ümlaut"}]},
    )
    return sf.fit(labelled, priors=PRIORS, **QUICK)


@pytest.fixture(scope="module")
def path(fitted: Posterior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    fitted.save(path)
    return path


def test_everything_comes_back(fitted: Posterior, path: Path) -> None:
    loaded = sf.load(path)
    assert list(path.parent.iterdir()) == [path]  # nothing of the writing is left
    for name, draws in fitted.draws.items():
        np.testing.assert_array_equal(loaded.draws[name], draws)
        assert loaded.draws[name].dtype == np.float64
    for name in ("log_density", "energy", "acceptance", "leapfrogs", "diverging", "step_size"):
        np.testing.assert_array_equal(getattr(loaded.sampled, name), getattr(fitted.sampled, name))
    assert loaded.model is fitted.model  # the same law, noise and priors, to the last digit
    assert loaded.verdict == fitted.verdict
    assert json.dumps(loaded.provenance) == json.dumps(fitted.provenance)
    assert loaded.sampled.record == fitted.sampled.record
    assert json.dumps(loaded.as_json()) == json.dumps(fitted.as_json())
    np.testing.assert_array_equal(loaded.predictive(), fitted.predictive())


def test_the_runs_come_back(fitted: Posterior, path: Path) -> None:
    runs = sf.load(path).runs
    assert runs.digest == fitted.runs.digest
    assert runs.provenance == fitted.runs.provenance
    np.testing.assert_array_equal(runs.row_numbers, fitted.runs.row_numbers)
    assert list(runs.labels) == list(fitted.runs.labels)
    for name in ("seed", *LOGGED):
        np.testing.assert_array_equal(runs.labels[name], fitted.runs.labels[name])
    assert list(runs.split("family")) == list(fitted.runs.split("family"))


def test_a_loaded_fit_can_be_saved_again(path: Path, tmp_path: Path) -> None:
    first = sf.load(path)
    first.save(tmp_path / "again.nc")
    assert str(sf.load(tmp_path / "again.nc")) == str(first)


def test_a_long_history_of_the_runs_is_no_obstacle(fitted: Posterior, tmp_path: Path) -> None:
    """Beyond the 64 KiB of a plain HDF5 attribute."""
    dropped: list[dict[str, str | int | None]] = [
        {"row": row, "why": "not a number"} for row in range(5000)
    ]
    runs = Runs.from_columns(dict(fitted.runs.columns), provenance={"dropped": dropped})
    dataclasses.replace(fitted, runs=runs).save(tmp_path / "long.nc")
    assert sf.load(tmp_path / "long.nc").runs.provenance["dropped"] == dropped


def test_arviz_works_on_it(fitted: Posterior) -> None:
    tree = fitted.to_arviz()
    for group in ("posterior", "prior", "log_likelihood", "posterior_predictive", "sample_stats"):
        assert group in tree.children
    summary = arviz_stats.summary(tree, var_names=list(fitted.model.sites), round_to="none")
    table = fitted.summary()
    for name in ("E", "beta", "sigma"):
        assert summary.loc[name, "mean"] == pytest.approx(table[name]["mean"])
    assert tree["log_likelihood"]["L"].dims == ("chain", "draw", "run")
    assert tree["observed_data"]["L"].dims == ("run",)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")  # few draws
def test_arvizs_loo_works_on_it(fitted: Posterior) -> None:
    exact = sf.fit(fitted.runs, priors=PRIORS, law_error=None, **QUICK)
    loo = arviz_stats.loo(exact.to_arviz())
    best = exact.log_likelihood().max(axis=(0, 1)).sum()
    assert -100 < loo.elpd < best


def test_importance_draws_keep_the_worth_of_their_weights(
    simulated: Callable[..., Runs], tmp_path: Path
) -> None:
    """They hold repeats, so that counting the draws would overrate them."""
    model = build(sf.law("chinchilla"), Normal, {"alpha": 0.35, "beta": 0.37})
    settings = Settings(chains=2, draws=2000, method="auto")
    runs = simulated(16)
    fitted = posterior_of(model, runs, sample(model, [runs], settings)[0], settings)
    assert fitted.sampled.record["method"] == "importance"
    fitted.save(tmp_path / "fit.nc")
    loaded = sf.load(tmp_path / "fit.nc")
    assert str(loaded) == str(fitted)


# --- laws and priors that a file names but does not hold -----------------------------------------


class Line(Law):
    """A law that no catalog knows."""

    E: Array = parameter(dist.LogNormal(0.0, 1.0), "floor")
    slope: Array = parameter(dist.LogNormal(0.0, 1.0), "per decade")

    def loss(self, N: Any) -> Any:
        return self.E + self.slope / N**0.1


def test_an_unknown_law_is_given_when_loading(
    simulated: Callable[..., Runs], tmp_path: Path
) -> None:
    fitted = sf.fit(simulated(12), Line, priors={"sigma": MIXTURE}, law_error=None, **QUICK)
    fitted.save(tmp_path / "line.nc")
    with pytest.raises(
        InputError, match=r"(?s)cannot hold the prior of sigma.*load\(\.\.\., priors="
    ):
        sf.load(tmp_path / "line.nc", law=Line)
    with pytest.raises(InputError, match="somebody's own law, 'line', which is not known"):
        sf.load(tmp_path / "line.nc", priors={"sigma": MIXTURE})
    with pytest.raises(InputError, match=r"the prior of sigma was Exponential\(rate=100.0\) th"):
        sf.load(tmp_path / "line.nc", law=Line, priors={"sigma": dist.Exponential(100.0)})
    loaded = sf.load(tmp_path / "line.nc", law=Line, priors={"sigma": MIXTURE})
    np.testing.assert_array_equal(loaded.draws["slope"], fitted.draws["slope"])


class Doubled(Normal):
    """A noise model of one's own."""

    name = "doubled"
    on_log = True
    sigma: Array = parameter(dist.LogNormal(-4.0, 1.0), "half of the scatter")

    def about(self, centre: Any, scale: Any, variance: Any) -> Any:
        return super().about(centre, 2 * scale, variance)


def test_a_noise_model_of_ones_own_is_given_when_loading(
    simulated: Callable[..., Runs], tmp_path: Path
) -> None:
    fitted = sf.fit(simulated(12), law_error=None, **{**QUICK, "noise": Doubled})
    fitted.save(tmp_path / "fit.nc")
    with pytest.raises(InputError, match=r"somebody's own noise, 'doubled'") as refused:
        sf.load(tmp_path / "fit.nc")
    told = str(refused.value)
    assert f"it was the class Doubled of {Doubled.__module__}" in told
    assert "import that class: load(..., noise=Doubled)" in told
    assert "an entry point of scalingfit.noises" in told
    loaded = sf.load(tmp_path / "fit.nc", noise=Doubled)
    np.testing.assert_array_equal(loaded.log_likelihood(), fitted.log_likelihood())


def test_an_edited_law_is_not_the_one_that_was_fitted(
    simulated: Callable[..., Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same name and parameters; under another JAX formulas cannot be compared."""
    sf.fit(simulated(12), Line, law_error=None, **QUICK).save(tmp_path / "line.nc")
    edited = type("Line", (Line,), {"loss": lambda self, N: self.E + self.slope / N**0.2})
    with pytest.raises(InputError, match="was fitted with another line than today's"):
        sf.load(tmp_path / "line.nc", law=edited)
    monkeypatch.setattr(jax, "__version__", "0.1")
    assert type(sf.load(tmp_path / "line.nc", law=edited).law) is edited


def test_a_file_says_by_which_limits_its_verdict_was_reached(fitted: Posterior, path: Path) -> None:
    assert sf.load(path).provenance["limits"] == dataclasses.asdict(sf.Limits())


# --- what can go wrong ---------------------------------------------------------------------------


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        sf.load(tmp_path / "none.nc")
    with pytest.raises(InputError, match="there is no file"):
        sf.load(tmp_path)


def test_files_of_another_kind_are_told(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    for number, content in enumerate((b"", b"loss,N\n1,2\n", whole[: len(whole) // 2])):
        bad = tmp_path / f"{number}.nc"
        bad.write_bytes(content)
        with pytest.raises(InputError, match="is not a fit saved by scalingfit"):
            sf.load(bad)
    with h5py.File(tmp_path / "other.nc", "w") as other:
        other.attrs["x"] = 1.0
    with pytest.raises(InputError, match="is not a fit saved by scalingfit"):
        sf.load(tmp_path / "other.nc")


def test_a_folder_that_is_not_there_is_told(fitted: Posterior, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        fitted.save(tmp_path / "nowhere" / "fit.nc")


def test_a_crash_while_saving_leaves_the_old_file(
    fitted: Posterior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "fit.nc"
    target.write_bytes(b"the fit of yesterday")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("xarray.DataTree.to_netcdf", fail)
    with pytest.raises(OSError, match="no space"):
        fitted.save(target)
    assert target.read_bytes() == b"the fit of yesterday"
    assert list(tmp_path.iterdir()) == [target]
