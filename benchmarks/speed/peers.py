"""One posterior by each tool: `TOOLS[name](table, seed)` gives draws, seconds and leapfrogs.

Every tool runs twice and the second run is timed, so that compilation is not counted where a tool
keeps what it compiled. All use float64, 4 chains and 1000 draws, and 1000 warm-up steps where the
tool's default is no other. With ``--with-error`` the law has an error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import scalingfit as sf
from benchmarks.speed.problem import (
    CHAINS,
    DRAWS,
    FREE,
    PARAMETERS,
    PRIORS,
    WITH_ERROR,
    Floats,
    Table,
    epoch,
    natural,
    summary,
    timed,
)
from scalingfit.inference import Model, build, pack
from scalingfit.inference.programs import programs, starts
from scalingfit.law_error import LawError
from scalingfit.noise import StudentT
from scalingfit.runs import Runs

type Result = tuple[dict[str, Floats], float, float | None]


def last[Found](run: Callable[[int], Found]) -> tuple[Found, float]:
    """What the second run gives, and how long it took; with ``--once`` there is no first."""
    if "--once" not in sys.argv:
        run(0)
    return timed(lambda: run(1))


def model() -> Model:
    return build(sf.law("chinchilla"), StudentT)


def scalingfit(precision: str) -> Result:
    runs, error = epoch(), LawError(exact=0.0) if WITH_ERROR else None
    post, seconds = last(lambda seed: sf.fit(runs, law_error=error, seed=seed, precision=precision))
    return post.draws, seconds, float(np.mean(post.sampled.leapfrogs))


def numpyro_raw() -> Result:
    return _numpyro(recentred=False)


def numpyro_recentred() -> Result:
    return _numpyro(recentred=True)


def numpyro_dense() -> Result:
    return _numpyro(recentred=True, dense_mass=True, regularize_mass_matrix=False)


def numpyro_sampler(*, recentred: bool, **options: Any) -> Any:
    """An MCMC object whose `run(key, table)` takes any table of one length.

    Its chains run one after the other. With ``--parallel`` they run side by side, each on a device
    of its own, which takes longer on two cores.
    """
    import jax
    import numpyro

    parallel = "--parallel" in sys.argv
    if parallel:
        numpyro.set_host_device_count(CHAINS)
        if jax.local_device_count() != CHAINS:
            raise RuntimeError("JAX had looked for devices before NumPyro stated their number")
    jax.config.update("jax_enable_x64", True)
    kernel = numpyro_kernel(recentred=recentred, **options)
    return _mcmc(kernel, "parallel" if parallel else "sequential")


def numpyro_vmapped(tables: list[Runs]) -> Callable[[int], dict[str, Floats]]:
    """All tables in one `vmap` of the recentred, dense sampler; draws are (fit, chain, draw)."""
    import jax

    jax.config.update("jax_enable_x64", True)
    kernel = numpyro_kernel(recentred=True, dense_mass=True, regularize_mass_matrix=False)
    each = [numpyro_data(runs, recentred=True) for runs in tables]
    stacked = jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *each)

    def one(key: Any, table: Any) -> Any:
        mcmc = _mcmc(kernel, "vectorized")
        mcmc.run(key, table)
        return mcmc.get_samples(group_by_chain=True)

    together = jax.jit(jax.vmap(one))

    def run(seed: int) -> dict[str, Floats]:
        found = together(jax.random.split(jax.random.key(seed), len(tables)), stacked)
        return {name: np.asarray(value) for name, value in found.items()}

    return run


def numpyro_kernel(*, recentred: bool, **options: Any) -> Any:
    from numpyro.infer import NUTS, init_to_value

    start = {
        **({"log_tau": -4.0} if WITH_ERROR else {}),
        "log_E": 0.6,
        "log_alpha": -1.0,
        "log_beta": -1.0,
        "a": -0.5,
        "b": -0.5,
        "log_sigma": -4.0,
        "log_nu_minus_1": 1.0,
    }
    strategy = {"init_strategy": init_to_value(values=start)} if recentred else {}
    return NUTS(_recentred if recentred else model().sample, **strategy, **options)


def _mcmc(kernel: Any, chain_method: str) -> Any:
    from numpyro.infer import MCMC

    return MCMC(
        kernel,
        num_warmup=1000,
        num_samples=DRAWS,
        num_chains=CHAINS,
        chain_method=chain_method,
        progress_bar=False,
        jit_model_args=True,
    )


def numpyro_draws(mcmc: Any, runs: Runs, *, recentred: bool) -> dict[str, Floats]:
    """The draws of its last run, each (chain, draw)."""
    found = {name: np.asarray(x) for name, x in mcmc.get_samples(group_by_chain=True).items()}
    return natural(found, Table.of(runs)) if recentred else {n: found[n] for n in PARAMETERS}


def numpyro_data(runs: Runs, *, recentred: bool) -> Any:
    """What `run` takes."""
    import jax

    if recentred:
        table = Table.of(runs)
        return jax.tree.map(jax.numpy.asarray, (table.n, table.d, table.y, table.features))
    return jax.tree.map(jax.numpy.asarray, pack(model(), runs, len(runs), "float64"))


def _recentred(table: tuple[Any, Any, Any, Any]) -> None:
    import jax.numpy as jnp
    import numpyro
    from numpyro import distributions as dist

    n, d, y, features = table
    free = {name: numpyro.sample(name, dist.Normal(*PRIORS[name])) for name in FREE}
    terms = []
    for name, term, exponent, x in (
        ("a", "term_A", jnp.exp(free["log_alpha"]), n),
        ("b", "term_B", jnp.exp(free["log_beta"]), d),
    ):
        at_centre = numpyro.sample(name, dist.ImproperUniform(dist.constraints.real, (), ()))
        middle, width, reference = PRIORS[term]
        shifted = at_centre + exponent * (x.mean() - reference)
        numpyro.sample(f"prior_{name}", dist.Normal(middle, width), obs=shifted)
        terms.append(jnp.exp(at_centre - exponent * (x - x.mean())))
    mean = jnp.log(jnp.exp(free["log_E"]) + terms[0] + terms[1])
    if features.shape[1]:
        tau = jnp.exp(numpyro.sample("log_tau", dist.Normal(*PRIORS["log_tau"])))
        white = numpyro.sample("white", dist.Normal().expand([features.shape[1]]).to_event(1))
        mean += tau * (features @ white)
    nu = 1 + jnp.exp(free["log_nu_minus_1"])
    numpyro.sample("y", dist.StudentT(nu, mean, jnp.exp(free["log_sigma"])), obs=y)


def _numpyro(*, recentred: bool, **options: Any) -> Result:
    import jax

    mcmc, runs = numpyro_sampler(recentred=recentred, **options), epoch()
    data = numpyro_data(runs, recentred=recentred)

    def run(seed: int) -> None:
        mcmc.run(jax.random.key(seed), data, extra_fields=("num_steps",))
        jax.block_until_ready(mcmc.get_samples())

    _, seconds = last(run)
    leapfrogs = float(np.mean(mcmc.get_extra_fields()["num_steps"]))
    return numpyro_draws(mcmc, runs, recentred=recentred), seconds, leapfrogs


def blackjax_white() -> Result:
    """BlackJAX's NUTS with its step-size adaptation, in our whitened coordinates."""
    import blackjax
    import jax

    jax.config.update("jax_enable_x64", True)
    this, runs = model(), epoch()
    data = jax.tree.map(jax.numpy.asarray, pack(this, runs, len(runs), "float64"))
    batch = jax.tree.map(lambda x: x[None], data)
    white = jax.tree.map(
        lambda x: x[0], programs(this).whiten(starts(this, [None], "float64"), batch)[0]
    )

    def density(w: Any) -> Any:
        return this.log_density(white.colour(w), data)

    def chain(key: Any) -> Any:
        place, warm, draw = jax.random.split(key, 3)
        adapt = blackjax.window_adaptation(blackjax.nuts, density)
        (state, tuned), _ = adapt.run(warm, jax.random.normal(place, (this.dim,)), 1000)
        kernel = blackjax.nuts(density, **tuned).step

        def step(state: Any, key: Any) -> Any:
            state, info = kernel(key, state)
            return state, (state.position, info.num_integration_steps)

        return jax.lax.scan(step, state, jax.random.split(draw, DRAWS))[1]

    sampler = jax.jit(jax.vmap(chain))

    def run(seed: int) -> Any:
        return jax.block_until_ready(sampler(jax.random.split(jax.random.key(seed), CHAINS)))

    (position, steps), seconds = last(run)
    back: Any = jax.vmap(jax.vmap(lambda w: this.constrain(white.colour(w), data.centre)[0]))
    found = back(position)
    draws = {name: np.asarray(found[name]) for name in PARAMETERS}
    return draws, seconds, float(np.mean(steps))


