"""Whether a fit finds what made the runs as often as it says.

Talts et al. 2018, "Validating Bayesian Inference Algorithms with Simulation-Based Calibration",
arXiv 1804.06788. Parameters are drawn from the prior, runs are simulated with them at the places
of a design, and every table is fitted. If sampler, likelihood and prior agree, the rank of a true
value among the posterior draws is uniform, and a 90 % interval holds it 90 % of the time. That is
so for parameters and for whatever else is asked of them and the runs (Modrak et al. 2023, arXiv
2211.02383): how larger budgets are best spent, and what they buy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._arguments import whole
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.catalog import law as find_law
from scalingfit.catalog import noise as find_noise
from scalingfit.declare import Law
from scalingfit.evidence.calibration.result import Calibration
from scalingfit.evidence.calibration.simulated import KEPT, Ranked, Simulated
from scalingfit.inference import Prior, Sampling, build, check, failures, sampled, settings_of
from scalingfit.law_error import LawError
from scalingfit.noise import Noise
from scalingfit.runs import Runs

__all__ = ["calibrate"]


def calibrate(
    runs: Runs | Mapping[str, ArrayLike],
    law: str | type[Law] = "chinchilla",
    noise: str | type[Noise] | None = None,
    *,
    simulations: int = 200,
    priors: Mapping[str, Prior] | None = None,
    law_error: LawError | None = None,
    false_alarms: float = 0.01,
    **sampling: Unpack[Sampling],
) -> Calibration:
    """Simulate tables from the prior, fit them all, and see whether the posteriors are right.

    Parameters
    ----------
    runs : Runs or mapping
        Where the runs are: a table (its losses are not used), or the law's inputs by name,
        ``{"N": [...], "D": [...]}``.
    law, noise, priors
        As in `fit`.
    simulations : int
        How many tables. Where the law has no finite loss in one of them, it is left out, and said.
    law_error : LawError, optional
        As in `fit`; by default the law is taken to be exact, whose tables are fitted many times
        faster. With an error, true errors are drawn from its prior too.
    false_alarms : float
        How often a right engine may be called wrong.
    **sampling
        As in `fit`; see `scalingfit.inference.Sampling`.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
    """
    settings, simulations = settings_of(sampling), whole("simulations", simulations, 1)
    if settings.chains * settings.draws < KEPT:
        raise InputError(
            f"at least {KEPT} draws are needed to rank a true value",
            remedy=Message("take more: ", Argument("draws", KEPT), "."),
        )
    chosen = find_law(law)
    model = build(chosen, find_noise(noise or chosen.default_noise), priors, law_error)
    made = Simulated.of(model, _at(chosen, runs), simulations, settings.seed)
    numbers, tables = list(made.tables), list(made.tables.values())
    if not tables:
        raise InputError(
            f"in none of {simulations} simulated tables has {chosen.name} a finite loss everywhere",
            remedy="state narrower priors, or look at where the runs are.",
        )
    check(model, tables[0])
    found: dict[int, Ranked] = {}
    failed = 0
    for group in sampled(model, tables, settings):
        found |= {place: made.ranked(numbers[place], draws) for place, draws in group}
        failed += failures((draws for _, draws in group), settings)
    every = [found[place] for place in range(len(tables))]
    return Calibration(
        name=f"{chosen.name}, {model.noise.name} noise" + (", with its error" if law_error else ""),
        ranks={name: np.array([one.ranks[name] for one in every]) for name in every[0].ranks},
        widths={name: np.array([one.widths[name] for one in every]) for name in every[0].widths},
        failed=failed,
        left_out=simulations - len(tables),
        false_alarms=false_alarms,
    )


def _at(law: type[Law], runs: Runs | Mapping[str, ArrayLike]) -> Runs:
    if isinstance(runs, Runs):
        return runs
    if not isinstance(runs, Mapping):
        inputs = ", ".join(f'"{name}": [...]' for name in law.inputs())
        raise InputError(
            f"calibrate takes runs, or the law's inputs by name, not {type(runs).__name__}",
            remedy=f"pass {{{inputs}}}.",
        )
    rows = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in runs.values()))
    columns = dict(zip(runs, rows, strict=True))
    return Runs.from_columns({**columns, "L": np.ones(rows[0].shape)})
