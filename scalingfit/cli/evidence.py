"""Commands that judge forecasts and fits: `backtest` and `calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import scalingfit as sf
from scalingfit.cli._picture import drawing
from scalingfit.cli._progress import progress
from scalingfit.cli._reply import Reply
from scalingfit.cli._sampling import AS_USUAL, Sampling
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._table import AS_IT_STANDS, Repeated, Source, Table, load
from scalingfit.cli._values import names, numbers_if_given
from scalingfit.cli.fits import law_error_option, parsed_priors, priors_by_law
from scalingfit.cli.runs import understood

__all__ = ["backtest", "calibrate"]


def backtest(
    runs: Source,
    /,
    *,
    laws: str = "chinchilla",
    noises: str | None = None,
    cuts: str | None = None,
    held_out: str | None = None,
    by: str | None = None,
    domain: str | None = None,
    stack: bool = False,
    prior: Repeated = (),
    law_error: Literal["smooth", "none"] = "smooth",
    plot: Path | None = None,
    table: Table = AS_IT_STANDS,
    sampling: Sampling = AS_USUAL,
) -> Reply:
    """Forecast larger runs from smaller ones, and say how often the intervals were right.

    Scores are given by cut, and by how many times larger a run is than the largest that was fitted.
    Exit code 1 where a fit did not converge, or a table, or a law at a cut with too few runs for
    it, was left out.

    ```
    scalingfit backtest runs.csv --cuts 1e20,1e21
    scalingfit backtest curves.csv --laws power --by curve --held-out split -c X=steps
    scalingfit backtest curves.csv --laws power_m1,power --by curve --held-out split --stack
    ```

    Parameters
    ----------
    laws
        Names that `scalingfit laws` lists, with commas between them.
    noises
        Noise models that `scalingfit noises` lists, with commas between them; every law is fitted
        with each.
    cuts
        Largest budgets to fit, in FLOP, with commas between them; a cut that would part a budget
        moves to its end. By default up to four of them.
    held_out
        Instead: a column that says train or test of each run.
    by
        Fit and forecast the runs of each value of this column separately.
    domain
        With `--by`: a column of what its tables are about; scores are averaged over each, and
        weights are of each.
    stack
        Also stack the laws' forecasts, by how each predicts the last third of the fitted runs from
        the others: this doubles the number of fits.
    prior
        Replace a prior of one law, `kaplan.alpha_N=LogNormal(-1.5, 0.7)`, or pin a parameter,
        `chinchilla.beta=0.28`. May be repeated.
    law_error
        As of `scalingfit fit`, of every law: smooth, or none for laws that are taken to be exact.
    plot
        Draw calibration and forecasts into this file (.png, .pdf or .svg).
    """
    with drawing(plot) as save:
        loaded = load(runs, table)
        with progress(f"forecasting within {len(loaded)} runs"):
            found = sf.backtest(
                loaded, names(laws), noises and names(noises), held_out=held_out,
                cuts=numbers_if_given("--cuts", cuts), by=by, domain=domain, stack=stack,
                priors=priors_by_law(prior), **law_error_option(law_error), **sampling.options(),
            )  # fmt: skip
        drawn = save(lambda report: report.evidence_plots.backtest(found))
    return Reply(
        found.as_json(COMMAND_LINE),
        [understood(loaded), found],
        warned=bool(found.notes) or not drawn,
    )


def calibrate(
    runs: Source,
    /,
    *,
    law: str = "chinchilla",
    noise: str | None = None,
    prior: Repeated = (),
    law_error: Literal["smooth", "none"] = "none",
    simulations: int = 200,
    plot: Path | None = None,
    table: Table = AS_IT_STANDS,
    sampling: Sampling = AS_USUAL,
) -> Reply:
    """Simulate runs like yours, fit them, and check whether intervals cover the truth.

    Only the places of the runs are used, not their losses. Says of every parameter, and of the
    best split of ten times the largest budget, whether its intervals hold what they claim, and how
    wide runs in these places leave them. Exit code 1 where the law is not calibrated there.

    ```
    scalingfit calibrate runs.csv --law chinchilla --simulations 500 --plot calibration.png
    ```

    Parameters
    ----------
    law
        A name that `scalingfit laws` lists.
    noise
        See `scalingfit fit --help`.
    prior
        Replace a prior, `E=LogNormal(0.5, 0.2)`, or pin a parameter, `beta=0.28`. May be repeated.
    law_error
        none: the law is exact, in simulated runs and in fits; smooth: it may be off by a smooth
        function of its inputs in both, as fits allow by default. A fit then takes many times as
        long.
    simulations
        How many tables to simulate and fit.
    plot
        Draw ranks with their band, and how wide intervals come out, into this file (.png, .pdf or
        .svg).
    """
    from scalingfit.law_error import LAW_ERROR

    with drawing(plot) as save:
        loaded = load(runs, table)
        with progress(f"fitting {simulations} simulated tables"):
            found = sf.calibrate(
                loaded, law, noise, simulations=simulations, priors=parsed_priors(prior),
                law_error=None if law_error == "none" else LAW_ERROR, **sampling.options(),
            )  # fmt: skip
        drawn = save(lambda report: report.evidence_plots.calibration(found))
    return Reply(
        found.as_json(COMMAND_LINE), [understood(loaded), found], warned=not (found.ok and drawn)
    )
