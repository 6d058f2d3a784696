"""NUTS without lock-step: every turn of one loop does one leapfrog step for every chain.

The No-U-Turn sampler (Hoffman & Gelman 2014, arXiv 1111.4246) with multinomial sampling and the
generalised U-turn criterion (Betancourt 2017, arXiv 1701.02434, appendix A.4), its tree built
iteratively (Phan, Pradhan & Jankowiak 2019, arXiv 1912.11554). Under ``vmap`` the usual form makes
all chains wait for the deepest tree of the batch. Here a chain is a state machine (compare Dance et
al. 2025, arXiv 2503.17405): `_turn` takes one leapfrog step, and where that step completes a tree,
it hands out the draw and sets up the next transition in the same turn.

The loop writes one row a turn, whether or not a transition ended there, so that no chain needs a
place of its own in the output; the rows that hold draws are picked out afterwards. A segment of the
loop has a fixed length, and its program serves any number of draws, for warm-up and for sampling.

The target is whitened: positions are coordinates in which the posterior is close to a standard
normal, so the mass matrix is the identity. What belongs together is one array, and what many
elements are computed from is computed `once`: on a CPU, to do so again took half of a turn
(`benchmarks/DECISIONS.md`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalingfit.inference.chain import (
    ADAPTATION,
    BACKWARD,
    COUNTERS,
    FORWARD,
    MAX_DEPTH,
    SUBTREE,
    TREE,
    Chain,
    packed,
)
from scalingfit.inference.xla import each_fit, once

__all__ = ["Row", "segment"]

DIVERGENCE = 1000.0  # loss of energy beyond which a trajectory has left the typical set; as in Stan
TURNS = 1024  # of a segment
HALVINGS = 50  # of the way to the mode, for a chain to begin where the density is finite

RENEWED = np.isin(COUNTERS, ("depth", "leaf", "leapfrogs"))  # where a transition begins, at zero

LogDensity = Callable[[Array, Any], Array]
Evaluate = Callable[[Array], tuple[Array, Array]]


class Row:
    """Columns of the rows that `segment` writes: the position comes first, then these.

    ``leapfrogs`` is zero where no transition ended.
    """

    count = 5
    log_density, energy, acceptance, leapfrogs, diverging = range(-count, 0)


def segment(
    log_density: LogDensity,
    chains: Chain,
    target: Any,
    keys: Array,
    number: Array,
    adapt: Array,
    stop: Array,
    acceptance: Array,
) -> tuple[Chain, Array, Array]:
    """Let every chain take up to `TURNS` leapfrog steps.

    Parameters
    ----------
    log_density : callable
        ``(position, target) -> scalar``.
    chains : Chain
        Leaves of shape (fit, chain, ...).
    target : pytree
        What the density of each fit depends on; leaves of shape (fit, ...).
    keys : array of random keys, shape (fit, chain)
    number : int scalar
        Of this segment, counted from the chains' beginning.
    adapt, stop : int scalar
        Transitions that adapt the step size; transitions after which a chain is finished.
    acceptance : array, shape (fit,)
        The mean acceptance probability aimed at.

    Returns
    -------
    chains : Chain
    rows : array, shape (turn, fit, chain, dim + 5)
        See `Row`.
    turns : int scalar
        How many rows were written: fewer than `TURNS` where every chain finished.
    """
    dim, real = chains.ends.shape[-1], chains.ends.dtype

    def randoms(key: Array) -> tuple[Array, Array]:
        normal, uniform = jax.random.split(jax.random.fold_in(key, number))
        return (
            jax.random.normal(normal, (TURNS, dim), real),
            jax.random.uniform(uniform, (TURNS, 3), real),
        )

    normals, uniforms = jax.vmap(jax.vmap(randoms, out_axes=1), out_axes=1)(keys)

    def turn(
        chain: Chain, normal: Array, uniform: Array, fit: Any, aim: Array
    ) -> tuple[Chain, Array]:
        return _turn(_evaluate(log_density, fit), chain, normal, uniform, adapt, aim)

    step = each_fit(jax.vmap(turn, in_axes=(0, 0, 0, None, None)))

    def unfinished(carry: tuple[Chain, Array, Array]) -> Array:
        chains, _, done = carry
        return (done < TURNS) & jnp.any(chains.finished < stop)

    def advance(carry: tuple[Chain, Array, Array]) -> tuple[Chain, Array, Array]:
        chains, rows, done = carry
        normal, uniform = once((normals[done], uniforms[done]))  # not sliced in every loop below
        chains, row = step(chains, normal, uniform, target, acceptance)
        return chains, rows.at[done].set(row), done + 1

    rows = jnp.zeros((TURNS, *keys.shape, dim + 5), real)
    return jax.lax.while_loop(unfinished, advance, (chains, rows, jnp.zeros((), jnp.int32)))


def _evaluate(log_density: LogDensity, target: Any) -> Evaluate:
    return jax.value_and_grad(lambda position: log_density(position, target))


def _turn(
    evaluate: Evaluate, chain: Chain, normal: Array, uniform: Array, adapt: Array, aim: Array
) -> tuple[Chain, Array]:
    """One leapfrog step, and all that follows from it; at first a step of no length.

    A chain that stands where the density is not finite begins halfway to the mode instead.
    """
    depth, leaf, forward = chain.depth, chain.leaf, chain.forward == 1
    first_turn = chain.finished < 0
    end, log_density = _leapfrog(evaluate, chain)
    position, momentum, gradient = end
    nowhere = first_turn & ~jnp.isfinite(log_density) & (chain.leapfrogs < HALVINGS)
    # A leaf of no probability: NaN would spread through the weights of the whole tree.
    change = chain.energy - (0.5 * _dot(momentum, momentum) - log_density)
    log_weight = once(jnp.where(jnp.isnan(change), -jnp.inf, change))
    diverging = ~(log_weight > -DIVERGENCE)

    # The leaf joins the subtree, whose proposal is drawn in proportion to the weights.
    first = leaf == 0
    weight = jnp.where(first, log_weight, jnp.logaddexp(chain.log_weights[SUBTREE], log_weight))
    weight, take = once((weight, first | (jnp.log(uniform[0]) < log_weight - weight)))
    proposed = jnp.concatenate([position, gradient, log_density[None]])
    subtree = jnp.where(take, proposed, chain.proposals[SUBTREE])
    subtree_sum = jnp.where(first, momentum, chain.momentum_sums[SUBTREE] + momentum)
    checkpoints, turning = _check(chain.checkpoints, leaf, momentum, subtree_sum)

    # A complete subtree joins the tree; its proposal is preferred (biased progressive sampling).
    stopped = turning | diverging
    complete = (leaf + 1 == 2**depth) & ~stopped
    prefer = complete & (jnp.log(uniform[1]) < weight - chain.log_weights[TREE])
    complete, prefer = once((complete, prefer))
    tree = jnp.where(prefer | first_turn, subtree, chain.proposals[TREE])
    before = chain.log_weights[TREE]
    tree_weight = jnp.where(complete, jnp.logaddexp(before, weight), before)
    tree_sum = chain.momentum_sums[TREE] + jnp.where(complete, subtree_sum, 0.0)
    nearer = jnp.zeros_like(end).at[0].set(0.5 * position)
    end = jnp.where(nowhere, nearer, end)
    # One end moved; the other stays where the tree reached on its side.
    ends = jnp.where((jnp.arange(2) == forward)[:, None, None], end, chain.ends)
    left, right = ends[:, 1]
    # Ends count half: the trapezoidal rule along the trajectory.
    turned = _is_turning(tree_sum - 0.5 * (left + right), left, right)
    drawn = ~first_turn & (stopped | (complete & (turned | (depth + 1 == MAX_DEPTH))))
    drawn, ended, tree = once((drawn, drawn | (first_turn & ~nowhere), tree))

    acceptance_sum = chain.acceptance_sum + jnp.exp(jnp.minimum(log_weight, 0.0))
    leapfrogs = chain.leapfrogs + 1
    accepted = acceptance_sum / leapfrogs
    dim = position.shape[0]
    marks = [tree[-1], chain.energy, accepted, jnp.where(drawn, leapfrogs, 0), diverging]
    row = jnp.concatenate(
        [tree[:dim], jnp.stack([jnp.asarray(mark, tree.dtype) for mark in marks])]
    )
    grown = Chain(
        ends=ends,
        proposals=jnp.stack([tree, subtree]),
        log_weights=jnp.stack([tree_weight, weight]),
        momentum_sums=jnp.stack([tree_sum, subtree_sum]),
        checkpoints=checkpoints,
        energy=chain.energy,
        acceptance_sum=acceptance_sum,
        counters=packed(
            COUNTERS,
            depth=depth + complete,
            leaf=jnp.where(complete | nowhere, 0, leaf + 1),
            leapfrogs=leapfrogs,
            forward=jnp.where(complete, uniform[2] < 0.5, forward),
            finished=chain.finished + ended,
        ),
        adaptation=_adapt(chain, accepted, aim, drawn, adapt),
    )
    return _renew(grown, normal, ended), row


def _leapfrog(evaluate: Evaluate, chain: Chain) -> tuple[Array, Array]:
    """Move the active end of the trajectory by one step; its new state, and the log density."""
    forward = chain.forward == 1
    position, momentum, gradient = jnp.where(forward, chain.ends[FORWARD], chain.ends[BACKWARD])
    sign = jnp.where(chain.finished < 0, 0.0, jnp.where(forward, 1.0, -1.0))
    step = jnp.exp(chain.log_step) * sign
    momentum = momentum + 0.5 * step * gradient
    position = position + step * momentum
    value, gradient = evaluate(position)
    return once((jnp.stack([position, momentum + 0.5 * step * gradient, gradient]), value))


def _check(
    checkpoints: Array, leaf: Array, momentum: Array, momentum_sum: Array
) -> tuple[Array, Array]:
    """Keep the left ends of unfinished subtrees, and check those that this leaf completes.

    Leaf ``i`` (even) opens the subtrees whose left end it is, stored in the slot numbered by the
    ones in ``i // 2``; leaf ``i`` (odd) closes as many subtrees as it has trailing ones.
    """
    slot = jax.lax.population_count(leaf >> 1)
    closes = jax.lax.population_count(leaf & ~(leaf + 1))  # trailing ones
    slots = jnp.arange(MAX_DEPTH)
    opening = ((slots == slot) & (leaf % 2 == 0))[:, None]
    here = once(jnp.stack([momentum, momentum_sum - 0.5 * momentum]))
    kept = once(jnp.where(opening, here[:, None], checkpoints))
    closing = (slots <= slot) & (slots > slot - closes)
    return kept, jnp.any(closing & _is_turning(here[1] - kept[1], kept[0], momentum))


def _is_turning(span: Array, left: Array, right: Array) -> Array:
    """Generalised U-turn.

    Parameters
    ----------
    span : array, shape (..., dim)
        Sum of the momenta, of which those at the ends count half, as in the trapezoidal rule.
    left, right : array, shape (..., dim)
        Momenta at the ends.
    """
    return (_dot(span, left) <= 0) | (_dot(span, right) <= 0)


def _dot(first: Array, second: Array) -> Array:
    return jnp.sum(first * second, axis=-1)


def _renew(chain: Chain, momentum: Array, ended: Array) -> Chain:
    """Where a transition has ended, begin the next one at its proposal."""
    dim, proposal = momentum.shape[0], chain.proposals[TREE]
    end = jnp.stack([proposal[:dim], momentum, proposal[dim : 2 * dim]])
    reset = jnp.where(RENEWED, 0, chain.counters)
    return dataclasses.replace(
        chain,
        ends=jnp.where(ended, end, chain.ends),
        log_weights=jnp.where(ended, 0.0, chain.log_weights),
        momentum_sums=jnp.where(ended, momentum, chain.momentum_sums),
        energy=jnp.where(ended, 0.5 * _dot(momentum, momentum) - proposal[-1], chain.energy),
        acceptance_sum=jnp.where(ended, 0.0, chain.acceptance_sum),
        counters=jnp.where(ended, reset, chain.counters),
    )


def _adapt(chain: Chain, accepted: Array, aim: Array, drawn: Array, adapt: Array) -> Array:
    """Dual averaging of the log step size (Hoffman & Gelman 2014, section 3.2).

    In whitened coordinates the step is shrunk towards one. Once adaptation is over, the averaged
    step size is used.
    """
    count = chain.count + 1
    gain = 1 / (count + 10)
    error = (1 - gain) * chain.error + gain * (aim - accepted)
    log_step = -jnp.sqrt(count) / 0.05 * error
    weight = count**-0.75
    average = weight * log_step + (1 - weight) * chain.average_log_step
    moved = packed(
        ADAPTATION,
        log_step=jnp.where(chain.finished + 1 >= adapt, average, log_step),
        average_log_step=average,
        error=error,
        count=count,
    )
    return jnp.where(drawn & (chain.finished < adapt), moved, chain.adaptation)
