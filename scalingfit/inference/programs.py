"""The compiled functions of a model, and tables as the arrays they take.

Few shapes, so few programs: rows are padded to a few sizes, and a program always runs the same
number of fits at a time.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.declare import Law
from scalingfit.inference import importance, nuts
from scalingfit.inference.chain import Chain
from scalingfit.inference.error_mode import find_error_mode
from scalingfit.inference.mode import Whitening, find_mode
from scalingfit.inference.model import Data, Leaf, Model
from scalingfit.inference.traced import traced
from scalingfit.inference.xla import each_fit
from scalingfit.law_error import MOST_LANDMARKS, Landmarks, landmarks
from scalingfit.runs import Runs

__all__ = [
    "PRIOR_DRAWS",
    "RANDOM",
    "Modes",
    "Programs",
    "bucket",
    "cached",
    "centre",
    "group_size",
    "landmarks_of",
    "pack",
    "pack_group",
    "padded",
    "places_of",
    "prior_values",
    "programs",
    "shape_of",
    "starts",
]

PRIOR_DRAWS = 1000
RANDOM = "threefry2x32"  # whatever JAX's default: equal seeds give equal draws
POOL, STARTS = 256, 4  # prior draws looked at, and how many of the best are climbed from
ROWS = (8, 16, 32, 64, 128, 192, 256)
FEATURES = (0, 8, 16, 24, 32, 40, 48, 64, 96, MOST_LANDMARKS)
ACCELERATOR_WORK, ACCELERATOR_LANES = 65536, 4096  # rows, and fits, to a program
VECTORISED = 4096  # numbers to a sum from which on XLA makes it of vectors on a CPU

Floats = NDArray[np.float64]


def bucket(rows: int) -> int:
    """The padded number of rows: few sizes, so few compiled programs."""
    for size in ROWS:
        if rows <= size:
            return size
    power = 1 << (rows - 1).bit_length()
    return power * 3 // 4 if rows <= power * 3 // 4 else power


def feature_bucket(features: int) -> int:
    """The padded number of features of a law's error."""
    return next(size for size in FEATURES if features <= size)


