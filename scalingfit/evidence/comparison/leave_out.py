"""Leave runs out, one by one or in groups, and see how well the rest predicts them.

Pareto-smoothed importance sampling (Vehtari, Gelman & Gabry 2017, arXiv 1507.04544; Vehtari et
al. 2024, arXiv 1507.02646) is ArviZ's. Where its Pareto k says that the weights cannot be trusted,
the rest is fitted again without the run, all such fits at once.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.inference import (
    Model,
    Posterior,
    Settings,
    failures,
    log_likelihood,
    log_likelihood_by_run,
    predicted,
    sample,
)
from scalingfit.noise import At, Noise
from scalingfit.runs import Runs, group_key, require_budgets

if TYPE_CHECKING:
    from arviz_stats.utils import ELPDData

__all__ = ["LeaveOut", "groups_of", "held_out", "leave_each"]

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class LeaveOut:
    """How well each group of runs is predicted by the others.

    Attributes
    ----------
    elpd_i : array, shape (group,)
        Log predictive density of each group (of each run, where a group is one run).
    k : array, shape (group,)
        Pareto k of the importance weights.
    limit : float
        The k beyond which a group was left out by a fit of its own.
    refitted : tuple of int
        The groups where that was done.
    p : float
        Effective number of parameters.
    failed : int
        How many of these fits did not converge.
    arviz : ELPDData
        ArviZ's own object, with the refitted groups put in.
    """

    elpd_i: Floats
    k: Floats
    limit: float
    refitted: tuple[int, ...]
    p: float
    failed: int
    arviz: ELPDData

    @property
    def elpd(self) -> float:
        """Expected log predictive density: the sum over the groups."""
        return float(self.elpd_i.sum())

    @property
    def se(self) -> float:
        """Its standard error, from the scatter between the groups."""
        return float(np.sqrt(len(self.elpd_i) * np.var(self.elpd_i, ddof=1)))


def groups_of(
    runs: Runs, unit: str | None = None, budgets: ArrayLike | None = None
) -> NDArray[np.int64]:
    """What is left out together: a number for each run, shape (run,), counted from 0.

    Parameters
    ----------
    runs : Runs
    unit : str, optional
        A column or label, or "budget"; by default each run is left out by itself, and so is a run
        without a budget.
    budgets : array, optional
        FLOP, for "budget"; see `Budgets.numbered`.

    Raises
    ------
    InputError
        There is no such column, or a budget without runs; or all runs are of one group.
    """
    if unit is None:
        return np.arange(len(runs))
    keys = _keys(runs, unit, budgets)
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    if len(numbers) == 1:
        raise InputError(
            f"all {len(runs)} runs are of one {unit}, and cannot be left out",
            remedy="choose a column with several values, or leave out single runs.",
        )
    return np.array([numbers[key] for key in keys])


def _keys(runs: Runs, unit: str, budgets: ArrayLike | None) -> list[Hashable]:
    """One key a run: runs of the same are left out together."""
    if unit == "budget":
        numbers = runs.budgets.numbered(budgets)
        if budgets is not None:
            require_budgets(budgets, runs.budgets)
        return [(-1, at) if number < 0 else number for at, number in enumerate(numbers.tolist())]
    if budgets is not None:
        raise InputError(
            f"budgets are given, but runs are left out by {unit!r}",
            remedy=Message("leave out ", Argument("leave_out", "budget"), ", or give no budgets."),
        )
    values = runs.named(
        unit,
        "to leave runs out by",
        'choose one of these, or "budget" for runs of nearly the same compute.',
    )
    return [group_key(value) for value in values.tolist()]


def leave_each(
    posterior: Posterior, groups: NDArray[np.int64], settings: Settings, *, refit: bool = True
) -> LeaveOut:
    """Leave each group out once.

    Parameters
    ----------
    posterior : Posterior
        Of all the runs.
    groups : array of int, shape (run,)
        The group of each run, counted from 0.
    settings : Settings
        Of the fits without a group.
    refit : bool
        Whether to fit again where the importance weights cannot be trusted.
    """
    together = _together(posterior, groups)
    found = _psis(posterior, together)
    elpd_i, k = np.array(found.elpd_i, float), np.asarray(found.pareto_k, float)
    far = np.flatnonzero(~(k <= found.good_k)) if refit else np.empty(0, int)
    failed = 0
    if far.size:
        model, runs = posterior.model, posterior.runs
        left = [groups == group for group in far]
        densities, failed = held_out(model, runs, left, settings)
        elpd_i[far] = [_log_mean(density.sum(axis=-1)) for density in densities]
    p = float(np.sum(_log_mean(together.reshape(-1, together.shape[-1])) - elpd_i))
    exact = dataclasses.replace(
        found,
        elpd=float(elpd_i.sum()),
        se=float(np.sqrt(len(elpd_i) * np.var(elpd_i, ddof=1))),
        p=p,
        elpd_i=found.elpd_i.copy(data=elpd_i),
        pareto_k=found.pareto_k.copy(data=np.where(np.isin(np.arange(len(k)), far), 0.0, k)),
        warning=bool(np.any(~(k <= found.good_k))) and not refit,
    )
    return LeaveOut(elpd_i, k, float(found.good_k), tuple(far.tolist()), p, failed, exact)


def held_out(
    model: Model, runs: Runs, left: Sequence[NDArray[np.bool_]], settings: Settings
) -> tuple[list[Floats], int]:
    """Fit the table once without each set of runs, all at once.

    Parameters
    ----------
    left : sequence of array of bool, shape (run,)
        The runs to leave out; every one is a fit.

    Returns
    -------
    densities : list of array, shape (draw, left run)
        Log densities of the runs that were left out, each with all its rows.
    failed : int
        How many fits did not converge.
    """
    tables = [runs.with_weight(np.where(out, 0.0, 1.0)) for out in left]
    fits = sample(model, tables, settings)
    densities = []
    for table, draws, out in zip(tables, fits, left, strict=True):
        rest = runs.take(out)
        densities.append(_densities(*predicted(model, table, draws, rest), rest))
    return densities, failures(fits, settings)


def _densities(noise: Noise, at: At, runs: Runs) -> Floats:
    """Log densities, (draw, row); (draw, run) where rows of one run share an effect."""
    if noise.run_effect is None:
        return log_likelihood(noise, at, runs["L"])
    return log_likelihood_by_run(noise, at, runs["L"], runs.run_of)


def _together(posterior: Posterior, groups: NDArray[np.int64]) -> Floats:
    """Log densities of the groups, (chain, draw, group).

    Raises
    ------
    InputError
        A group parts a run whose rows share an effect.
    """
    runs, sampled = posterior.runs, posterior.sampled
    if posterior.noise.run_effect is None:
        return _by_group(posterior.log_likelihood(), groups)
    numbers = runs.run_of
    first = np.unique(numbers, return_index=True)[1]
    if not np.array_equal(groups[first][numbers], groups):
        raise InputError(
            "rows of one run share an effect, and this leaves out some of them and keeps others",
            remedy=Message("leave out whole runs: ", Argument("leave_out", runs.run_label), "."),
        )
    densities = _densities(*predicted(posterior.model, runs, sampled, runs), runs)
    return _by_group(densities.reshape(*sampled.energy.shape, -1), groups[first])


def _by_group(values: Floats, groups: NDArray[np.int64]) -> Floats:
    """Sum over the runs of each group: (chain, draw, run) -> (chain, draw, group)."""
    indicator = np.equal.outer(groups, np.arange(groups.max() + 1)).astype(float)
    return values if np.array_equal(groups, np.arange(len(groups))) else values @ indicator


def _psis(posterior: Posterior, log_likelihoods: Floats) -> ELPDData:
    """ArviZ's PSIS-LOO; its warnings are not needed, since high values of k are seen to here."""
    import arviz_base
    import arviz_stats

    sites = {name: posterior.draws[name] for name in posterior.model.sites}
    tree = arviz_base.from_dict(
        {"posterior": sites, "log_likelihood": {"L": log_likelihoods}}, dims={"L": ["run"]}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        stats: Any = arviz_stats
        found: ELPDData = stats.loo(tree, pointwise=True)
        return found


def _log_mean(densities: Floats) -> Floats:
    """Log of the mean density over the draws, on the first axis."""
    return np.asarray(logsumexp(densities, axis=0) - np.log(len(densities)))
