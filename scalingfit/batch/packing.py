"""Fits in as few bytes as their draws are worth.

Draws are rounded along their principal axes, in steps of 2^-7 standard deviations of each: by at
most 0.004 of these along one, in either direction alike. Were all roundings along seven axes to add
up, they would come to a fifth of the Monte-Carlo error of a mean of 400 effective draws. What the
sampler recorded of a draw is rounded to 2^-6: its log density, its kinetic energy and its
acceptance probability. The errors of a law are rounded likewise, in steps not shorter than 2^-9
standard deviations of their longest axis. All else comes back as it was, among it the verdict on
the draws before they were rounded. A fit whose draws are not all finite is kept to the last bit.
"""

from __future__ import annotations

import dataclasses
import json
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalingfit._files import sealed, unsealed
from scalingfit.batch.tasks import Order
from scalingfit.inference import Diagnosis, Draws, Evidence, Posterior, Verdict, centre

__all__ = ["pack", "unpack"]

STEP, STEP_OF_STATS, STEP_OF_ERRORS = 2.0**-7, 2.0**-6, 2.0**-9
LEVEL = 1  # of zlib: the highest saves four per cent of the space, and takes four times as long
LARGEST = 2**30  # bytes of one fit: a few bytes may stand for any number of them
SMALLEST = 1e-20  # variance of a direction in which draws do not differ, relative to the others

type Arrays = Sequence[NDArray[Any]]


def pack(identity: str, fit: Posterior) -> bytes:
    """A fit, but for its model and its runs."""
    sampled = fit.sampled
    values = {name: sampled.values[name] for name in fit.model.sites}
    errors = _error_arrays(sampled)
    arrays = [
        *errors,
        *_rounded(np.concatenate([_flat(value) for value in values.values()])),
        *map(_steps, (sampled.log_density, sampled.energy + sampled.log_density)),
        _steps(sampled.acceptance),
        *map(_once, (sampled.leapfrogs.astype(np.int32), sampled.diverging)),
    ]
    entry = {
        "identity": identity,
        "sites": {name: value.shape for name, value in values.items()},
        "verdict": fit.verdict.record,
        "provenance": dict(fit.provenance),
        "record": sampled.record,
        "diagnosis": sampled.diagnosis.as_lists(),
        "evidence": sampled.evidence and dataclasses.asdict(sampled.evidence),
        "step_size": sampled.step_size.tolist(),
        "errors": len(errors),
        "arrays": [(array.dtype.str, array.shape) for array in arrays],
    }
    text = json.dumps(entry).encode() + b"\n"
    return sealed(zlib.compress(b"".join([text, *map(_planes, arrays)]), LEVEL))


def unpack(content: bytes, order: Order) -> Posterior:
    """The fit that was packed.

    Raises
    ------
    ValueError
        The content is not what was written, or is another fit than the one ordered. What was made
        on purpose may raise any error.
    """
    if (whole := unsealed(content)) is None:
        raise ValueError("its content does not match its digest")
    text, _, rest = zlib.decompressobj().decompress(whole, LARGEST).partition(b"\n")
    entry = json.loads(text)
    if (entry["identity"], [*entry["sites"]]) != (order.identity, [*order.model.sites]):
        raise ValueError("it is another fit than it is said to be")
    arrays = [*_arrays(rest, entry["arrays"])]
    errors, arrays = arrays[: entry["errors"]], arrays[entry["errors"] :]
    *draws, height, kinetic, acceptance, leapfrogs, diverging = arrays
    values = dict(_by_site(_unrounded(draws), entry["sites"]))
    shape = next(iter(values.values())).shape[:2]
    log_density = _values(height, shape)
    sampled = Draws(
        values=values,
        log_density=log_density,
        energy=_values(kinetic, shape) - log_density,
        acceptance=_values(acceptance, shape),
        leapfrogs=np.broadcast_to(leapfrogs.astype(np.int64), shape),
        diverging=np.broadcast_to(diverging.astype(np.bool_), shape),
        step_size=np.asarray(entry["step_size"], np.float64),
        diagnosis=Diagnosis(**{name: np.asarray(v) for name, v in entry["diagnosis"].items()}),
        record=entry["record"],
        evidence=entry["evidence"] and Evidence(**entry["evidence"]),
    )
    if errors:
        sampled = _with_errors(sampled, errors)
        values = sampled.values
    law, noise = order.model.complete_arrays(values, centre(order.model, order.runs))
    return Posterior(
        law=law,
        noise=noise,
        runs=order.runs,
        verdict=Verdict.of(entry["verdict"]),
        provenance=entry["provenance"],
        model=order.model,
        sampled=sampled,
    )


