"""Many tables of 240 runs, tool by tool: ``python -m benchmarks.speed.batch``.

In interleaved rounds. Each table is a bootstrap of the 240 runs with its losses scattered anew, so
that nothing can be shared between fits; or, where that is said, simulated. Rates are fits a second,
of checked posteriors for the samplers and of point estimates for SciPy and `chinchilla`. All get
the same tables, made beforehand, and the means of the first posteriors are compared.

ESS is the least of all parameters, by ArviZ; of draws that were chosen by weight it is what their
weights are worth, which is less than ArviZ makes of them.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

import scalingfit as sf
from benchmarks.speed.peers import (
    model,
    numpyro_data,
    numpyro_draws,
    numpyro_sampler,
    numpyro_vmapped,
)
from benchmarks.speed.problem import (
    CHAINS,
    DRAWS,
    PARAMETERS,
    Floats,
    Table,
    elsewhere,
    environment,
    epoch,
    ess_of,
    markdown,
    natural,
    timed,
)
from scalingfit.inference import Limits, group
from scalingfit.inference.model import Data
from scalingfit.inference.programs import pack_group, programs, starts
from scalingfit.inference.schedule import sample_chains
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.runs import Runs

ROUNDS = 2
MANY = 1000
HALF = 500  # draws of a chain, which `refit` makes by default
ALIKE = 0.05  # posterior standard deviations between means, beside their Monte-Carlo error

type Tables = Callable[[int, int], list[Runs]]


def tables(count: int, seed: int) -> list[Runs]:
    runs, random = epoch(), np.random.default_rng(seed)
    made = []
    for _ in range(count):
        chosen = random.integers(len(runs), size=len(runs))
        columns = {name: runs[name][chosen] for name in ("N", "D", "L")}
        columns["L"] = columns["L"] * np.exp(1e-3 * random.standard_normal(len(runs)))
        made.append(Runs.from_columns(columns))
    return made


def bootstraps(count: int, seed: int) -> list[Runs]:
    """Of the 240 runs themselves."""
    return list(sf.designs.bootstraps(epoch(), count, seed=seed).values())


def simulated(count: int, seed: int) -> list[Runs]:
    """What a law with its error, fitted to the 240 runs, would have them be: no run twice."""
    runs = epoch()
    losses = sf.fit(runs).predictive(seed).reshape(-1, len(runs))
    chosen = np.random.default_rng(seed).choice(len(losses), count, replace=False)
    columns = {name: runs[name] for name in ("N", "D")}
    return [Runs.from_columns(columns | {"L": losses[draw]}) for draw in chosen]


def ours(
    count: int, make: Tables = tables, *, law_error: LawError | None = None, **options: Any
) -> dict[str, Any]:
    """By default of exact laws, as all others' are."""
    how: dict[str, Any] = {"progress": False, "law_error": law_error, "draws": DRAWS, **options}
    sf.refit(make(8, 99), **how)  # compiles
    given, steps = make(count, 0), _counted_steps()
    refits, seconds = timed(lambda: sf.refit(given, **how))
    fits = list(refits.fits.values())
    worst = [float(np.min(post.sampled.diagnosis.ess_bulk)) for post in fits]
    return {
        "rate": count / seconds,
        "fits": count,
        "ok": float(np.mean([post.sampled.diagnosis.passes(Limits()) for post in fits])),
        "ess": [float(np.mean(worst)), float(np.min(worst))],
        "nuts": float(np.mean([post.sampled.record["method"] == "nuts" for post in fits])),
        "lockstep": float(np.divide(*np.sum(steps, axis=0))) if steps else None,
        "posteriors": _posteriors([post.draws for post in fits[:16]], worst),
    }


def _counted_steps() -> list[tuple[int, int]]:
    """Steps that the loop does for all chains from now on, in all phases, and those they need."""
    seen = []

    def counted(*given: Any, **options: Any) -> Any:
        made = sample_chains(*given, **options)
        count = len(made.leapfrogs)
        seen.append((made.steps * count, int(made.leapfrogs.sum())))
        return made

    setattr(group, "sample_chains", counted)  # noqa: B010  # the name is not the module's own
    return seen


