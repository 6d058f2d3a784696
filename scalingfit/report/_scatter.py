"""What lets a page say how single runs scatter about the law: some runs of every draw.

Where runs have effects of their own, those are part of what a new run scatters by.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit.declare import Law, loss_of_logs
from scalingfit.noise import At, Noise
from scalingfit.report._javascript import javascript

__all__ = ["EACH", "Scatter", "scatter"]

type Floats = NDArray[np.float64]

EACH = 16
"""Runs of each draw in a page: more would move the ends of intervals less than other draws do."""


class Scatter(NamedTuple):
    """Runs about the law, in units of the scale of their scatter.

    Attributes
    ----------
    runs : array, shape (draw, EACH)
    on_log : bool
        Whether they scatter on log loss.
    parameters : array, shape (draw, parameter)
        What the scale is a function of.
    scale : str
        That function in JavaScript: of the law's parameters and inputs, these parameters, and the
        law's loss.
    """

    runs: Floats
    on_log: bool
    parameters: Floats
    scale: str


def scatter(law: Law, noise: Noise, middle: dict[str, float]) -> Scatter:
    """Draw runs about the law, and write the scale of their scatter as JavaScript.

    Parameters
    ----------
    law : Law
        Without its error, leaves ``(draw,)``.
    noise : Noise
        Likewise.
    middle : mapping of str to float
        Log inputs in the middle of the runs.

    Raises
    ------
    InputError
        The scale differs between runs, and the scatter is not in proportion to it; or it cannot be
        written in JavaScript.
    """
    with jax.enable_x64(True):
        scale = np.asarray(_at(law, noise, middle))[:, None]
        once, twice = (np.asarray(_sampled(noise.expand(1), scale * by)) for by in (1.0, 2.0))
    if type(noise).scale is not Noise.scale and not np.allclose(twice, 2 * once):
        raise InputError(
            f"the page cannot scatter runs by {noise.name}, whose scale differs between runs and "
            "whose scatter is not in proportion to it"
        )
    names = [*noise.parameters(), *noise.anchors()]
    parameters = np.stack([getattr(noise, name) for name in names], axis=-1)
    return Scatter(once / scale, noise.on_log, parameters, _formula(law, noise, names))


def _at(law: Law, noise: Noise, log_inputs: dict[str, Any], mean: Any = None) -> Any:
    """The scale of the scatter at some inputs; the loss there may be another than the law's."""
    at: At = noise.at(functools.partial(loss_of_logs, law), log_inputs)
    return noise.scale(at if mean is None else dataclasses.replace(at, mean=mean))


@jax.jit
def _sampled(noise: Noise, scale: Any) -> jax.Array:
    wide = jnp.broadcast_to(scale, (len(scale), EACH))
    effect = None if noise.run_effect is None else noise.run_effect**2
    return jnp.asarray(noise.about(jnp.zeros_like(wide), wide, effect).sample(jax.random.key(0)))


def _formula(law: Law, noise: Noise, names: list[str]) -> str:
    cls, own = type(law), type(noise)
    known, inputs = [*law.values()], cls.inputs()

    def scale(parameters: list[Any], values: list[Any], scatter: list[Any], mean: Any) -> Any:
        exact = cls(**dict(zip(known, parameters, strict=True)))
        logs = {name: jnp.log(value) for name, value in zip(inputs, values, strict=True)}
        return _at(exact, own(**dict(zip(names, scatter, strict=True))), logs, mean)

    return javascript(scale, ([0.0] * len(known), [0.0] * len(inputs), [0.0] * len(names), 0.0))