def _pymc_model(table: Table) -> Any:
    import pymc as pm

    with pm.Model() as built:
        free = {name: pm.Normal(name, *PRIORS[name]) for name in FREE}
        alpha, beta = pm.math.exp(free["log_alpha"]), pm.math.exp(free["log_beta"])
        terms = []
        for name, term, exponent, x in (
            ("a", "term_A", alpha, table.n),
            ("b", "term_B", beta, table.d),
        ):
            at_centre = pm.Flat(name, initval=-0.5)
            middle, width, reference = PRIORS[term]
            shifted = at_centre + exponent * (x.mean() - reference)
            pm.Potential(f"prior_{name}", pm.logp(pm.Normal.dist(middle, width), shifted))
            terms.append(pm.math.exp(at_centre - exponent * (x - x.mean())))
        mean = pm.math.log(pm.math.exp(free["log_E"]) + terms[0] + terms[1])
        if table.features.shape[1]:
            tau = pm.math.exp(pm.Normal("log_tau", *PRIORS["log_tau"]))
            mean += tau * (table.features @ pm.Normal("white", shape=table.features.shape[1]))
        nu = 1 + pm.math.exp(free["log_nu_minus_1"])
        pm.StudentT("y", nu=nu, mu=mean, sigma=pm.math.exp(free["log_sigma"]), observed=table.y)
    return built