def _posteriors(draws: list[Any], ess: list[float]) -> list[dict[str, Any]]:
    """Means and standard deviations of log parameters, to be compared."""
    return [
        {
            "mean": [float(np.log(one[name]).mean()) for name in PARAMETERS],
            "sd": [float(np.log(one[name]).std()) for name in PARAMETERS],
            "ess": worst,
        }
        for one, worst in zip(draws, ess, strict=False)
    ]


def numpyro_loop(count: int, *, tuned: bool) -> dict[str, Any]:
    """One MCMC object, run on table after table, as users do."""
    import jax

    options = {"dense_mass": True, "regularize_mass_matrix": False} if tuned else {}
    mcmc = numpyro_sampler(recentred=tuned, **options)

    def run(runs: Runs) -> dict[str, Floats]:
        mcmc.run(jax.random.key(0), numpyro_data(runs, recentred=tuned))
        return numpyro_draws(mcmc, runs, recentred=tuned)

    run(tables(1, 98)[0])
    given = tables(count, 0)
    found, seconds = timed(lambda: list(map(run, given)))
    return _sampled(found, seconds)


def numpyro_together(count: int) -> dict[str, Any]:
    """All fits and chains in one `vmap`."""
    given = tables(count, 0)
    run = numpyro_vmapped(given)
    run(0)
    found, seconds = timed(lambda: run(1))
    each = [
        natural({name: value[fit] for name, value in found.items()}, Table.of(runs))
        for fit, runs in enumerate(given)
    ]
    return _sampled(each, seconds)


def _sampled(draws: list[dict[str, Floats]], seconds: float) -> dict[str, Any]:
    worst = [min(ess_of(one[name]) for name in PARAMETERS) for one in draws]
    return {
        "rate": len(draws) / seconds,
        "fits": len(draws),
        "ess": [float(np.mean(worst)), min(worst)],
        "posteriors": _posteriors(draws, worst),
    }


def blackjax_vmapped(count: int) -> dict[str, Any]:
    """All fits and chains in one `vmap`, in our whitened coordinates, with its own adaptation."""
    import blackjax
    import jax

    jax.config.update("jax_enable_x64", True)
    this = model()

    def chain(key: Any, data: Any, white: Any) -> Any:
        def density(w: Any) -> Any:
            return this.log_density(white.colour(w), data)

        place, warm, draw = jax.random.split(key, 3)
        adapt = blackjax.window_adaptation(
            blackjax.nuts, density, is_mass_matrix_diagonal=True, target_acceptance_rate=0.9
        )
        (state, tuned), _ = adapt.run(warm, jax.random.normal(place, (this.dim,)), 400)
        kernel = blackjax.nuts(density, **tuned).step

        def step(state: Any, key: Any) -> Any:
            state, _ = kernel(key, state)
            return state, state.position

        return jax.lax.scan(step, state, jax.random.split(draw, DRAWS))[1]

    sampler = jax.jit(jax.vmap(jax.vmap(chain, (0, None, None)), (0, 0, 0)))

    given = tables(count, 0)
    data, white = _packed(given)  # beforehand: BlackJAX's clock does not pay for our modes

    def run(seed: int) -> Any:
        keys = jax.random.split(jax.random.key(seed), (count, CHAINS))
        return jax.block_until_ready(sampler(keys, data, white))

    def back(place: Any, white: Any, centre: Any) -> Any:
        one: Any = jax.vmap(lambda w: this.constrain(white.colour(w), centre)[0])
        return jax.vmap(one)(place)

    run(0)
    found, seconds = timed(lambda: np.asarray(run(1)))
    values = jax.jit(jax.vmap(back))(found, white, data.centre)
    each = [{name: np.asarray(values[name][fit]) for name in PARAMETERS} for fit in range(count)]
    return _sampled(each, seconds)


def _packed(given: list[Runs]) -> tuple[Data, Any]:
    import jax

    with jax.enable_x64(True):
        data = pack_group(model(), given, 240, "float64")
        begin = starts(model(), [None] * len(given), "float64")
        return data, programs(model()).whiten(begin, data)[0]


def huber(place: Any, n: Any, d: Any, y: Any) -> Any:
    """Sum of Huber losses of log residuals, as Besiroglu et al. minimise it; for autograd."""
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    a, b, e, alpha, beta = place
    terms = anp.stack([a - alpha * n, b - beta * d, e + 0 * n])
    size = anp.abs(y - logsumexp(terms, axis=0))
    delta = 1e-3
    return anp.sum(anp.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta)))


