"""What one chain of NUTS carries from turn to turn; what belongs together is one array."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

__all__ = [
    "ADAPTATION",
    "BACKWARD",
    "COUNTERS",
    "FORWARD",
    "MAX_DEPTH",
    "SUBTREE",
    "TREE",
    "Chain",
    "begin",
    "packed",
]

MAX_DEPTH = 10
COUNTERS = ("depth", "leaf", "leapfrogs", "forward", "finished")
ADAPTATION = ("log_step", "average_log_step", "error", "count")
BACKWARD, FORWARD = 0, 1  # of the two ends of a trajectory
TREE, SUBTREE = 0, 1  # the tree, and the one that grows at one of its ends

Leaf = Any  # an array of JAX or NumPy


class Part:
    """One of the numbers that an array of a chain holds along its last axis, by its name."""

    def __init__(self, array: str, place: int) -> None:
        self.array, self.place = array, place

    def __get__(self, chain: Chain, _: type[Chain]) -> Leaf:
        return getattr(chain, self.array)[..., self.place]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Chain:
    """Everything one chain carries from turn to turn.

    Attributes
    ----------
    ends : array, shape (2, 3, dim)
        Position, momentum and gradient at the `BACKWARD` and the `FORWARD` end of the trajectory.
    proposals : array, shape (2, 2 * dim + 1)
        Position, gradient and log density proposed by the `TREE` and by its growing `SUBTREE`.
    log_weights : array, shape (2,)
        Total log weight of either.
    momentum_sums : array, shape (2, dim)
        Sum of the momenta in either.
    checkpoints : array, shape (2, MAX_DEPTH, dim)
        Momenta at the left ends of unfinished subtrees, and the momentum sums there, in which
        these count half.
    energy, acceptance_sum : scalar
        Total energy at the start of the trajectory; sum of acceptance probabilities along it.
    counters : array of int, shape (5,)
        `COUNTERS`: `depth` of the tree, `leaf` of the subtree, `leapfrogs` of the trajectory,
        whether it grows `forward`, and `finished` transitions: -1 before the first turn.
    adaptation : array, shape (4,)
        `ADAPTATION`: `log_step`, the logarithm of the step size, `average_log_step`, and `error`
        statistic and `count` of the dual averaging.
    """

    depth, leaf, leapfrogs, forward, finished = (Part("counters", n) for n in range(5))
    log_step, average_log_step, error, count = (Part("adaptation", n) for n in range(4))

    ends: Leaf
    proposals: Leaf
    log_weights: Leaf
    momentum_sums: Leaf
    checkpoints: Leaf
    energy: Leaf
    acceptance_sum: Leaf
    counters: Leaf
    adaptation: Leaf


def begin(position: NDArray[Any], log_step: NDArray[Any]) -> Chain:
    """Chains that stand where nothing has been evaluated: their first turn does that alone.

    Parameters
    ----------
    position : array, shape (..., dim)
    log_step : array, shape (...)
    """
    *chains, dim = position.shape
    real = position.dtype
    ends = np.zeros((*chains, 2, 3, dim), real)
    ends[..., 0, :] = position[..., None, :]
    zero = np.zeros(chains, real)
    start = {"depth": 0, "leaf": 0, "leapfrogs": 0, "forward": 1, "finished": -1}
    return Chain(
        ends=ends,
        proposals=np.zeros((*chains, 2, 2 * dim + 1), real),
        log_weights=np.zeros((*chains, 2), real),
        momentum_sums=np.zeros((*chains, 2, dim), real),
        checkpoints=np.zeros((*chains, 2, MAX_DEPTH, dim), real),
        energy=zero,
        acceptance_sum=zero,
        counters=np.tile(np.array([start[name] for name in COUNTERS], np.int32), (*chains, 1)),
        adaptation=np.stack([log_step, log_step, zero, zero], axis=-1),
    )


def packed(names: Sequence[str], **parts: Array) -> Array:
    """The array whose parts these are."""
    return jnp.stack([parts[name] for name in names])
