"""What the noise models declare, and what they see of a law and of the runs."""

import math
import pickle
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.catalog import noise
from scalingfit.declare import loss_of_logs
from scalingfit.inference import build
from scalingfit.noise import (
    ErrorInN,
    ErrorInNAndD,
    Noise,
    Normal,
    OutlierMixture,
    ScatterWithDesign,
    ScatterWithLoss,
    StudentT,
    StudentTLevel,
    level,
)
from tests.noise.oracles import MEAN, NOISES, make, place

CHINCHILLA: Any = sf.law("chinchilla")
LAW = CHINCHILLA(E=1.8, alpha=0.35, beta=0.37, A=500.0, B=2200.0)


def loss(log_inputs: Mapping[str, Any]) -> Any:
    return loss_of_logs(LAW, log_inputs)


def test_noise_models_are_found_by_name() -> None:
    assert noise("student_t") is StudentT
    assert noise(StudentT) is StudentT
    assert NOISES["error_in_n_and_d"] is ErrorInNAndD
    assert list(NOISES) == sorted(NOISES)
    assert all(name == found.name for name, found in NOISES.items())
    with pytest.raises(InputError, match=r"unknown noise model 'norml'; did you mean normal"):
        noise("norml")


@pytest.mark.parametrize("name", NOISES)
def test_a_noise_model_is_a_pytree_that_can_be_sent_to_other_processes(name: str) -> None:
    model = make(name)
    doubled = jax.tree.map(lambda leaf: 2 * leaf, model)
    assert type(doubled) is NOISES[name]
    leaves = zip(jax.tree.leaves(doubled), jax.tree.leaves(model), strict=True)
    assert all(new == 2 * old for new, old in leaves)
    assert pickle.loads(pickle.dumps(model)) == model  # written here


@pytest.mark.parametrize("name", NOISES)
def test_every_parameter_says_what_it_is(name: str) -> None:
    assert NOISES[name].__doc__
    assert all(len(each.about) > 10 for each in NOISES[name].parameters().values())


def test_the_tail_is_never_heavier_than_cauchys() -> None:
    prior = StudentT.parameters()["nu"].prior
    assert prior is not None
    assert not prior.support(1.0)
    assert prior.support(1.001)
    low, high = 1 + np.exp(stats.norm(math.log(10.0), 1.0).ppf([0.05, 0.95]))
    assert (round(low), round(high)) == (3, 53)  # as the parameter's description says
    assert "from 3, heavy tails, to 53" in StudentT.parameters()["nu"].about


def test_the_outliers_priors_are_as_their_descriptions_say() -> None:
    share, scale = (OutlierMixture.parameters()[f"outlier_{name}"] for name in ("share", "scale"))
    assert share.prior is not None
    at = np.array([0.01, 0.1, 0.7])
    np.testing.assert_allclose(share.prior.log_prob(at), stats.beta(1, 9).logpdf(at), rtol=1e-9)
    assert stats.beta(1, 9).mean() == pytest.approx(0.1)  # and its density falls from zero
    low, high = np.exp(stats.norm(math.log(8.0), 0.5).ppf([0.05, 0.95]))
    assert (round(low, 1), round(high)) == (3.5, 18)
    assert "from 3.5 to 18" in scale.about


def test_a_twin_scatters_on_the_loss_itself() -> None:
    assert issubclass(StudentTLevel, StudentT)
    assert (StudentTLevel.name, StudentTLevel.on_log) == ("student_t_level", False)
    assert (
        StudentTLevel.__doc__
        == "Student-t scatter on the loss itself: a few bad runs do not move the law."
    )
    own, twin = StudentT.parameters(), StudentTLevel.parameters()
    assert own["nu"] == twin["nu"]
    assert own["sigma"].about == "scale of the scatter, relative to the loss"
    assert twin["sigma"].about == "scale of the scatter, in units of the loss"
    assert twin["sigma"].prior is not None
    assert float(jnp.log(twin["sigma"].prior.base_dist.scale)) == pytest.approx(math.log(1.5))


