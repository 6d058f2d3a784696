"""The coordinates that are sampled, against calculus."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions.transforms import biject_to

import scalingfit as sf
from scalingfit.catalog import noises
from scalingfit.declare import Array
from scalingfit.inference import Model, build
from scalingfit.noise import Laplace, StudentT
from tests.inference.models import CHINCHILLA, COORDINATES, POINT, log_jacobian


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(("law", "priors"), COORDINATES)
def test_the_log_jacobian_is_that_of_the_transformation(law: str, priors: dict[str, Any]) -> None:
    model = build(sf.law(law), StudentT, priors)
    centre = {name: jnp.asarray(20.0 + i) for i, name in enumerate(model.law.inputs())}
    places = prior_places(model, centre)
    claimed = jax.vmap(lambda z: model.constrain(z, centre)[1])(places)
    true = jax.vmap(lambda z: log_jacobian(model, z, centre))(places)
    np.testing.assert_allclose(claimed, true, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("law", "priors"), COORDINATES)
def test_constrain_undoes_unconstrain(law: str, priors: dict[str, Any]) -> None:
    model = build(sf.law(law), Laplace, priors)
    centre = {name: jnp.asarray(18.0 + i) for i, name in enumerate(model.law.inputs())}
    drawn = model.prior_draws(jax.random.key(2), 5)
    values, _ = jax.vmap(lambda z: model.constrain(z, centre))(prior_places(model, centre))
    assert set(values) == set(model.sites)
    for name, value in values.items():
        np.testing.assert_allclose(value, drawn[name], rtol=1e-10)


def prior_places(model: Model, centre: Any) -> Array:
    """Coordinates of five draws from the prior, (5, dim)."""
    drawn = model.prior_draws(jax.random.key(2), 5)
    return jax.vmap(lambda values: model.unconstrain(values, centre))(drawn)


CENTRE = {"N": math.log(1e9), "D": math.log(1e11)}


def coordinates(law: str, values: Mapping[str, float], **priors: Any) -> dict[str, float]:
    """By site, at a centre of 1e9 parameters and 1e11 tokens."""
    model = build(sf.law(law), StudentT, priors)
    return dict(zip(model.sites, model.unconstrain(values, CENTRE).tolist(), strict=True))


def test_a_coefficient_is_sampled_as_its_term_at_the_centre_of_the_runs() -> None:
    at = coordinates("chinchilla", POINT, E=1.8)
    term = POINT["A"] / 1e9 ** POINT["alpha"]
    assert at["A"] == pytest.approx(math.log(term), rel=1e-12)


def test_a_floor_is_sampled_as_its_share_of_the_loss_at_the_centre_of_the_runs() -> None:
    at = coordinates("chinchilla", POINT)
    loss = float(
        CHINCHILLA(**{name: POINT[name] for name in CHINCHILLA.parameters()}).loss(1e9, 1e11)
    )
    share = POINT["E"] / loss
    size, data = (POINT["A"] / 1e9 ** POINT["alpha"], POINT["B"] / 1e11 ** POINT["beta"])
    assert 0.3 * math.log1p(math.exp(at["E"] / 0.3)) == pytest.approx(-math.log(1 - share))
    assert at["A"] == pytest.approx(math.log(loss), rel=1e-12)
    assert at["B"] == pytest.approx(math.log(data / size), rel=1e-12)
    assert at["alpha"] == pytest.approx(math.log(POINT["alpha"] * (1 - share)), rel=1e-12)


def test_a_floor_that_may_be_negative_is_sampled_as_the_loss_there() -> None:
    at = coordinates("chinchilla", POINT, E=dist.Normal(1.5, 1.0))
    terms = POINT["A"] / 1e9 ** POINT["alpha"], POINT["B"] / 1e11 ** POINT["beta"]
    assert at["E"] == pytest.approx(POINT["E"] + sum(terms), rel=1e-12)


def test_a_floor_that_is_taken_from_the_rest_is_sampled_as_the_loss_there() -> None:
    law = sf.law("vocabulary").published["tao-2024"].law
    model = build(type(law), StudentT, {})
    centre = {"N_nv": math.log(1e9), "N_v": math.log(1e8), "D": math.log(1e11)}
    values = law.values() | {"sigma": 0.01, "nu": 5.0}
    at = dict(zip(model.sites, model.unconstrain(values, centre).tolist(), strict=True))
    assert at["E"] == pytest.approx(float(law.loss(1e9, 1e8, 1e11)), rel=1e-12)


def test_near_kaplans_corner_the_share_of_the_floor_alone_is_free() -> None:
    """Laws of one loss and one slope in each input there differ in one coordinate.

    The curvature of their logarithm is that of Kaplan's law as well, up to the floor's share.
    """
    values = {"E": 0.0, "q": 0.1, "alpha": 0.08, "beta": 0.1, "A": 12.0, "B": 30.0}
    term = {"A": 12.0 / 1e9**0.08, "B": 30.0 / 1e11**0.1}
    loss = float(sf.law("nested")(**values).loss(1e9, 1e11))

    def with_share(share: float) -> dict[str, float]:
        found = {name: values[name] / (1 - share) for name in ("q", "alpha", "beta")}
        # Both terms smaller, with the ratio that leaves the weight of each in the loss alone.
        ratio = (term["B"] / term["A"]) ** (1 / (1 - share))
        bracket = (1 + ratio ** (1 / found["q"])) ** found["q"]
        size = loss * (1 - share) / bracket
        found["A"] = size * 1e9 ** found["alpha"]
        found["B"] = size * ratio * 1e11 ** found["beta"]
        return {"E": share * loss, "sigma": 0.01, "nu": 10.0, **found}

    places = [coordinates("nested", with_share(share)) for share in (0.01, 0.1, 0.4)]
    for site in ("alpha", "beta", "A"):
        found = [place[site] for place in places]
        np.testing.assert_allclose(found, found[0], rtol=1e-9, err_msg=site)
    # Nearly: q has the logit of q / 1.5, B the ratio to the power 1 / (q + 0.1).
    for site in ("q", "B"):
        assert np.ptp([place[site] for place in places]) < 0.06, site
    assert np.ptp([place["E"] for place in places]) > 1.0


@pytest.mark.parametrize("declaring", [*sf.laws().values(), *noises().values()])
def test_every_coordinate_lands_where_the_prior_has_mass(declaring: Any) -> None:
    """A prior that claims the whole line, and has mass on half of it, would break the sampler."""
    for name, declared in declaring.parameters().items():
        if declared.prior is not None:
            places = biject_to(declared.prior.support)(np.linspace(-4.0, 4.0, 9))
            assert np.isfinite(declared.prior.log_prob(places)).all(), name
