"""How often fits of 8 to 240 runs pass their diagnostics, and their intervals hold the truth.

    python -m benchmarks.small_tables [--tables 200]

Parameters are drawn from the prior of Chinchilla's law with Student-t scatter, runs simulated where
Chinchilla's own lie, log-uniform in N and in D, and every table is fitted at the default settings.
Writes ``benchmarks/small_tables.md``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import scalingfit as sf
from benchmarks.speed.problem import environment, markdown
from scalingfit.evidence import band

REPORT = Path(__file__).with_suffix(".md")
ROWS = (8, 12, 25, 50, 240)


def design(rows: int) -> dict[str, np.ndarray]:
    """Sizes as in Chinchilla's runs, log-uniform and independent."""
    random = np.random.default_rng(rows)
    ranges = {"N": (5e7, 1.5e10), "D": (5e8, 3e11)}
    return {
        name: np.exp(random.uniform(np.log(low), np.log(high), rows))
        for name, (low, high) in ranges.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    tables = parser.parse_args().tables
    low, high = band(0.9, tables)
    lines: list[list[object]] = []
    for rows in ROWS:
        start = time.monotonic()
        found = sf.calibrate(design(rows), "chinchilla", simulations=tables)
        shares = found.to_pandas().set_index("parameter")["coverage_90"].to_dict()
        lines.append(
            [
                rows,
                f"{1 - found.failed / tables:.1%}",
                f"{np.mean(list(shares.values())):.1%}",
                ", ".join(f"{name} {100 * share:.3g}" for name, share in shares.items()),
                "calibrated" if found.ok else "not calibrated",
                f"{(time.monotonic() - start) / tables:.2f}",
            ]
        )
        print(lines[-1], flush=True)
    head = [
        "rows", "diagnostics passed", "covered by 90 % intervals, all parameters",
        "by parameter, %", "ranks", "seconds a table",
    ]  # fmt: skip
    REPORT.write_text(
        "# Small tables\n\nMade by `python -m benchmarks.small_tables`: Chinchilla's law, "
        f"{tables} tables of each size simulated from the prior, default settings of `calibrate`. "
        f"For one parameter the right share lies within {low:.1%} to {high:.1%} 95 % of the time."
        f"\n\n{markdown(head, lines)}\n\n{environment()}\n",
        "utf-8",
    )


if __name__ == "__main__":
    main()
