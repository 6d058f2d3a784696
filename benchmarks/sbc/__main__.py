"""Whether posteriors of every law are right, by simulation-based calibration.

    python -m benchmarks.sbc [LAW ...] [--tier refit] [--tables 512] [--minutes 60]

draws true parameters from the prior, simulates and fits a table of runs with each, and ranks what
made the runs among the draws of each fit (Talts et al. 2018, arXiv 1804.06788), by
`scalingfit.calibrate`: for every law, by NUTS as `fit` does and in the way of `refit`, over designs
of 12, 32 and 240 runs. Ranks are kept in ``benchmarks/sbc/ranks.json``, so that it may be stopped,
and goes on where it was; ``benchmarks/sbc.md`` and ``benchmarks/sbc.png`` are made of them.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time

import scalingfit as sf
from benchmarks.sbc.cells import ROWS, SMALL_BATCH, TIERS, cells
from benchmarks.sbc.kept import NOTHING, keep, written
from benchmarks.sbc.report import report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("laws", nargs="*")
    parser.add_argument("--tier", choices=TIERS)
    parser.add_argument("--rows", type=int, choices=ROWS)
    parser.add_argument("--tables", type=int, default=512)
    parser.add_argument("--minutes", type=float, default=math.inf)
    asked = parser.parse_args()
    end = time.monotonic() + 60 * asked.minutes
    wanted = [
        cell
        for cell in cells()
        if cell.law in (asked.laws or sf.laws())
        and cell.tier == (asked.tier or cell.tier)
        and cell.rows == (asked.rows or cell.rows)
    ]
    most = math.ceil(asked.tables / SMALL_BATCH)
    for number, cell in itertools.product(range(most), wanted):
        if time.monotonic() > end:
            break
        if number == written().get(cell.key, NOTHING)["batches"] < asked.tables / cell.size:
            start = time.monotonic()
            keep(cell, number, cell.batch(number), time.monotonic() - start)
            print(f"{cell.key}: {number + 1}, {time.monotonic() - start:.0f} s", flush=True)
    report()


if __name__ == "__main__":
    main()