def scipy_points(count: int) -> dict[str, Any]:
    """BFGS with autograd's gradients from the published estimate, bootstrap after bootstrap."""
    from autograd import grad
    from scipy.optimize import minimize

    start = np.array([np.log(482.01), np.log(2085.43), np.log(1.8172), 0.3478, 0.3658])
    given = [(np.log(t["N"]), np.log(t["D"]), np.log(t["L"])) for t in tables(count, 0)]
    slope = grad(huber)
    options: Any = {"gtol": 1e-9}
    found, seconds = timed(
        lambda: [
            minimize(huber, start, args=table, jac=slope, method="BFGS", options=options).fun
            for table in given
        ]
    )
    ours = [sf.point(table, starts=8).objective for table in tables(count, 0)]
    excess = np.array(found) / np.array(ours) - 1
    return {
        "rate": count / seconds,
        "fits": count,
        "excess": float(np.median(excess)),
        "ours_never_above": bool(excess.min() > -1e-6),
    }


def our_points(count: int) -> dict[str, Any]:
    runs = epoch()
    sf.point(runs, bootstrap=200, seed=1)
    made, seconds = timed(lambda: sf.point(runs, bootstrap=count))
    weights = np.random.default_rng(0).multinomial(len(runs), np.full(len(runs), 1 / 240), 10)
    searched = [sf.point(runs.with_weight(weight), starts=64).objective for weight in weights]
    excess = made.bootstrap_objective[:10] / np.array(searched) - 1  # type: ignore[index]
    return {"rate": count / seconds, "fits": count, "excess": float(np.max(excess))}


def chinchilla_points() -> dict[str, Any]:
    """The `chinchilla` package: 32 starts on a grid, one after the other."""
    from chinchilla import Chinchilla
    from chinchilla._metrics import log_huber

    runs = epoch()
    grid = {
        "e": [0.2, 0.8],
        "a": [5.0, 9.0],
        "b": [5.0, 9.0],
        "alpha": [0.3, 0.5],
        "beta": [0.3, 0.5],
    }
    with tempfile.TemporaryDirectory() as folder:
        tool = Chinchilla(
            folder,
            param_grid=grid,
            seed_ranges={"C": (1e18, 1e24), "N_to_D": (0.01, 1)},
            loss_fn=functools.partial(log_huber, delta=1e-3),
            log_level=40,
        )
        for N, D, L in zip(runs["N"], runs["D"], runs["L"], strict=True):
            tool.database.append(C=6 * N * D, N=N, D=D, loss=L)
        _, seconds = timed(lambda: tool.fit(parallel=False))
    place = np.array([np.log(tool.A), np.log(tool.B), np.log(tool.E), tool.alpha, tool.beta])
    reached = float(huber(place, np.log(runs["N"]), np.log(runs["D"]), np.log(runs["L"])))
    return {"rate": 32 / seconds, "fits": 32, "excess": reached / sf.point(runs).objective - 1}


def simple_scaling_laws_points() -> dict[str, Any]:
    """The `simple-scaling-laws` package: its default law with 1000 bootstrap draws."""
    import polars
    import simple_scaling_laws as tool

    runs = epoch()
    frame = polars.DataFrame(
        {
            "training_run_id": [str(i) for i in range(len(runs))],
            "model_size__n": runs["N"],
            "dataset_size__d": runs["D"],
            "test_loss__ce": runs["L"],
        }
    )
    _, seconds = timed(lambda: tool.fit(frame, n_draws=1000))
    return {"rate": 1000 / seconds, "fits": 1000}


