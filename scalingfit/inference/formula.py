"""What identifies a law, a noise model and a prior wherever they are met again."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution

from scalingfit.declare import Law
from scalingfit.inference.model import Prior
from scalingfit.noise import At, Noise

__all__ = ["declaration", "exactly", "formula"]


def exactly(prior: Prior | None) -> object:
    """A prior with all its numbers; unlike a description, it leaves nothing out."""
    if not isinstance(prior, Distribution):
        return repr(prior)
    # NumPyro flattens a distribution in the order of a set, which differs between processes.
    fields = {name: getattr(prior, name, None) for name in prior.gather_pytree_data_fields()}
    leaves, structure = jax.tree.flatten(
        fields, is_leaf=lambda leaf: isinstance(leaf, Distribution)
    )
    numbers = [
        exactly(leaf) if isinstance(leaf, Distribution) else np.asarray(leaf, float).tolist()
        for leaf in leaves
    ]
    return [type(prior).__name__, str(structure), numbers]


def declaration(cls: type[Law] | type[Noise]) -> list[object]:
    """The parameters and the formula, so that an edited law is another law."""
    parameters = {
        name: [exactly(declared.prior), repr(dataclasses.replace(declared, prior=None, about=""))]
        for name, declared in cls.parameters().items()
    }
    return [cls.name, parameters, formula(cls)]


@functools.cache
def formula(cls: type[Law] | type[Noise]) -> str:
    """A digest of the formula as it is compiled, with its slopes: whatever it uses is in it.

    Traced alike in every process, for CPUs in float64, whatever the fits will run on. Another
    version of JAX may write it otherwise; fits are then made anew.
    """
    with jax.enable_x64(True):
        number: Any = jax.ShapeDtypeStruct((), np.float64)
        row: Any = jax.ShapeDtypeStruct((2,), np.float64)
        given: Any = cls(**dict.fromkeys(cls.parameters(), number))
        if issubclass(cls, Law):
            function: Any = cls.loss
            arguments: list[Any] = [given, *[row] * len(cls.inputs())]
        else:
            inputs, slopes = (dict.fromkeys(names, row) for names in (cls.inputs, cls.along))
            function, arguments = _of_noise, [given, row, At(row, inputs, slopes, row)]
        traced = jax.jit(functools.partial(_with_slopes, function)).trace(*arguments)
        text = traced.lower(lowering_platforms=("cpu",)).as_text()
        if issubclass(cls, Noise):
            text += repr({name: dict(direction) for name, direction in cls.along.items()})
    return hashlib.sha256(text.encode()).hexdigest()


def _of_noise(noise: Noise, loss: jax.Array, at: At) -> Any:
    """The densities with known errors of the losses and without, and the anchors."""
    exact = dataclasses.replace(at, loss_se=None)
    densities = [noise.observe(each).log_prob(loss) for each in (at, exact)]
    return densities, [read(at) for read in noise.anchors().values()]


def _with_slopes(function: Callable[..., Any], *arguments: Any) -> Any:
    """A function's value, first and second derivative along a line through its arguments.

    A formula may have rules of its own for them, which decide draws as well.
    """
    along = jax.tree.map(jnp.ones_like, arguments)

    def slope(*places: Any) -> Any:
        return jax.jvp(function, places, along)

    return jax.jvp(slope, arguments, along)