def _error_arrays(sampled: Draws) -> list[NDArray[Any]]:
    """The errors of a law, of the draws that have some; empty for an exact law."""
    if sampled.errors is None or sampled.landmarks is None:
        return []
    exact = sampled.values["tau"] == 0
    return [exact, sampled.landmarks, *_rounded(sampled.errors[~exact].T, STEP_OF_ERRORS)]


def _with_errors(sampled: Draws, arrays: Arrays) -> Draws:
    exact, landmarks, *rounded = arrays
    errors = np.zeros((*exact.shape, len(landmarks)))
    errors[~exact] = _unrounded(rounded).T
    return dataclasses.replace(
        sampled,
        values=sampled.values | {"tau": np.where(exact, 0.0, sampled.values["tau"])},
        errors=errors,
        landmarks=landmarks,
    )


def _rounded(flat: NDArray[np.float64], least: float = 0.0) -> Arrays:
    """Draws (parameter, draw) as steps along their principal axes, and what these are.

    No step is shorter than `least` times the standard deviation of the longest axis.
    """
    if flat.shape[1] < 2:
        return (flat,)
    logged = (flat > 0).all(axis=1)
    line = np.log(flat, out=flat.copy(), where=logged[:, None])
    if not np.isfinite(line).all():
        return (flat,)
    sd = np.where(np.ptp(line, axis=1) > 0, line.std(axis=1), 1.0)
    standard = (line - line.mean(axis=1, keepdims=True)) / sd[:, None]
    # Linear algebra differs in its last digits from process to process. Rounded, it does not, and
    # equal draws are packed alike.
    variances, turns = np.linalg.eigh(_single(standard @ standard.T / standard.shape[1]))
    widths = np.sqrt(np.maximum(variances, SMALLEST))
    widths = np.maximum(widths * STEP, widths.max() * least)
    axes, centre = _single(sd[:, None] * turns * widths), _single(line.mean(axis=1))
    steps = np.rint(np.linalg.solve(axes, line - centre[:, None]))
    folded = np.where(steps < 0, -2 * steps - 1, 2 * steps)  # small ones have small bytes
    if not (largest := folded.max()) < 2**32 - 1:
        return (flat,)
    small = np.uint16 if largest < 2**16 - 1 else np.uint32
    ends = np.stack([flat.min(axis=1), flat.max(axis=1)])
    return folded.astype(small), axes, centre, logged, ends


def _single(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """In single precision, as double."""
    return array.astype(np.float32).astype(np.float64)


def _unrounded(arrays: Arrays) -> NDArray[np.float64]:
    """The draws; none lies outside the range of those that were rounded, nor of its prior."""
    if len(arrays) == 1:
        return arrays[0]
    folded, axes, centre, logged, ends = arrays
    steps = np.where(folded % 2, -1.0, 1.0) * ((folded + folded % 2) // 2)
    # Not by `@`, whose sums differ from machine to machine.
    line = centre[:, None] + np.einsum("ij,jk->ik", axes, steps)
    found = np.exp(line, out=line.copy(), where=logged[:, None])
    return np.asarray(np.clip(found, *ends[..., None]))


def _steps(stats: NDArray[np.float64]) -> NDArray[Any]:
    """Whole steps; the numbers themselves where they are too large for that, or not finite."""
    whole = np.rint(stats / STEP_OF_STATS)
    fits = (np.abs(whole) < 2**31).all()  # and none is NaN
    return _once(whole.astype(np.int32) if fits else stats)


def _values(steps: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    found = steps * STEP_OF_STATS if steps.dtype.kind == "i" else steps
    return np.broadcast_to(found, shape)


def _once(array: NDArray[Any]) -> NDArray[Any]:
    """One number where all are equal."""
    first = array[:1, :1]
    return first if (array == first).all() else array


def _flat(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of shape (chain, draw, ...) as (parameter, draw)."""
    chains, draws = value.shape[:2]
    return value.reshape(chains * draws, -1).T


def _by_site(
    flat: NDArray[np.float64], shapes: dict[str, list[int]]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    start = 0
    for name, shape in shapes.items():
        end = start + math.prod(shape[2:])
        yield name, np.ascontiguousarray(flat[start:end].T).reshape(shape)
        start = end


def _planes(array: NDArray[Any]) -> bytes:
    """First bytes of all numbers first, then second ones: alike, they compress better."""
    return np.ascontiguousarray(array).reshape(-1, 1).view(np.uint8).T.tobytes()


def _arrays(content: bytes, layout: list[tuple[str, list[int]]]) -> Iterator[NDArray[Any]]:
    start = 0
    for name, shape in layout:
        dtype, count = np.dtype(name), math.prod(shape)
        planes = np.frombuffer(content, np.uint8, count * dtype.itemsize, start)
        one_by_one = np.ascontiguousarray(planes.reshape(dtype.itemsize, count).T)
        yield one_by_one.view(dtype).reshape(shape)
        start += len(planes)