def pymc() -> Result:
    import pymc as pm

    table = Table.of(epoch())

    def run(seed: int) -> Any:
        draws, tune = (DRAWS, 1000) if seed else (10, 10)  # the first only compiles
        return pm.sample(
            draws,
            tune=tune,
            chains=CHAINS,
            cores=2,
            random_seed=seed,
            progressbar=False,
            nuts_sampler="pymc",
        )

    with _pymc_model(table):
        trace, seconds = last(run)
    return _named(trace, table), seconds, float(np.mean(trace["sample_stats"]["n_steps"]))


def nutpie() -> Result:
    return _nutpie()


def nutpie_low_rank() -> Result:
    return _nutpie(low_rank_modified_mass_matrix=True)


def _nutpie(**options: Any) -> Result:
    import nutpie as tool

    table = Table.of(epoch())
    compiled = tool.compile_pymc_model(_pymc_model(table), backend="numba")

    def run(seed: int) -> Any:
        return tool.sample(
            compiled, draws=DRAWS, chains=CHAINS, cores=2, seed=seed, progress_bar=False, **options
        )

    trace, seconds = last(run)
    return _named(trace, table), seconds, float(np.mean(trace["sample_stats"]["n_steps"]))


def _named(trace: Any, table: Table) -> dict[str, Floats]:
    found = trace["posterior"]
    names = (*FREE, "a", "b", *(["log_tau"] if WITH_ERROR else []))
    return natural({name: np.asarray(found[name]) for name in names}, table)


STAN = """
data { int R; vector[R] n; vector[R] d; vector[R] y; }
transformed data { vector[R] nc = n - mean(n); vector[R] dc = d - mean(d); }
parameters {
  real log_E; real log_alpha; real log_beta; real a; real b; real log_sigma; real log_nu_minus_1;
}
model {
  real alpha = exp(log_alpha);
  real beta = exp(log_beta);
  log_E ~ normal(log(1.5), 0.7);
  log_alpha ~ normal(log(0.35), 0.5);
  log_beta ~ normal(log(0.35), 0.5);
  log_sigma ~ normal(log(0.01), 1);
  log_nu_minus_1 ~ normal(log(10), 1);
  target += normal_lpdf(a + alpha * (mean(n) - log(1e9)) | log(0.35), 1.5);
  target += normal_lpdf(b + beta * (mean(d) - log(3e10)) | log(0.4), 1.5);
  y ~ student_t(1 + exp(log_nu_minus_1),
                log(exp(log_E) + exp(a - alpha * nc) + exp(b - beta * dc)), exp(log_sigma));
}
"""


def stan() -> Result:
    import stan as tool

    table = Table.of(epoch())
    data = {"R": len(table.y), "n": table.n, "d": table.d, "y": table.y}
    starts = [
        {
            "log_sigma": -4.0,
            "a": -0.5,
            "b": -0.5,
            "log_alpha": -1.0,
            "log_beta": -1.0,
            "log_E": 0.6,
            "log_nu_minus_1": 1.0,
        }
    ] * CHAINS
    seed = int(np.random.default_rng().integers(2**31))  # pystan returns kept draws for old seeds
    built = tool.build(STAN, data=data, random_seed=seed)
    fit, seconds = timed(
        lambda: built.sample(num_chains=CHAINS, num_samples=DRAWS, num_warmup=1000, init=starts)
    )
    draws = {name: fit[name].reshape(DRAWS, CHAINS).T for name in (*FREE, "a", "b")}
    return natural(draws, table), seconds, float(np.mean(fit["n_leapfrog__"]))


TOOLS: dict[str, tuple[str, Callable[[], Result]]] = {
    "scalingfit": ("scalingfit, `fit`", lambda: scalingfit("float64")),
    "scalingfit32": ("scalingfit, `fit`, float32", lambda: scalingfit("float32")),
    "numpyro_raw": ("NumPyro as documented", numpyro_raw),
    "numpyro_recentred": ("NumPyro, recentred", numpyro_recentred),
    "numpyro_dense": ("NumPyro, recentred, dense, no shrinkage", numpyro_dense),
    "blackjax": ("BlackJAX NUTS in our whitened coordinates", blackjax_white),
    "nutpie": ("nutpie, recentred", nutpie),
    "nutpie_low_rank": ("nutpie, low rank, recentred", nutpie_low_rank),
    "pymc": ("PyMC, recentred", pymc),
    "stan": ("Stan, recentred", stan),
}

if __name__ == "__main__":
    made, took, steps = TOOLS[sys.argv[1]][1]()
    print(json.dumps(summary(made, took, steps)))
