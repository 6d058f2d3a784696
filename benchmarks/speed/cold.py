"""From the start of a process to a printed interval: ``python -m benchmarks.speed.cold``.

`first` has an empty cache of compiled programs, `again` the cache that the first run left behind.
Stan builds its model anew each time, as it does for every new model.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.speed.problem import environment, epoch, markdown, timed

ROUNDS = 2
PEERS = ("numpyro_raw", "numpyro_dense", "nutpie_low_rank", "stan")


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "runs.csv")
        epoch().to_pandas().to_csv(table, index=False)
        fit = ["-m", "scalingfit", "fit", str(table)]
        commands = {"`scalingfit fit`": fit} | {
            name: ["-m", "benchmarks.speed.peers", name, "--once"] for name in PEERS
        }
        ours: list[float] = []
        for title, command in commands.items():
            first, again = [], []
            for number in range(ROUNDS):
                cache = Path(folder, f"{command[-1].replace('/', '_')}-{number}")
                first.append(seconds(command, cache))
                again.append(seconds(command, cache))
            ours = ours or [min(first), min(again)]
            rows.append(
                [
                    title,
                    *(" / ".join(f"{x:.1f}" for x in part) for part in (first, again)),
                    f"{min(first) / ours[0]:.2g} / {min(again) / ours[1]:.2g}",
                ]
            )
            print(rows[-1], file=sys.stderr)
    print(markdown(["command", "first, seconds", "again, seconds", "times ours"], rows))
    print()
    print(environment("nutpie", "pystan"))


def seconds(command: list[str], cache: Path) -> float:
    environ = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "SCALINGFIT_CACHE": str(cache),
        "NUMBA_CACHE_DIR": str(cache / "numba"),
    }
    full = [sys.executable, "-W", "ignore", *command]
    done, took = timed(lambda: subprocess.run(full, capture_output=True, env=environ, check=False))
    if done.returncode > 1:
        raise RuntimeError(done.stderr.decode()[-2000:])
    return took


if __name__ == "__main__":
    main()
