"""Whether posteriors of every law are right, by simulation-based calibration.

    python -m benchmarks.sbc [LAW ...] [--tier refit] [--tables 512] [--minutes 60]

draws true parameters from the prior, simulates and fits a table of runs with each, and ranks what
made the runs among the draws of each fit (Talts et al. 2018, arXiv 1804.06788), by
`scalingfit.calibrate`: for every law, by NUTS as `fit` does and in the way of `refit`, over designs
of 12, 32 and 240 runs. Ranks are kept in ``benchmarks/sbc.json``, so that it may be stopped, and
goes on where it was; ``benchmarks/sbc.md`` and ``benchmarks/sbc.png`` are made of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import math
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binom

import scalingfit as sf
from benchmarks.speed.problem import environment, markdown
from scalingfit._files import replacing
from scalingfit.evidence import Calibration, band
from scalingfit.inference import Sampling
from scalingfit.law_error import LAW_ERROR
from scalingfit.report.evidence_plots import distributions

REPORT = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).with_suffix(".png")
RANKS = Path(__file__).with_suffix(".json")
BATCH = 32
"""Tables that are drawn, and kept, at once."""
FALSE_ALARMS = 0.01
"""Of a cell: a law, a tier and a design."""

ROWS = (12, 32, 240)
TIERS: dict[str, Sampling] = {
    "refit": {"method": "auto", "draws": 500, "retries": 2},
    "fit": {"method": "nuts", "draws": 1000, "retries": 2},
    "fit with error": {"method": "nuts", "draws": 1000, "retries": 2},
}
"""How tables are fitted, by verb; the last is what `fit` does where nothing else is said."""
WITH_ERROR = {("chinchilla", 32)}
"""What is fitted with the law's error: a fit takes a hundred times as long."""

# Where published runs lie, log-uniform; the inputs are independent of one another. Inputs that only
# other packages' laws have are taken two powers of ten up and down.
DESIGN = {
    "N": (1e7, 1e10),
    "D": (1e9, 3e11),
    "C": (1e18, 1e23),
    "S": (1e3, 3e5),
    "batch": (1e5, 4e6),
    "U": (3e8, 3e11),
    "D_F": (1e5, 1e10),
    "X": (1e4, 1e9),
    "experts": (1e0, 5e2),
    "N_nv": (3e7, 1e9),
    "N_v": (1e6, 1e8),
}


class Kept(TypedDict):
    """What is kept of a cell; of all ranks two digits."""

    batches: int
    failed: int
    left_out: int
    seconds: float
    ranks: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Cell:
    """A law, how it is fitted, and how many runs there are."""

    law: str
    tier: str
    rows: int

    @property
    def key(self) -> str:
        """Its name in the file."""
        return f"{self.law}, {self.tier}, {self.rows}"

    def batch(self, number: int, tables: int = BATCH) -> Calibration:
        """Some of its tables; equal numbers make equal tables, whatever the tier."""
        sampling: Sampling = {**TIERS[self.tier], "seed": number}
        return sf.calibrate(
            design(self.law, self.rows),
            self.law,
            simulations=tables,
            law_error=LAW_ERROR if self.tier == "fit with error" else None,
            false_alarms=FALSE_ALARMS,
            **sampling,
        )


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
    for number, cell in itertools.product(range(math.ceil(asked.tables / BATCH)), wanted):
        if time.monotonic() > end:
            break
        if number == written().get(cell.key, NOTHING)["batches"]:
            start = time.monotonic()
            keep(cell, number, cell.batch(number), time.monotonic() - start)
            print(f"{cell.key}: {number + 1}, {time.monotonic() - start:.0f} s", flush=True)
    report()


def cells() -> Iterator[Cell]:
    """All of them."""
    for tier, rows, law in itertools.product(TIERS, ROWS, sf.laws()):
        if tier != "fit with error" or (law, rows) in WITH_ERROR:
            yield Cell(law, tier, rows)


def design(name: str, rows: int) -> dict[str, np.ndarray]:
    """Where the runs of a law are, each of shape ``(run,)``."""
    random = np.random.default_rng(seed(name))
    logs = {k: [math.log(end) for end in ends(name, k)] for k in sf.law(name).inputs()}
    return {k: np.exp(random.uniform(low, high, rows)) for k, (low, high) in logs.items()}


def seed(name: str) -> int:
    """Of a law alone, so that another law beside it changes nothing."""
    return zlib.crc32(name.encode())


def ends(name: str, given: str) -> tuple[float, float]:
    """Of the range of one of a law's inputs."""
    return DESIGN.get(given) or around(name, given, 1e2)