def test_a_twin_can_be_made_of_a_model_of_ones_own() -> None:
    class Wide(Normal):
        """Wide scatter on log loss."""

        name = "wide"

        def about(self, centre: Any, scale: Any, variance: Any) -> Any:
            return super().about(centre, 3 * scale, variance)

    twin = level(Wide)
    model = twin(sigma=jnp.asarray(0.1))
    density = model.observe(place(model)).log_prob(MEAN)
    assert twin.name == "wide_level"
    assert float(density) == pytest.approx(stats.norm(scale=0.3).logpdf(0.0))


# --- what a model sees ---------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [ErrorInN, ErrorInNAndD])
def test_slopes_are_those_of_the_formula(cls: type[Noise]) -> None:
    """dL / d log N at fixed C is beta v - alpha u, and vanishes at the optimum."""
    logs = {"N": np.log([1e8, 1e9, 7e9]), "D": np.log([1e11, 2e10, 1e10])}
    u = LAW.A * np.exp(-LAW.alpha * logs["N"])
    v = LAW.B * np.exp(-LAW.beta * logs["D"])
    at = cls.at(loss, logs, 0.1)
    np.testing.assert_allclose(at.mean, LAW.E + u + v, rtol=1e-12)
    assert at.loss_se == 0.1
    expected = (
        {"N": LAW.beta * v - LAW.alpha * u}
        if cls is ErrorInN
        else {"N": -LAW.alpha * u, "D": -LAW.beta * v}
    )
    assert at.slopes.keys() == expected.keys()
    for name, slope in expected.items():
        np.testing.assert_allclose(at.slopes[name], slope, rtol=1e-10)


def test_a_model_that_needs_no_slopes_costs_none() -> None:
    count = 0

    def counted(log_inputs: Mapping[str, Any]) -> Any:
        nonlocal count
        count += 1
        return loss(log_inputs)

    logs = {"N": np.log([1e9]), "D": np.log([2e10])}
    assert StudentT.at(counted, logs).slopes == {}
    assert count == 1


def test_anchors_are_read_off_the_middle_of_the_runs() -> None:
    centre = {"N": np.log(1e9), "D": np.log(3e10)}
    by_loss = make("scatter_with_loss").anchored(loss, centre)
    assert isinstance(by_loss, ScatterWithLoss)
    assert by_loss.middle == pytest.approx(np.log(loss(centre)), rel=1e-12)
    middle = type(by_loss).at(loss, centre)
    assert by_loss.scale(middle) == pytest.approx(by_loss.sigma, rel=1e-12)
    by_design = make("scatter_with_design").anchored(loss, centre)
    assert isinstance(by_design, ScatterWithDesign)
    assert by_design.middle_ratio == pytest.approx(np.log(30), rel=1e-12)
    assert by_design.middle_compute == pytest.approx(np.log(3e19), rel=1e-12)
    plain = make("student_t")
    assert plain.anchored(loss, centre) is plain


def test_scatter_that_falls_with_the_loss_may_be_constant_on_it() -> None:
    """To first order: kappa = -1 is the scatter of the twin of the Student-t."""
    relative = make("scatter_with_loss", kappa=-1.0, sigma=1e-4, middle=np.log(3.0))
    absolute = make("student_t_level", sigma=3e-4)
    losses = MEAN + 3e-4 * np.array([-2.0, -0.5, 0.0, 1.0])
    found, expected = (m.observe(place(m)).log_prob(losses) for m in (relative, absolute))
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("name", ["error_in_n", "error_in_n_and_d", "scatter_with_design"])
def test_a_law_without_the_inputs_of_a_model_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name} noise looks at N, D, .* power.* has X") as error:
        build(sf.law("power"), NOISES[name])
    assert "student_t" in str(error.value)


# --- outliers ------------------------------------------------------------------------------------


def test_the_probability_of_an_outlier_is_bayes() -> None:
    model = make("outlier_mixture")
    assert isinstance(model, OutlierMixture)
    losses = np.array([2.7, 2.9, 3.5, 6.0])
    r = np.log(losses / MEAN)
    wide, narrow = 0.1 * stats.norm(scale=0.3).pdf(r), 0.9 * stats.norm(scale=0.05).pdf(r)
    found = model.outlier_probability(place(model), losses)
    np.testing.assert_allclose(found, wide / (wide + narrow), rtol=1e-9)
