"""Models, and the runs that their densities are of."""

from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

import scalingfit as sf
from scalingfit.declare import Array
from scalingfit.inference import Model

CHINCHILLA = sf.law("chinchilla")
POINT = {
    "E": 1.8,
    "alpha": 0.35,
    "beta": 0.37,
    "A": 500.0,
    "B": 2200.0,
    "sigma": 0.012,
    "nu": 4.0,
}


def log_jacobian(model: Model, place: Array, centre: Any) -> Array:
    def stacked(z: Array) -> Array:
        return jnp.stack(list(model.constrain(z, centre)[0].values()))

    volume: Array = jnp.linalg.slogdet(jax.jacfwd(stacked)(place))[1]
    return volume


COORDINATES: list[tuple[str, dict[str, Any]]] = [
    ("chinchilla", {}),
    ("kaplan", {}),  # coefficients through their scale: the exponent stretches
    ("chinchilla", {"alpha": dist.Uniform(0.0, 1.0), "E": dist.Normal(1.5, 1.0), "beta": 0.3}),
    ("chinchilla", {"A": dist.Gamma(2.0, 0.01), "B": "A"}),
    ("chinchilla", {"E": dist.Uniform(1.0, 2.0), "A": 400.0}),
    ("chinchilla", {"A": 400.0}),
    ("chinchilla", {"A": 400.0, "B": 300.0}),  # a floor, and nothing to take its share from
    ("chinchilla", {"E": dist.Gamma(8.0, 5.0), "B": "A"}),
    ("nested", {}),  # a floor under what is no sum, terms against each other
    ("nested", {"A": 400.0}),
    ("power_m3", {}),  # a coefficient through the loss
    ("power_m4", {}),  # a coefficient that does not scale the rest
    ("data_constrained", {"R_D_star": "alpha"}),
    ("broken_twice", {}),
    ("vocabulary", {}),  # a floor that is taken from the rest
    ("vocabulary", {"E": dist.LogNormal(1.7, 0.2)}),
]
