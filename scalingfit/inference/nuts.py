"""NUTS without lock-step: every turn of one loop does one leapfrog step for every chain.

The No-U-Turn sampler (Hoffman & Gelman 2014, arXiv 1111.4246) with multinomial sampling and the
generalised U-turn criterion (Betancourt 2017, arXiv 1701.02434, appendix A.4), its tree built
iteratively (Phan, Pradhan & Jankowiak 2019, arXiv 1912.11554). Under ``vmap`` the usual form makes
all chains wait for the deepest tree of the batch. Here a chain is a state machine (compare Dance et
al. 2025, arXiv 2503.17405): `_turn` takes one leapfrog step, and where that step completes a tree,
it stores the draw and sets up the next transition in the same turn. Chains never wait before the
last of them has all its draws.

The target is whitened: positions are coordinates in which the posterior is close to a standard
normal, so the mass matrix is the identity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.random import threefry_2x32

__all__ = ["MAX_DEPTH", "Trace", "run"]

MAX_DEPTH = 10
DIVERGENCE = 1000.0  # loss of energy beyond which a trajectory has left the typical set; as in Stan

LogDensity = Callable[[Array], tuple[Array, Array]]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Point:
    """A position with its log density and gradient."""

    position: Array
    gradient: Array
    log_density: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Tree:
    """A set of states along a trajectory: its proposal, total log weight and sum of momenta."""

    proposal: Point
    log_weight: Array
    momentum_sum: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Dual averaging of the log step size (Hoffman & Gelman 2014, section 3.2)."""

    log_step: Array
    log_step_mean: Array
    error: Array
    count: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Trace:
    """What a chain leaves behind; one entry a draw.

    Attributes
    ----------
    position : array, shape (draw, dim)
        In whitened coordinates.
    log_density, energy, acceptance : array, shape (draw,)
        Log density of the draw; total energy at the start of its trajectory; mean acceptance
        probability along it.
    leapfrogs : array of int, shape (draw,)
    diverging : array of bool, shape (draw,)
    """

    position: Array
    log_density: Array
    energy: Array
    acceptance: Array
    leapfrogs: Array
    diverging: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Chain:
    """Everything one chain carries from turn to turn.

    The two ends of the trajectory are rows of ``ends_*``: 0 in backward time, 1 in forward time.
    """

    key: Array
    turn: Array
    transition: Array
    ends_position: Array
    ends_momentum: Array
    ends_gradient: Array
    energy: Array
    forward: Array
    depth: Array
    leaf: Array
    tree: Tree
    subtree: Tree
    checkpoint_momentum: Array
    checkpoint_sum: Array
    acceptance_sum: Array
    leapfrogs: Array
    adaptation: Adaptation
    trace: Trace


def run(
    log_density: Callable[[Array, Any], Array],
    target: Any,
    start: Array,
    keys: Array,
    log_step: Array,
    adapt: Array,
    skip: Array,
    stop: Array,
    acceptance: Array,
    draws: int,
) -> tuple[Trace, Array, Array]:
    """Run all chains of all fits until each has made `stop` transitions.

    Parameters
    ----------
    log_density : callable
        ``(position, target) -> scalar``.
    target : pytree
        What the density of each fit depends on; leaves have a leading axis (fit,).
    start : array, shape (fit, chain, dim)
    keys : array of random keys, shape (fit, chain)
    log_step : array, shape (fit, chain)
        Log step size to begin with.
    adapt, skip, stop : int scalars
        Number of transitions that adapt the step size, that are not kept, and of all transitions;
        traced, so that one compiled program serves warm-up and sampling.
    acceptance : float array, shape (fit,)
        The mean acceptance probability aimed at.
    draws : int
        Room for draws; further ones are dropped.

    Returns
    -------
    trace : Trace
        Leaves of shape (fit, chain, draw, ...); slots never reached hold zeros.
    log_step : array, shape (fit, chain)
        The adapted log step size.
    turns : int scalar
        Turns of the loop, i.e. leapfrog steps taken by every chain, needed or not.
    """

    def begin(position: Array, key: Array, log_step: Array, fit: Any) -> Chain:
        return _begin(_with_gradient(log_density, fit), position, key, log_step, draws)

    def turn(chain: Chain, fit: Any, aim: Array) -> Chain:
        return _turn(_with_gradient(log_density, fit), chain, adapt, skip, aim)

    over_chains = jax.vmap(turn, in_axes=(0, None, None))
    step = jax.vmap(over_chains, in_axes=(0, 0, 0))

    def unfinished(carry: tuple[Chain, Array]) -> Array:
        return jnp.any(carry[0].transition < stop)

    def advance(carry: tuple[Chain, Array]) -> tuple[Chain, Array]:
        return step(carry[0], target, acceptance), carry[1] + 1

    chains = jax.vmap(jax.vmap(begin, in_axes=(0, 0, 0, None)))(start, keys, log_step, target)
    chains, turns = jax.lax.while_loop(unfinished, advance, (chains, jnp.zeros((), jnp.int32)))
    return chains.trace, chains.adaptation.log_step_mean, turns


