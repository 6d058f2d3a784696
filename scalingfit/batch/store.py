"""A folder of fits that survives crashes and may be written to by many processes at once.

Fits come in chunks: files that appear whole or not at all, each named by the sha256 of its content,
so that names never collide and damage is found. A fit is known by its identity alone (see
`tasks.identifier`), so fits with other settings or laws may lie in the same folder. Nothing is ever
changed in place; the only other file says what the folder is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalingfit import __version__
from scalingfit._errors import InputError
from scalingfit._files import replacing
from scalingfit.batch.tasks import Order
from scalingfit.inference import Diagnosis, Draws, Evidence, Posterior, Verdict

__all__ = ["Store"]

MANIFEST = "scalingfit.json"
FORMAT = 1
SUFFIX = ".fits.npz"
STATS = ("log_density", "energy", "acceptance", "leapfrogs", "diverging", "step_size")
DIAGNOSES = tuple(field.name for field in dataclasses.fields(Diagnosis))

type Arrays = Mapping[str, NDArray[Any]]


class Store:
    """A folder of fits, made where it does not exist.

    Parameters
    ----------
    folder : path

    Attributes
    ----------
    messages : list of str
        What was found damaged.

    Raises
    ------
    InputError
        The folder holds something else, or fits of another format.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()
        self.messages: list[str] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise InputError(
                f"the store {str(folder)!r} is a file, and a store is a folder",
                remedy="name a new or an empty folder.",
            ) from None
        except OSError as error:
            raise InputError(
                f"cannot make the store {str(folder)!r}: {error.strerror}",
                remedy="name a folder that you may write to.",
            ) from None
        manifest = self.folder / MANIFEST
        if not manifest.exists():
            self._begin(manifest)
        found = _read_json(manifest)
        if found.get("format") != FORMAT:
            raise InputError(
                f"the store {str(folder)!r} has format {found.get('format')}, this version of "
                f"scalingfit ({__version__}) reads format {FORMAT}",
                remedy=f"name a new folder, or use scalingfit {found.get('scalingfit', '?')}.",
            )

    def write(self, fits: Mapping[str, Posterior]) -> None:
        """Add fits of one model, by identity, as one chunk."""
        if not fits:
            return
        sampled = [fit.sampled for fit in fits.values()]
        arrays = {name: np.stack([getattr(one, name) for one in sampled]) for name in STATS}
        for name in sampled[0].values:
            arrays[f"values.{name}"] = np.stack([one.values[name] for one in sampled])
        errors = [one.errors for one in sampled if one.errors is not None]
        if errors:
            arrays["errors"] = _filled(errors)
            places = [one.landmarks for one in sampled if one.landmarks is not None]
            arrays["landmarks"] = _filled([each.T for each in places])
        for name in DIAGNOSES:
            arrays[f"diagnosis.{name}"] = np.stack(
                [getattr(one.diagnosis, name) for one in sampled]
            )
        entries = [
            {
                "identity": identity,
                "verdict": dataclasses.asdict(fit.verdict),
                "provenance": dict(fit.provenance),
                "record": fit.sampled.record,
                "evidence": fit.sampled.evidence and dataclasses.asdict(fit.sampled.evidence),
            }
            for identity, fit in fits.items()
        ]
        text = json.dumps({"sites": list(sampled[0].values), "fits": entries})
        buffer = io.BytesIO()
        named: dict[str, Any] = {"index": np.frombuffer(text.encode(), np.uint8), **arrays}
        np.savez(buffer, **named)
        content = buffer.getvalue()
        with replacing(self.folder / f"{_digest(content)}{SUFFIX}") as part:
            part.write_bytes(content)

    def read(self, orders: Iterable[Order]) -> dict[str, Posterior]:
        """The fits among those ordered that are here, by identity.

        A damaged chunk is put aside, under a name that ends in ``.damaged``, and reported in
        `messages`; its fits count as missing.
        """
        wanted = {order.identity: order for order in orders}
        found: dict[str, Posterior] = {}
        for path in sorted(self.folder.glob(f"*{SUFFIX}")) if wanted else ():
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # put aside by another process just now
                continue
            if f"{_digest(content)}{SUFFIX}" != path.name:
                self._put_aside(path)
                continue
            with np.load(io.BytesIO(content), allow_pickle=False) as chunk:
                found |= _fits(chunk, wanted)
        return found

    def _begin(self, manifest: Path) -> None:
        others = sorted(path.name for path in self.folder.iterdir() if path.name[0] != ".")
        if others and not manifest.exists():  # another process may have begun it meanwhile
            raise InputError(
                f"{str(self.folder)!r} is no store of fits: it holds {', '.join(others[:5])}",
                remedy="name a new or an empty folder.",
            )
        said = {
            "what": "fits made by scalingfit.refit",
            "format": FORMAT,
            "scalingfit": __version__,
        }
        with replacing(manifest) as part:
            part.write_text(json.dumps(said, indent=1) + "\n", "utf-8")

    def _put_aside(self, path: Path) -> None:
        self.messages.append(
            f"{path} is damaged (its content does not match its checksum): the fits in it are "
            "made again, and the file is kept as .damaged"
        )
        with contextlib.suppress(OSError):
            path.rename(path.with_name(f"{path.name}.damaged"))


def _filled(arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Arrays of several lengths along their last axis as one: the shorter end in NaN."""
    longest = max(array.shape[-1] for array in arrays)
    none = [(0, 0)] * (arrays[0].ndim - 1)
    return np.stack(
        [
            np.pad(array, [*none, (0, longest - array.shape[-1])], constant_values=np.nan)
            for array in arrays
        ]
    )


def _fits(chunk: Any, wanted: Mapping[str, Order]) -> dict[str, Posterior]:
    """The wanted fits of an open chunk."""
    index = json.loads(chunk["index"].tobytes())
    places = {entry["identity"]: place for place, entry in enumerate(index["fits"])}
    here = places.keys() & wanted.keys()
    if not here:
        return {}
    arrays = {name: chunk[name] for name in chunk.files}
    return {
        identity: _posterior(arrays, index, places[identity], wanted[identity]) for identity in here
    }


def _posterior(arrays: Arrays, index: Mapping[str, Any], place: int, order: Order) -> Posterior:
    entry = index["fits"][place]
    stats: dict[str, Any] = {name: arrays[name][place] for name in STATS}
    evidence, errors, landmarks = entry["evidence"], None, None
    if "errors" in arrays:
        landmarks = arrays["landmarks"][place].T
        landmarks = landmarks[np.isfinite(landmarks).all(axis=1)]
        errors = arrays["errors"][place][..., : len(landmarks)]
    sampled = Draws(
        values={name: arrays[f"values.{name}"][place] for name in index["sites"]},
        **stats,
        diagnosis=Diagnosis(**{name: arrays[f"diagnosis.{name}"][place] for name in DIAGNOSES}),
        record=entry["record"],
        errors=errors,
        landmarks=landmarks,
        evidence=evidence and Evidence(**evidence),
    )
    law, noise = order.model.complete_arrays(sampled.values)
    return Posterior(
        law=law,
        noise=noise,
        runs=order.runs,
        verdict=Verdict(entry["verdict"]["status"], tuple(entry["verdict"]["messages"])),
        provenance=entry["provenance"],
        model=order.model,
        sampled=sampled,
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
