"""One training run: a shape, a budget of bytes and a seed in; a validation loss out."""

import functools
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]

from .corpus import Bytes, Corpus
from .grid import Plan
from .model import Params, Shape, init, losses

CHUNK = 64  # steps in one compiled call
VALIDATION_WINDOWS = 4096
WARM_UP_SHARE = 0.1
WEIGHT_DECAY = 0.1
CLIP = 1.0

#: AdamW, all but the learning rate, which depends on the run and is applied in `_advance`.
_DIRECTION = optax.chain(
    optax.clip_by_global_norm(CLIP),
    optax.scale_by_adam(b1=0.9, b2=0.95),
    optax.add_decayed_weights(WEIGHT_DECAY, mask=lambda p: jax.tree.map(lambda x: x.ndim > 2, p)),
)


class Diverged(RuntimeError):
    """The validation loss is not a finite number; such a run is no row of the table."""


def train(
    shape: Shape,
    plan: Plan,
    corpus: Corpus,
    seed: int,
    report: Callable[[int], None] = lambda steps: None,
) -> tuple[float, float]:
    """Train from scratch and measure.

    Parameters
    ----------
    seed : int
        Draws the weights and the order of the training windows.
    report : callable
        Told the number of steps done, after every chunk.

    Returns
    -------
    loss, standard_error : float
        Mean over the fixed validation windows, nats per byte, and its standard error from the
        scatter between windows.

    Raises
    ------
    Diverged
        When the loss is not finite.
    ValueError
        When the plan asks for more bytes than the corpus holds: no byte is predicted twice.
    """
    sequences = plan.batch // shape.context
    order = np.random.Generator(np.random.PCG64(seed)).permutation(
        (corpus.train.size - 1) // shape.context
    )
    if plan.steps * sequences > order.size:
        raise ValueError(
            f"{plan.tokens:,} bytes asked of a corpus of {corpus.train.size:,}: add packages to "
            "corpus.PACKAGES, or leave the smallest sizes of this budget out"
        )
    params = init(shape, jax.random.key(seed))
    state = _DIRECTION.init(params)
    for first in range(0, plan.steps, CHUNK):
        count = min(CHUNK, plan.steps - first)
        chosen = np.zeros(
            CHUNK * sequences, order.dtype
        )  # the last chunk's rest is never looked at
        chosen[: count * sequences] = order[first * sequences : (first + count) * sequences]
        windows = _cut(corpus.train, chosen, shape.context).reshape(CHUNK, sequences, -1)
        params, state = _advance(
            shape, params, state, windows, first, count, plan.steps, plan.learning_rate
        )
        params["table"].block_until_ready()  # so that the report is of work done
        report(first + count)
    return evaluate(shape, params, corpus.validation)


def evaluate(shape: Shape, params: Params, validation: Bytes) -> tuple[float, float]:
    """Mean loss over the same validation windows for every run, and its standard error."""
    chosen = np.random.Generator(np.random.PCG64(1)).choice(
        (validation.size - 1) // shape.context, VALIDATION_WINDOWS, replace=False
    )
    batches = _cut(validation, chosen, shape.context).reshape(-1, 64, shape.context + 1)
    measured = np.concatenate([_losses(shape, params, batch) for batch in batches]).astype(float)
    if not np.isfinite(measured).all():
        raise Diverged(f"{shape} ended with a loss that is not finite: lower its learning rate")
    return float(measured.mean()), float(measured.std(ddof=1) / np.sqrt(measured.size))


def device() -> str:
    """Kind of machine, for the table: what computed, never which host."""
    kind = jax.devices()[0].device_kind
    cores = len(os.sched_getaffinity(0))
    return f"{kind}, {cores} core{'s'[: cores > 1]}" if kind == "cpu" else kind


def _cut(stream: Bytes, windows: np.ndarray, context: int) -> Bytes:
    """Windows of context + 1 bytes: the last one is predicted, then begins the next window."""
    return stream[windows[:, None] * context + np.arange(context + 1)]


_losses = functools.partial(jax.jit, static_argnums=0)(losses)


@functools.partial(jax.jit, static_argnums=0, donate_argnums=(1, 2))
def _advance(
    shape: Shape,
    params: Params,
    state: optax.OptState,
    windows: jax.Array,
    first: int,
    count: int,
    steps: int,
    peak: float,
) -> tuple[Params, optax.OptState]:
    """Take `count` steps. Traced counts, so that runs of one shape and batch share a program."""
    warm_up = jnp.ceil(WARM_UP_SHARE * steps)

    def step(
        index: jax.Array, carry: tuple[Params, optax.OptState]
    ) -> tuple[Params, optax.OptState]:
        params, state = carry
        gradient = jax.grad(lambda p: losses(shape, p, windows[index]).mean())(params)
        direction, state = _DIRECTION.update(gradient, state, params)
        now = first + index
        rate = peak * jnp.minimum((now + 1) / warm_up, (steps - now) / (steps - warm_up))
        return optax.apply_updates(params, jax.tree.map(lambda x: -rate * x, direction)), state

    done: tuple[Params, optax.OptState] = jax.lax.fori_loop(0, count, step, (params, state))
    return done