def _with_gradient(log_density: Callable[[Array, Any], Array], fit: Any) -> LogDensity:
    return jax.value_and_grad(lambda position: log_density(position, fit))


def _begin(evaluate: LogDensity, position: Array, key: Array, log_step: Array, draws: int) -> Chain:
    dim, real = position.shape[0], position.dtype
    value, gradient = evaluate(position)
    point = Point(position, gradient, value)
    zero, count = jnp.zeros((), real), jnp.zeros((), jnp.int32)
    empty = Tree(point, zero, jnp.zeros(dim, real))
    trace = Trace(
        position=jnp.zeros((draws, dim), real),
        log_density=jnp.zeros(draws, real),
        energy=jnp.zeros(draws, real),
        acceptance=jnp.zeros(draws, real),
        leapfrogs=jnp.zeros(draws, jnp.int32),
        diverging=jnp.zeros(draws, bool),
    )
    chain = Chain(
        key=key,
        turn=count,
        transition=count,
        ends_position=jnp.zeros((2, dim), real),
        ends_momentum=jnp.zeros((2, dim), real),
        ends_gradient=jnp.zeros((2, dim), real),
        energy=zero,
        forward=jnp.ones((), bool),
        depth=count,
        leaf=count,
        tree=empty,
        subtree=empty,
        checkpoint_momentum=jnp.zeros((MAX_DEPTH, dim), real),
        checkpoint_sum=jnp.zeros((MAX_DEPTH, dim), real),
        acceptance_sum=zero,
        leapfrogs=count,
        adaptation=Adaptation(log_step, log_step, zero, zero),
        trace=trace,
    )
    momentum, _ = _random(key, count, dim, real)
    return dataclasses.replace(chain, **_fresh_trajectory(chain, point, momentum), turn=count + 1)


