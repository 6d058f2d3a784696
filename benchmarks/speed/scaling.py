"""How the engine scales: ``python -m benchmarks.speed.scaling [MOST FITS]``.

Fits from 1 to 100,000, rows from 8 to 20,000, peak memory, and the share of the floor: gradients a
second that NUTS achieves over those of the bare log density, in the same process.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import scalingfit as sf
from benchmarks.speed.batch import tables
from benchmarks.speed.peers import model
from benchmarks.speed.problem import CHAINS, elsewhere, environment, epoch, markdown, timed
from scalingfit._cores import core_count
from scalingfit.inference import pack
from scalingfit.inference.programs import bucket
from scalingfit.runs import Runs

FITS = (1, 10, 100, 1000, 10_000, 100_000)
ROWS = (8, 25, 50, 240, 2000, 20_000)
LANES = (1, 4, 16, 64)  # of the bare density


def simulated(rows: int, seed: int) -> Runs:
    """Runs about the published law, of sizes drawn from the 240."""
    runs, random = epoch(), np.random.default_rng(seed)
    chosen = random.integers(len(runs), size=rows)
    N, D = (runs[name][chosen] * np.exp(0.2 * random.standard_normal(rows)) for name in "ND")
    law = sf.law("chinchilla").published["besiroglu-2024"].law
    L = np.asarray(law.loss(N, D)) * np.exp(0.006 * random.standard_t(3, rows))
    return Runs.from_columns({"N": N, "D": D, "L": L})


def batch(count: int) -> dict[str, float]:
    sf.refit(tables(8, 99), progress=False)
    sf.refit(tables(2, 98), method="nuts", progress=False)
    given = tables(count, 0)
    refits, seconds = timed(lambda: sf.refit(given, progress=False))
    nuts = sum(fit.provenance["method"] == "nuts" for fit in refits.fits.values())
    return {"seconds": seconds, "memory": memory(), "nuts": nuts}


def single(rows: int) -> dict[str, float]:
    sf.fit(simulated(rows, 0))
    runs = simulated(rows, 1)
    post, seconds = timed(lambda: sf.fit(runs))
    leapfrogs = float(post.sampled.leapfrogs.mean())
    achieved, lockstep = sampling_rate(post) if rows <= 2000 else (float("nan"),) * 2
    best = max(bare(runs, lanes) for lanes in LANES)
    return {
        "seconds": seconds,
        "memory": memory(),
        "leapfrogs": leapfrogs,
        "lockstep": lockstep,
        "ess": float(np.min(post.sampled.diagnosis.ess_bulk)),
        "share": achieved / best,
    }


def sampling_rate(post: Any) -> tuple[float, float]:
    """Of NUTS alone, all phases, without finding the mode and judging.

    Gradients a second that chains asked for, and steps that the loop did for each of these.
    """
    from scalingfit.inference.programs import pack_group, programs, starts
    from scalingfit.inference.schedule import sample_chains

    this, rows = model(), bucket(len(post.runs))
    with jax.enable_x64(True):
        data = pack_group(this, [post.runs], rows, "float64")
        white = programs(this).whiten(starts(this, [None], "float64"), data)[0]

        def run() -> Any:
            return sample_chains(
                this,
                data,
                white,
                [np.random.default_rng(0)],
                np.zeros((1, CHAINS, white.dim)),
                chains=CHAINS,
                draws=1000,
                warmup=50,
                acceptance=0.9,
                precision="float64",
                stopped=threading.Event(),
            )

        run()
        made, seconds = timed(run)
    needed = float(made.leapfrogs.sum())
    return needed / seconds, made.steps / needed


def bare(runs: Runs, lanes: int) -> float:
    """Gradients a second of the log density alone, for so many lanes at a time on every core."""
    this, steps = model(), 2000 // lanes + 20
    with jax.enable_x64(True):
        data = pack(this, runs, bucket(len(runs)), "float64")
        place = this.unconstrain(
            {k: jnp.asarray(v) for k, v in START.items()}, jax.tree.map(jnp.asarray, data.centre)
        )
        slope = jax.vmap(jax.grad(lambda z: this.log_density(z, data)))

        def body(_: Any, z: Any) -> Any:
            return z + 1e-12 * slope(z)

        begin = place + 1e-3 * np.random.default_rng(0).standard_normal((lanes, this.dim))
        loop = jax.jit(lambda z: jax.lax.fori_loop(0, steps, body, z)).lower(begin).compile()
        with ThreadPoolExecutor(cores := core_count()) as threads:

            def everywhere() -> None:
                jax.block_until_ready(list(threads.map(loop, [begin] * cores)))

            everywhere()
            _, seconds = timed(everywhere)
    return cores * lanes * steps / seconds


START = {"E": 1.82, "alpha": 0.35, "beta": 0.36, "A": 482.0, "B": 2085.0, "sigma": 0.005, "nu": 4.0}


def memory() -> float:
    """Peak, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(largest: int) -> None:
    rows = []
    for count in FITS:
        if count <= largest:
            found = elsewhere("benchmarks.speed.scaling", "--batch", str(count))
            rate = count / found["seconds"]
            rows.append(
                [
                    f"{count:,}",
                    f"{found['seconds']:.2f}",
                    f"{rate:.3g}",
                    f"{found['nuts']:,}",
                    f"{found['memory']:.2f}",
                ]
            )
    head = ["fits of 240 rows, `refit`", "seconds", "fits/s", "by NUTS", "peak memory, GiB"]
    print(markdown(head, rows))
    print()
    rows = []
    for count in ROWS:
        found = elsewhere("benchmarks.speed.scaling", "--single", str(count))
        rows.append(
            [
                f"{count:,}",
                f"{found['seconds']:.2f}",
                f"{found['leapfrogs']:.1f}",
                f"{found['ess']:.0f}",
                f"{found['lockstep']:.2f}" if found["lockstep"] > 0 else "",
                f"{found['share']:.0%}" if found["share"] > 0 else "",
                f"{found['memory']:.2f}",
            ]
        )
    print(
        markdown(
            [
                "rows of one fit, `fit`",
                "seconds",
                "leapfrogs a draw",
                "least ESS",
                "steps done / needed",
                "gradients/s over the bare density's best",
                "peak memory, GiB",
            ],
            rows,
        )
    )
    print()
    print(environment())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--batch"]:
        print(json.dumps(batch(int(sys.argv[2]))))
    elif sys.argv[1:2] == ["--single"]:
        print(json.dumps(single(int(sys.argv[2]))))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else FITS[-1])
