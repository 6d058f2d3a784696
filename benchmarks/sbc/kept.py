"""The ranks that are kept between runs of the benchmark."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TypedDict

import numpy as np

from benchmarks.sbc.cells import FALSE_ALARMS, Cell, cells
from scalingfit._files import replacing
from scalingfit.evidence import Calibration

RANKS = Path(__file__).with_name("ranks.json")


class Kept(TypedDict):
    """What is kept of a cell; of all ranks two digits."""

    batches: int
    failed: int
    left_out: int
    seconds: float
    ranks: dict[str, str]


def written() -> dict[str, Kept]:
    """What is kept, by cell."""
    return json.loads(RANKS.read_text("utf-8")) if RANKS.is_file() else {}


NOTHING = Kept(batches=0, failed=0, left_out=0, seconds=0.0, ranks={})


def keep(cell: Cell, number: int, found: Calibration, seconds: float) -> None:
    """Add a batch to what is kept, unless another process has."""
    kept = written()
    old = kept.get(cell.key, NOTHING)
    if old["batches"] != number:
        return
    ranks = {name: "".join(f"{rank:02}" for rank in found.ranks[name]) for name in found.ranks}
    kept[cell.key] = {
        "batches": old["batches"] + 1,
        "failed": old["failed"] + found.failed,
        "left_out": old["left_out"] + found.left_out,
        "seconds": round(old["seconds"] + seconds, 1),
        "ranks": {name: old["ranks"].get(name, "") + new for name, new in ranks.items()},
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(kept[key])}" for key in sorted(kept))
    with replacing(RANKS) as place:
        place.write_text(f"{{\n{lines}\n}}\n", "utf-8")


def calibrations() -> dict[Cell, Calibration]:
    """What is kept of every cell."""
    kept = written()
    return {
        cell: Calibration(
            name=cell.key,
            ranks={
                name: np.array([int("".join(pair)) for pair in itertools.batched(digits, 2)])
                for name, digits in kept[cell.key]["ranks"].items()
            },
            widths={},
            failed=kept[cell.key]["failed"],
            left_out=kept[cell.key]["left_out"],
            false_alarms=FALSE_ALARMS,
        )
        for cell in cells()
        if cell.key in kept
    }