def _turn(evaluate: LogDensity, chain: Chain, adapt: Array, skip: Array, aim: Array) -> Chain:
    """One leapfrog step, and all that follows from it."""
    real, dim = chain.energy.dtype, chain.ends_position.shape[-1]
    noise, uniform = _random(chain.key, chain.turn, dim, real)

    point, momentum = _leapfrog(evaluate, chain)
    change = chain.energy - (0.5 * _dot(momentum, momentum) - point.log_density)
    log_weight = jnp.where(jnp.isnan(change), -jnp.inf, change)
    diverging = ~(log_weight > -DIVERGENCE)
    subtree = _grow(chain, point, momentum, log_weight, uniform[0])
    checkpoint_momentum, checkpoint_sum, turning = _checkpoints(
        chain, momentum, subtree.momentum_sum
    )

    stopped = turning | diverging
    complete = (chain.leaf + 1 == 2**chain.depth) & ~stopped
    tree = _merge(chain.tree, subtree, complete, uniform[1])
    side = jnp.arange(2) == chain.forward.astype(jnp.int32)
    ends_position = jnp.where(side[:, None], point.position, chain.ends_position)
    ends_momentum = jnp.where(side[:, None], momentum, chain.ends_momentum)
    ends_gradient = jnp.where(side[:, None], point.gradient, chain.ends_gradient)
    depth = chain.depth + complete
    turned = _is_turning(tree.momentum_sum, ends_momentum[0], ends_momentum[1])
    ended = stopped | (complete & (turned | (depth == MAX_DEPTH)))

    acceptance_sum = chain.acceptance_sum + jnp.exp(jnp.minimum(log_weight, 0.0))
    leapfrogs = chain.leapfrogs + 1
    accepted = acceptance_sum / leapfrogs
    grown = dataclasses.replace(
        chain,
        turn=chain.turn + 1,
        ends_position=ends_position,
        ends_momentum=ends_momentum,
        ends_gradient=ends_gradient,
        forward=jnp.where(complete, uniform[2] < 0.5, chain.forward),
        depth=depth,
        leaf=jnp.where(complete, 0, chain.leaf + 1),
        tree=tree,
        subtree=subtree,
        checkpoint_momentum=checkpoint_momentum,
        checkpoint_sum=checkpoint_sum,
        acceptance_sum=acceptance_sum,
        leapfrogs=leapfrogs,
    )
    trace = _store(grown, accepted, diverging, ended, skip)
    adapting = ended & (chain.transition < adapt)
    fresh = _fresh_trajectory(grown, tree.proposal, noise)
    moved = {
        name: jax.tree.map(lambda new, old: jnp.where(ended, new, old), value, getattr(grown, name))
        for name, value in fresh.items()
    }
    adaptation = jax.tree.map(
        lambda new, old: jnp.where(adapting, new, old),
        _adapt(chain.adaptation, accepted, aim),
        chain.adaptation,
    )
    return dataclasses.replace(
        grown,
        **moved,
        transition=chain.transition + ended,
        adaptation=_settle(adaptation, chain.transition + ended >= adapt),
        trace=trace,
    )


def _random(key: Array, turn: Array, dim: int, real: Any) -> tuple[Array, Array]:
    """A turn's standard normals (dim,) and uniforms (3,), from one call of the generator."""
    counters = jnp.arange(dim + 3 + (dim + 3) % 2, dtype=jnp.uint32)
    block = jnp.uint32(counters.shape[0])
    bits = threefry_2x32(jax.random.key_data(key), turn.astype(jnp.uint32) * block + counters)
    unit = (jnp.asarray(bits >> 8, real) + 0.5) * 2.0**-24  # strictly inside (0, 1), in float32 too
    return jnp.sqrt(2.0) * jax.scipy.special.erfinv(2 * unit[:dim] - 1), unit[dim : dim + 3]


def _leapfrog(evaluate: LogDensity, chain: Chain) -> tuple[Point, Array]:
    """Move the active end of the trajectory by one step."""
    position, momentum, gradient = (
        jnp.where(chain.forward, ends[1], ends[0])
        for ends in (chain.ends_position, chain.ends_momentum, chain.ends_gradient)
    )
    step = jnp.exp(chain.adaptation.log_step) * jnp.where(chain.forward, 1.0, -1.0)
    momentum = momentum + 0.5 * step * gradient
    position = position + step * momentum
    value, gradient = evaluate(position)
    return Point(position, gradient, value), momentum + 0.5 * step * gradient


def _grow(chain: Chain, point: Point, momentum: Array, log_weight: Array, uniform: Array) -> Tree:
    """Add a leaf to the subtree, its proposal drawn in proportion to the weights."""
    first = chain.leaf == 0
    total = jnp.where(first, log_weight, jnp.logaddexp(chain.subtree.log_weight, log_weight))
    take = first | (jnp.log(uniform) < log_weight - total)
    return Tree(
        proposal=jax.tree.map(
            lambda new, old: jnp.where(take, new, old), point, chain.subtree.proposal
        ),
        log_weight=total,
        momentum_sum=jnp.where(first, momentum, chain.subtree.momentum_sum + momentum),
    )


def _merge(tree: Tree, subtree: Tree, complete: Array, uniform: Array) -> Tree:
    """Join a complete subtree to the tree; the newer half is preferred (biased progressive)."""
    take = complete & (jnp.log(uniform) < subtree.log_weight - tree.log_weight)
    return Tree(
        proposal=jax.tree.map(
            lambda new, old: jnp.where(take, new, old), subtree.proposal, tree.proposal
        ),
        log_weight=jnp.where(
            complete, jnp.logaddexp(tree.log_weight, subtree.log_weight), tree.log_weight
        ),
        momentum_sum=tree.momentum_sum + jnp.where(complete, subtree.momentum_sum, 0.0),
    )


