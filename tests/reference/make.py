"""Make the reference posteriors with NumPyro's own sampler.

    SCALINGFIT_DATA=FOLDER python -m tests.reference.make [LAW ...]

Each is NumPyro's NUTS on the model as declared, in the unconstrained parameters of its priors and
with a dense mass matrix: none of this package's coordinates, climbs, whitening or sampler. Chains
begin at prior draws. A posterior is kept where it meets what posteriordb asks of reference draws:
R-hat below 1.01, 10,000 effective draws in bulk and tails, no divergences. Quantiles with their
Monte-Carlo errors, and how they were made, go to ``posteriors.json``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpyro
from arviz_stats.base import array_stats
from numpyro.infer import MCMC, NUTS, init_to_value

import scalingfit as sf
from scalingfit.inference.build import build
from scalingfit.inference.programs import pack, prior_values
from tests.reference.cases import CASES, Case

FILE = Path(__file__).with_name("posteriors.json")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CHAINS, WARMUP, DRAWS, ACCEPTANCE = 8, 3000, 5000, 0.95
LEAST_ESS, HIGHEST_RHAT = 10_000, 1.01


def main() -> None:
    """Make those that were named, or all."""
    numpyro.set_host_device_count(2)
    made = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    for case in CASES:
        if sys.argv[1:] and case.law not in sys.argv[1:]:
            continue
        found, why = reference(case, Path(os.environ["SCALINGFIT_DATA"]))
        print(f"{case.law}: {why or 'kept'}", flush=True)
        if not why:
            made[case.law] = found
            FILE.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", "utf-8")


def reference(case: Case, folder: Path) -> tuple[dict[str, Any], str]:
    """The quantiles, and what stands against keeping them."""
    runs, law = case.runs(folder), sf.law(case.law)
    with jax.enable_x64(True):
        model = build(law, _noise(law))
        data = pack(model, runs, len(runs), "float64")
        # The best of some prior draws for each chain: far from each other, and not hopeless.
        prior = prior_values(model)
        heights = jax.vmap(
            lambda values: model.log_density(model.unconstrain(values, data.centre), data)
        )({name: jax.numpy.asarray(value) for name, value in prior.items()})
        best = np.argsort(-np.nan_to_num(np.asarray(heights), nan=-np.inf))[:CHAINS]
        samples, divergences = [], 0
        for chain, start in enumerate(best):
            init = {name: value[start] for name, value in prior.items()}
            kernel = NUTS(
                lambda: model.sample(data),
                dense_mass=True,
                target_accept_prob=ACCEPTANCE,
                init_strategy=init_to_value(values=init),
            )
            mcmc = MCMC(kernel, num_warmup=WARMUP, num_samples=DRAWS, progress_bar=False)
            mcmc.run(jax.random.key(chain), extra_fields=("diverging",))
            samples.append({name: np.asarray(mcmc.get_samples()[name]) for name in model.sites})
            divergences += int(mcmc.get_extra_fields()["diverging"].sum())
    draws = {name: np.stack([one[name] for one in samples]) for name in model.sites}
    bulk = {name: float(array_stats.ess(value, method="bulk")) for name, value in draws.items()}
    tail = {
        name: float(array_stats.ess(value, method="tail", prob=(0.05, 0.95)))
        for name, value in draws.items()
    }
    rhat = {name: float(array_stats.rhat(value)) for name, value in draws.items()}
    least, highest = min(*bulk.values(), *tail.values()), max(rhat.values())
    found = {
        "table": case.file,
        "rows": len(runs),
        "quantiles": {
            name: {
                f"{q:g}": [
                    float(np.quantile(value, q)),
                    float(array_stats.mcse(value, method="quantile", prob=q)),
                ]
                for q in QUANTILES
            }
            for name, value in draws.items()
        },
        "made": {
            "sampler": "numpyro.infer.NUTS, dense mass",
            "chains": CHAINS,
            "warmup": WARMUP,
            "draws": DRAWS,
            "target_accept_prob": ACCEPTANCE,
            "least_ess": round(least),
            "highest_rhat": round(highest, 5),
            "divergences": divergences,
            "versions": {"jax": jax.__version__, "numpyro": numpyro.__version__},
        },
    }
    against = [
        f"R-hat {highest:.4f}" if not highest < HIGHEST_RHAT else "",
        f"ESS {least:.0f}" if not least >= LEAST_ESS else "",
        f"{divergences} divergences" if divergences else "",
    ]
    return found, ", ".join(word for word in against if word)


def _noise(law: Any) -> Any:
    from scalingfit.catalog import noise

    return noise(law.default_noise)


if __name__ == "__main__":
    main()
