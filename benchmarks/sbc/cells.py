"""What is calibrated: laws, designs, and ways of fitting."""

from __future__ import annotations

import dataclasses
import itertools
import math
import zlib
from collections.abc import Iterator

import numpy as np

import scalingfit as sf
from scalingfit.evidence import Calibration
from scalingfit.inference import Sampling
from scalingfit.law_error import LAW_ERROR

BATCH, SMALL_BATCH = 32, 8
"""Tables that are drawn, and kept, at once."""
SLOW = {"broken", "broken_twice", "power_m4"}
"""Laws whose fits take long: batches are small, and fits that fail are not tried again."""
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

    @property
    def size(self) -> int:
        """Tables of a batch."""
        return SMALL_BATCH if self.law in SLOW or self.tier == "fit with error" else BATCH

    def batch(self, number: int, tables: int | None = None) -> Calibration:
        """Some of its tables; of exact laws, equal numbers make equal ones, whatever the tier."""
        sampling: Sampling = {**TIERS[self.tier], "seed": number}
        if self.law in SLOW:
            sampling["retries"] = 0
        return sf.calibrate(
            design(self.law, self.rows),
            self.law,
            simulations=tables or self.size,
            law_error=LAW_ERROR if self.tier == "fit with error" else None,
            false_alarms=FALSE_ALARMS,
            **sampling,
        )


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
    """The range that a law states, else one about its prior on an input's term, else about 1e6."""
    if given in sf.law(name).ranges:
        return sf.law(name).ranges[given]
    stated = [math.log(p.at) for p in sf.law(name).parameters().values() if p.of == given]
    middle = math.exp(np.mean(stated)) if stated else 1e6
    return middle / factor, middle * factor