def _checkpoints(chain: Chain, momentum: Array, momentum_sum: Array) -> tuple[Array, Array, Array]:
    """Keep the left ends of unfinished subtrees, and check those that this leaf completes.

    Leaf ``i`` (even) opens the subtrees whose left end it is, stored in the slot numbered by the
    ones in ``i // 2``; leaf ``i`` (odd) closes as many subtrees as it has trailing ones.
    """
    leaf = chain.leaf
    slot = jax.lax.population_count(leaf >> 1)
    closes = jax.lax.population_count(leaf & ~(leaf + 1))  # trailing ones
    slots = jnp.arange(MAX_DEPTH)
    opening = ((slots == slot) & (leaf % 2 == 0))[:, None]
    kept_momentum = jnp.where(opening, momentum, chain.checkpoint_momentum)
    kept_sum = jnp.where(opening, momentum_sum, chain.checkpoint_sum)
    closing = (slots <= slot) & (slots > slot - closes)
    span = momentum_sum - kept_sum + kept_momentum
    turning = jnp.any(closing & _is_turning(span, kept_momentum, momentum))
    return kept_momentum, kept_sum, turning


def _is_turning(momentum_sum: Array, left: Array, right: Array) -> Array:
    """Generalised U-turn; the ends count half, as in the trapezoidal rule."""
    span = momentum_sum - 0.5 * (left + right)
    return (_dot(span, left) <= 0) | (_dot(span, right) <= 0)


def _dot(first: Array, second: Array) -> Array:
    return jnp.sum(first * second, axis=-1)


def _store(chain: Chain, accepted: Array, diverging: Array, ended: Array, skip: Array) -> Trace:
    trace, proposal = chain.trace, chain.tree.proposal
    room = trace.energy.shape[0]
    keep = ended & (chain.transition >= skip)
    slot = jnp.where(keep, chain.transition - skip, room)  # beyond the end: dropped

    def put(kept: Array, value: Array) -> Array:
        return kept.at[slot].set(value, mode="drop")

    return Trace(
        position=put(trace.position, proposal.position),
        log_density=put(trace.log_density, proposal.log_density),
        energy=put(trace.energy, chain.energy),
        acceptance=put(trace.acceptance, accepted),
        leapfrogs=put(trace.leapfrogs, chain.leapfrogs),
        diverging=put(trace.diverging, diverging),
    )


def _fresh_trajectory(chain: Chain, point: Point, momentum: Array) -> dict[str, Any]:
    """The fields of a chain that begins a transition at `point` with a new momentum."""
    zero, count = jnp.zeros_like(chain.energy), jnp.zeros_like(chain.leaf)
    return {
        "ends_position": jnp.stack([point.position] * 2),
        "ends_momentum": jnp.stack([momentum] * 2),
        "ends_gradient": jnp.stack([point.gradient] * 2),
        "energy": 0.5 * _dot(momentum, momentum) - point.log_density,
        "depth": count,
        "leaf": count,
        "tree": Tree(point, zero, momentum),
        "acceptance_sum": zero,
        "leapfrogs": count,
    }


def _adapt(state: Adaptation, accepted: Array, aim: Array) -> Adaptation:
    """One dual-averaging update; in whitened coordinates the step is shrunk towards one."""
    count = state.count + 1
    gain = 1 / (count + 10)
    error = (1 - gain) * state.error + gain * (aim - accepted)
    log_step = -jnp.sqrt(count) / 0.05 * error
    weight = count**-0.75
    return Adaptation(
        log_step, weight * log_step + (1 - weight) * state.log_step_mean, error, count
    )


def _settle(state: Adaptation, done: Array) -> Adaptation:
    """Use the averaged step size once adaptation is over."""
    return dataclasses.replace(state, log_step=jnp.where(done, state.log_step_mean, state.log_step))