def padded(runs: Runs) -> int:
    """The padded number of rows of a fit, which sees no runs of weight zero.

    Three quarters of the table at least, so that nearly all resamples of it, which use five eighths
    of its runs, share one program, and so do cuts.
    """
    used = int(np.count_nonzero(runs.weight)) or len(runs)
    return bucket(max(used, len(runs) * 3 // 4))


def group_size(rows: int) -> int:
    """Fits to a program: a function of the padded rows and the kind of device, of nothing else.

    One on a CPU: even of eight rows, more fits at a time take no less time each, and a lone fit
    would carry copies of itself (`benchmarks/DECISIONS.md`).
    """
    if jax.default_backend() == "cpu":
        return 1
    return max(1, min(ACCELERATOR_LANES, ACCELERATOR_WORK // rows))


def cached(rows: int) -> int:
    """Densities to evaluate at a time: on a CPU no more than it takes to do so fast.

    More would leave the core's cache (`benchmarks/DECISIONS.md`).
    """
    if jax.default_backend() != "cpu":
        return importance.BLOCK
    needed = math.ceil(VECTORISED / rows)
    return min(importance.BLOCK, 1 << (needed - 1).bit_length())  # a power of two divides a block


def pack(model: Model, runs: Runs, rows: int, precision: str) -> Data:
    """One table as arrays, padded to `rows` rows that repeat the first run with weight zero."""
    index = np.arange(rows)
    index[len(runs) :] = 0
    columns, weight = runs.columns, runs.weight
    inputs = {name: np.log(values) for name, values in runs.input(model.law.inputs()).items()}
    loss = np.log(columns["L"]) if model.noise.on_log else columns["L"]
    data = Data(
        log_inputs={name: values[index] for name, values in inputs.items()},
        loss=loss[index],
        weight=np.where(np.arange(rows) < len(runs), weight[index], 0.0),
        loss_se=columns["loss_se"][index] if "loss_se" in columns else None,
        centre=centre(model, runs),
    )
    if model.error is not None:
        factor = landmarks_of(model, runs).factor
        features = np.zeros((rows, feature_bucket(factor.shape[1])))
        features[: len(runs), : factor.shape[1]] = factor
        data = dataclasses.replace(data, features=features)
    numbers = runs.run_numbers if model.run_effects else None
    if numbers is not None:
        counts = np.bincount(numbers, minlength=bucket(int(numbers.max()) + 1))
        data = dataclasses.replace(data, run_rows=counts)
    packed: Data = jax.tree.map(lambda leaf: np.asarray(leaf, precision), data)
    if numbers is not None:
        packed = dataclasses.replace(packed, run=numbers[index].astype(np.int32))
    return packed


def landmarks_of(model: Model, runs: Runs) -> Landmarks:
    """The landmarks of the error of a law, for a table."""
    return landmarks(places_of(model.law, runs))


def places_of(law: type[Law], runs: Runs) -> Floats:
    """Where the runs of a table lie: decimal logarithms of the law's inputs, (run, input)."""
    return np.log10(np.stack([*runs.input(law.inputs()).values()], axis=1))


def shape_of(model: Model, runs: Runs) -> tuple[int, bool, int, int]:
    """What tables that share programs have in common.

    Returns
    -------
    int
        Rows, as padded.
    bool
        Whether losses have known errors.
    int
        Features of the law's error, as padded.
    int
        Runs with effects, as padded.
    """
    numbers = runs.used().run_numbers if model.error is not None else None
    several = 0 if numbers is None else bucket(int(numbers.max()) + 1)
    count = landmarks_of(model, runs.used()).factor.shape[1] if model.error is not None else 0
    return padded(runs), "loss_se" in runs.columns, feature_bucket(count), several


def centre(model: Model, runs: Runs) -> dict[str, Leaf]:
    """Means of the log inputs of the runs, by their weights, which may be of any size."""
    share = runs.weight / runs.weight.max()
    inputs = runs.input(model.law.inputs())
    return {
        name: np.asarray(np.average(np.log(values), weights=share))
        for name, values in inputs.items()
    }


def pack_group(model: Model, tables: Sequence[Runs], rows: int, precision: str) -> Data:
    """Several tables as arrays with a leading axis (fit,).

    Runs of weight zero are left out: where the law has no loss for one of them, nothing times zero
    would make it count for nothing.
    """
    items = [pack(model, runs.used(), rows, precision) for runs in tables]
    stacked: Data = jax.tree.map(lambda *leaves: np.stack(leaves), *items)
    return stacked


@dataclasses.dataclass(frozen=True)
class Programs:
    """The compiled functions of a model; JAX keeps one executable for each shape."""

    whiten: Callable[..., tuple[Whitening, dict[str, Array], Modes]]
    whiten_error: Callable[..., Whitening]
    segment: Callable[..., tuple[Chain, Array, Array]]
    weigh: Callable[..., tuple[Array, dict[str, Array], Array, Array]]
    values: Callable[..., dict[str, Array]]
    heights: Callable[..., Array]


type Modes = tuple[Array, Array]
"""Ends of climbs, (start, dim), and the log integrals about those that are modes, (start,)."""


@functools.lru_cache(maxsize=256)
def programs(model: Model) -> Programs:
    """The compiled functions of a model; the same object each time."""

    def target(white: Array, given: tuple[Data, Whitening]) -> Array:
        data, whitening = given
        place, conditional = whitening.colour(white), whitening.conditional
        density = model.log_density(place, data, conditional)
        return density if conditional is None else density + whitening.log_stretch(white)

    def whiten(
        starts: tuple[dict[str, Array], Array], data: Data
    ) -> tuple[Whitening, dict[str, Array], Modes]:
        def density(place: Array) -> Array:
            return model.log_density(place, data)

        pool, known = starts
        places = jax.vmap(lambda values: model.unconstrain(values, data.centre))(pool)
        heights = jax.vmap(density)(places)
        preferred = jnp.where(jnp.arange(POOL) < known, jnp.inf, heights)
        order = jnp.argsort(jnp.where(jnp.isnan(heights), jnp.inf, -preferred))[:STARTS]
        climbs = jnp.where(known > 0, known + 1, STARTS)
        begin = jnp.where(jnp.arange(STARTS)[:, None] < climbs, places[order], jnp.nan)
        white, tops, integrals = find_mode(density, begin)
        values = jax.vmap(lambda top: model.constrain(top, data.centre)[0])(tops)
        return white, values, (tops, integrals)

    def weigh(
        places: Array, proposal: importance.Proposal, given: tuple[Data, Whitening]
    ) -> tuple[Array, dict[str, Array], Array, Array]:
        data, whitening = given

        def at(white: Array) -> tuple[dict[str, Array], Array]:
            return value(whitening, data, white), target(white, given)

        position, proposed = proposal.placed(places)
        lanes = cached(data.loss.shape[-1])
        found, heights = jax.lax.map(at, position, batch_size=lanes)
        return position, found, heights, heights - proposed

    def value(whitening: Whitening, data: Data, white: Array) -> dict[str, Array]:
        place, conditional = whitening.colour(white), whitening.conditional
        values = model.constrain(place[: model.dim], data.centre)[0]
        if conditional is None:
            return values
        found = model.located(place, data, conditional)[1]
        effects = {} if found.effects is None else {"run_effect": found.effects}
        return values | {"law_error": found.coefficients} | effects

    def heights(places: Array, given: tuple[Data, Whitening]) -> Array:
        found: Array = jax.lax.map(
            lambda white: target(white, given), places, batch_size=cached(given[0].loss.shape[-1])
        )
        return found

    def values(whitening: Whitening, position: Array, data: Data) -> dict[str, Array]:
        return jax.vmap(jax.vmap(functools.partial(value, whitening, data)))(position)

    return Programs(
        whiten=traced("whiten", model, each_fit(whiten)),
        whiten_error=traced(
            "whiten_error", model, each_fit(functools.partial(find_error_mode, model))
        ),
        segment=traced("segment", model, functools.partial(nuts.segment, target)),
        weigh=traced("weigh", model, each_fit(weigh)),
        values=traced("values", model, each_fit(values)),
        heights=traced("heights", model, each_fit(heights)),
    )


def starts(
    model: Model, known: Sequence[Mapping[str, Floats] | None], precision: str
) -> tuple[dict[str, Floats], NDArray[np.int32]]:
    """Where to look for the mode of each fit: prior draws, and modes of a similar fit.

    Parameters
    ----------
    model : Model
    known : sequence of (mapping or None)
        Of each fit: parameters, each of shape (mode,) with fewer than `STARTS` modes. Climbs begin
        from these, and from the best prior draw alone.
    precision : str

    Returns
    -------
    dict of array, shape (fit, POOL)
        Those that are known first.
    array, shape (fit,)
        How many of them are known.
    """
    found = {
        name: np.tile(value[:POOL].astype(precision), (len(known), 1))
        for name, value in prior_values(model).items()
    }
    counts = np.zeros(len(known), np.int32)
    for fit, modes in enumerate(known):
        for name, values in (modes or {}).items():
            found[name][fit, : len(values)] = values
            counts[fit] = len(values)
    return found, counts


@functools.lru_cache(maxsize=256)
def prior_values(model: Model) -> dict[str, Floats]:
    """Draws of the sampled parameters from the prior, in float64."""
    with jax.enable_x64(True):
        draw = traced("prior", model, functools.partial(model.prior_draws, draws=PRIOR_DRAWS))
        drawn = draw(jax.random.key(0, impl=RANDOM))
        return {name: np.asarray(value) for name, value in drawn.items()}