TASKS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "auto": ("scalingfit, `refit`", lambda: ours(MANY)),
    "auto32": ("scalingfit, `refit`, float32", lambda: ours(MANY, precision="float32")),
    "bootstraps": (
        "scalingfit, `refit(designs.bootstraps)`",
        lambda: ours(4 * MANY, bootstraps),
    ),
    "nuts": ('scalingfit, `refit(method="nuts")`', lambda: ours(48, method="nuts")),
    "half": ("scalingfit, `refit`, 4 x 500 draws", lambda: ours(MANY, draws=HALF)),
    "error": (
        "scalingfit, `refit` with the law's error, 4 x 500 draws",
        lambda: ours(48, law_error=LAW_ERROR, draws=HALF),
    ),
    "error_nuts": (
        'the same, `method="nuts"`',
        lambda: ours(48, law_error=LAW_ERROR, draws=HALF, method="nuts"),
    ),
    "simulated": (
        "scalingfit, `refit`, 4 x 500 draws, simulated tables",
        lambda: ours(MANY, simulated, draws=HALF),
    ),
    "simulated_error": (
        "the same, with the law's error",
        lambda: ours(48, simulated, law_error=LAW_ERROR, draws=HALF),
    ),
    "numpyro": ("NumPyro as documented, in a loop", lambda: numpyro_loop(2, tuned=False)),
    "numpyro_tuned": (
        "NumPyro, recentred, dense, no shrinkage, cached, in a loop",
        lambda: numpyro_loop(4, tuned=True),
    ),
    "numpyro_vmap": (
        "NumPyro, recentred, dense, no shrinkage, one `vmap`",
        lambda: numpyro_together(8),
    ),
    "blackjax": ("BlackJAX NUTS, one `vmap`, our whitening", lambda: blackjax_vmapped(16)),
    "points": ("scalingfit, `point(bootstrap=4000)`", lambda: our_points(4000)),
    "scipy": ("SciPy BFGS with autograd, point estimates", lambda: scipy_points(40)),
    "simple": (
        "`simple-scaling-laws`, least squares on the loss, point estimates",
        simple_scaling_laws_points,
    ),
    "chinchilla": ("`chinchilla`, point estimates, by start", chinchilla_points),
}


COMPARED = ("auto32", "nuts", "numpyro", "numpyro_tuned", "numpyro_vmap", "blackjax")


def apart(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """The largest distance between means of the same posteriors, in standard deviations."""
    gaps, noise = [], []
    for one, other in zip(theirs["posteriors"], ours["posteriors"], strict=False):
        gap = np.abs(np.subtract(one["mean"], other["mean"])) / np.array(other["sd"])
        gaps.append(float(np.max(gap)))
        noise.append(4 * np.sqrt(1 / one["ess"] + 1 / other["ess"]))  # the worst of many
    alike = all(gap < max(ALIKE, limit) for gap, limit in zip(gaps, noise, strict=True))
    return f"{max(gaps):.3f} sd{'' if alike else ' (disagrees)'}"


def main(names: list[str]) -> None:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(ROUNDS):
        for name in names:
            print(f"round {number + 1}: {name}", file=sys.stderr)
            found[name].append(elsewhere("benchmarks.speed.batch", "--worker", name))
    rows = []
    for name in names:
        title, rounds = TASKS[name][0], found[name]
        if "failed" in rounds[0]:
            rows.append([title, f"failed: {rounds[0]['failed']}", *[""] * 7])
            continue
        of = "points" if name in ("scipy", "points", "simple", "chinchilla") else "auto"
        of = "simulated" if name.startswith("simulated") else of
        pairs = zip(found.get(of, []), rounds, strict=False)  # none, where it was not asked for
        ratio = [one["rate"] / other["rate"] for one, other in pairs]
        last = rounds[-1]
        rows.append(
            [
                title,
                last["fits"],
                " / ".join(f"{one['rate']:.3g}" for one in rounds),
                " / ".join(f"{one:.3g}" for one in ratio),
                f"{last['ok']:.1%}" if "ok" in last else "",
                "{:.0f}, {:.0f}".format(*last["ess"]) if "ess" in last else "",
                f"{last['lockstep']:.2f}" if last.get("lockstep") else "",
                f"{last['excess']:.1e}" if "excess" in last else "",
                apart(last, found["auto"][-1]) if name in COMPARED and "auto" in found else "",
            ]
        )
    print(
        markdown(
            [
                "tool",
                "fits",
                "fits/s",
                "`refit` or `point` is faster by",
                "converged",
                "least ESS: mean, worst",
                "steps done / needed",
                "objective above the best known",
                "means differ by",
            ],
            rows,
        )
    )
    print()
    print(environment("blackjax", "scipy"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(TASKS[sys.argv[2]][1]()))
    elif unknown := set(sys.argv[1:]) - set(TASKS):
        sys.exit(f"no task {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    else:
        main(sys.argv[1:] or list(TASKS))