def around(name: str, given: str, factor: float) -> tuple[float, float]:
    """The ends of a range about where a law states its prior on an input's term, else about 1e6."""
    stated = [math.log(p.at) for p in sf.law(name).parameters().values() if p.of == given]
    middle = math.exp(np.mean(stated)) if stated else 1e6
    return middle / factor, middle * factor


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


def report() -> None:
    """Write the table and the picture."""
    found = calibrations()
    draw(found)
    kept = written()
    lines = [
        [
            cell.law,
            cell.tier,
            cell.rows,
            one.simulations,
            f"{one.failed / one.simulations:.1%}",
            one.left_out,
            *coverages(one),
            f"{min(map(one.p_value, one.ranks)):.2g}",
            ", ".join(one.uneven) or "-",
            f"{kept[cell.key]['seconds'] / one.simulations:.2f}",
        ]
        for cell, one in sorted(found.items(), key=lambda item: item[0].law)
    ]
    head = [
        "law", "as by", "runs", "tables", "not converged", "left out", "covered by 90 %",
        "least", "most", "least p", "outside the band", "s a table",
    ]  # fmt: skip
    REPORT.write_text(f"{introduction(found)}\n{markdown(head, lines)}\n", "utf-8")


def coverages(found: Calibration) -> list[str]:
    """Of 90 % intervals: the mean over all that is ranked, the least and the most."""
    every = [found.coverage(name, 0.9) for name in found.ranks]
    least, most = (
        f"{end(every):.1%} ({[*found.ranks][every.index(end(every))]})" for end in (min, max)
    )
    return [f"{np.mean(every):.1%}", least, most]


def introduction(found: dict[Cell, Calibration]) -> str:
    outside = sum(not one.ok for one in found.values())
    chance = int(binom.ppf(0.99, len(found), FALSE_ALARMS))
    sizes = sorted({one.simulations for one in found.values()})
    ends = "; ".join(
        "{:.1%} to {:.1%} of {} tables".format(*band(0.9, size), size)
        for size in {sizes[0], sizes[-1]}
    )
    return f"""# Posteriors hold what they claim

Made by `python -m benchmarks.sbc` (`make sbc`): simulation-based calibration (Talts et al. 2018,
arXiv 1804.06788) by `scalingfit.calibrate`. Parameters are drawn from each law's own prior, runs
are simulated with them where published runs lie (log-uniform, inputs independent), and each table
is fitted: as `refit` does (importance sampling where it passes its gates, NUTS elsewhere, 4 chains
of 500 draws), and as `fit` does (NUTS, 4 chains of 1000), both of the exact law; and as `fit` does
where nothing else is said, with the law's error, whose scale and shape are then drawn from their
prior too, exactly zero in half of the tables. What made the runs is ranked among 99 draws of each
fit: every sampled parameter, and what the law says at ten times the largest budget: `N*`, `D*`,
`L*` and `a*`, the exponent of `N*`, or `L` alone where a law splits no budget. Every fit counts,
converged or not. Tables in which a loss is not finite cannot be fitted: they are left out, which
leaves the posteriors of the others as they are, since it is to be seen from the table alone.

If sampler, likelihood and prior agree, ranks are uniform. The band is simultaneous over all ranks,
exact (Säilynoja, Bürkner & Vehtari 2022, arXiv 2103.10522), and a cell is outside with a
probability of {FALSE_ALARMS:.0%} in all; so of {len(found)} cells at most {chance} are, 99 % of the
time. **{outside} are.** A right coverage of 90 % lies, 95 % of the time, within {ends}.

![Distribution functions of ranks, less the uniform one](sbc.png)

{environment()}
"""


def draw(found: dict[Cell, Calibration]) -> None:
    """A panel for every cell of the exact laws: a row a law, a column a tier and a design."""
    columns = [(tier, rows) for tier in ("refit", "fit") for rows in ROWS]
    laws = [*sf.laws()]
    figure = Figure(figsize=(13, 1.25 * len(laws)), dpi=110, layout="constrained")
    panels = figure.subplots(len(laws), len(columns), sharex=True, sharey=True)
    for row, law in zip(panels, laws, strict=True):
        for axes, (tier, rows) in zip(row, columns, strict=True):
            one = found.get(Cell(law, tier, rows))
            if one is None:
                axes.axis("off")
                continue
            distributions(axes, one)
            axes.text(0.02, 0.93, f"{one.simulations}", transform=axes.transAxes, fontsize=6)
        row[0].set_ylabel(law, fontsize=7)
    for axes, (tier, rows) in zip(panels[0], columns, strict=True):
        axes.set_title(f"as by {tier}, {rows} runs", fontsize=8)
    figure.supxlabel("rank of the truth among the draws, as a share", fontsize=9)
    figure.supylabel("share of tables below, less what is right", fontsize=9)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
