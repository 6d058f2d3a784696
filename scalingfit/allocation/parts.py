"""Models in parts: a budget pays for their sum, and each part has its own worth.

The split of a sum between two parts is a minimum inside the minimum over N. Its derivative drops
out of the outer one (the envelope theorem), which therefore needs no special case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalingfit._errors import InputError
from scalingfit._text import engineering
from scalingfit.allocation.answer import FloatArray
from scalingfit.allocation.roots import crossing
from scalingfit.declare import Law

__all__ = ["fixed", "require_room", "sizes"]


def fixed(law: Law | type[Law], known: Mapping[str, Any]) -> Any:
    """Parameters in the parts whose size is given."""
    return sum(known[part] for part in law.size if part in known)


def require_room(
    law: Law, known: Mapping[str, FloatArray], name: str, N: float | FloatArray
) -> None:
    """Refuse models that the parts that are given fill, so that nothing is left for the others.

    Parameters
    ----------
    law : Law
    known : mapping of str to array, shape (row,)
        The parts that are given, among other inputs.
    name : str
        What `N` is called where it was asked for.
    N : float or array, shape (row,)
        Parameters in all parts together, or the most that are allowed.

    Raises
    ------
    InputError
    """
    given = [part for part in law.size if part in known]
    if not given:
        return
    (part,) = given
    whole, size = np.broadcast_arrays(N, known[part])
    full = whole <= size + 1.0
    if full.any():
        pairs = zip(whole[full], size[full], strict=True)
        raise InputError(
            f"{name} leaves nothing beside the {part} that is given",
            [
                f"{name} = {engineering(N)}, {part} = {engineering(size)}"
                for N, size in dict.fromkeys(pairs)
            ],
            remedy=f"raise {name}, or give a smaller {part}.",
        )


def sizes(law: Law, N: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that are not given: the rest of N, split so that the loss is least.

    Parameters
    ----------
    law : Law
    N : array
        Parameters in all parts together.
    known : mapping of str to array
        The law's other inputs, and the parts that are given.
    """
    rest = N - fixed(law, known)
    free = [part for part in law.size if part not in known]
    if len(free) == 1:
        return {free[0]: rest}
    first, second = free
    still, others = jax.lax.stop_gradient((rest, dict(known)))

    def split(odds: Any, rest: Any) -> dict[str, Any]:
        return {first: rest * jax.nn.sigmoid(odds), second: rest * jax.nn.sigmoid(-odds)}

    def worth(part: str, parts: dict[str, Any]) -> Array:
        """What the last e-fold of a part saves in loss; a part that saves nothing has none."""

        def loss(log_size: Array) -> Any:
            inputs = others | parts | {part: jnp.exp(log_size)}
            return law.loss(**{name: inputs[name] for name in law.inputs()})

        log_size = jnp.log(parts[part])
        slope: Array = jax.jvp(loss, (log_size,), (jnp.ones_like(log_size),))[1]
        return jnp.maximum(-slope, 0.0)

    def surplus(odds: Array) -> Array:
        # A parameter more saves the same in either part where worth over size is equal. Between
        # powers the logarithm of that ratio is almost a line: few steps find its root.
        parts = split(odds, still)
        return odds - jnp.log(worth(first, parts)) + jnp.log(worth(second, parts))

    # From one parameter in the second part to one in the first.
    width = jnp.log(still) + jnp.zeros(_shape(law, others, still))
    return split(jax.lax.stop_gradient(crossing(surplus, -width, width)), rest)


def _shape(law: Law, known: Mapping[str, Any], N: Any) -> tuple[int, ...]:
    return jnp.broadcast_shapes(*map(jnp.shape, jax.tree.leaves((law, dict(known), N))))
