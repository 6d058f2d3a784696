"""The command `refit`: many tables out of one."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.cli._picture import drawing, picture_note
from scalingfit.cli._reply import Reply
from scalingfit.cli._sampling import AS_USUAL, Sampling
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._table import AS_IT_STANDS, Repeated, Source, Table, load
from scalingfit.cli._values import names, numbers
from scalingfit.cli.fits import law_error_option
from scalingfit.cli.runs import understood

if TYPE_CHECKING:
    from collections.abc import Hashable

    from scalingfit.result import Result
    from scalingfit.runs import Runs

__all__ = ["refit"]


def refit(
    runs: Source,
    /,
    *,
    by: str | None = None,
    bootstrap: int | None = None,
    cluster: str | None = None,
    leave_out: str | None = None,
    horizons: str | None = None,
    laws: str = "chinchilla",
    noises: str | None = None,
    prior: Repeated = (),
    law_error: Literal["smooth", "none"] = "smooth",
    store: Path | None = None,
    part: str | None = None,
    plot: Path | None = None,
    table: Table = AS_IT_STANDS,
    method: Literal["auto", "nuts"] = "auto",
    sampling: Sampling = AS_USUAL,
) -> Reply:
    """Fit laws to many tables: groups of a table, resamples of it, or parts of it.

    Name one of --by, --bootstrap, --leave-out and --horizons. Prints how the fits came out and how
    far they differ. Exit code 1 where the verdict of any is not "ok".

    ```
    scalingfit refit runs.csv --by family
    scalingfit refit runs.csv --bootstrap 1000 --cluster seed --store fits/
    scalingfit refit runs.csv --leave-out family --laws chinchilla,kaplan
    ```

    Parameters
    ----------
    by
        Fit the runs of each value of this column separately.
    bootstrap
        Fit this many resamples of the runs.
    cluster
        Resample whole groups of runs: those that share a value of this column.
    leave_out
        Leave out the runs of each value of this column, one value at a time.
    horizons
        Fit the runs up to each of these budgets in FLOP, with commas between them.
    laws
        Names that `scalingfit laws` lists, with commas between them.
    noises
        Noise models, with commas between them; see `scalingfit fit --help`. By default each law's
        own.
    prior
        Replace a prior, `E=LogNormal(0.5, 0.2)`, or pin a parameter, `beta=0.28`; for one law only.
        May be repeated.
    law_error
        As of `scalingfit fit`. Fits of laws that are taken to be exact, none, take a hundredth of
        the time.
    store
        Keep finished fits in this folder. The same command resumes where the last one stopped, and
        may run on several machines at once.
    part
        Fit only part K of N of the tables, `3/16`: for array jobs with one store.
    plot
        Draw the first exponent of every fit into this file (.png, .pdf or .svg).
    method
        auto tries importance sampling first, and NUTS where that does not suffice; nuts does not.
    """
    from scalingfit.inference import parse_priors

    wanted, scatters = names(laws), noises and names(noises)
    if prior and len(wanted) > 1:
        raise InputError(
            "--prior does not say which law it is for",
            remedy="refit one law at a time where priors are given.",
        )
    loaded = load(runs, table)
    tables = _designed(
        loaded, by=by, bootstrap=bootstrap, cluster=cluster, leave_out=leave_out,
        horizons=horizons, seed=sampling.seed,
    )  # fmt: skip
    options = sampling.options()
    options["method"] = method
    with drawing(plot) as save:
        found = sf.refit(
            _part(tables, part), wanted, scatters,
            parse_priors(list(prior)) or None,
            store=store, **law_error_option(law_error), **options,
        )  # fmt: skip
        drawn = save(lambda report: report.picture(found))
    shown: list[Result | str] = [understood(loaded), found, *picture_note(plot, drawn)]
    return Reply(found.as_json(COMMAND_LINE), shown, warned=not (found.ok and drawn))


def _designed(
    runs: Runs, *, cluster: str | None, seed: int, **asked: str | int | None
) -> dict[Hashable, Runs]:
    """The tables that the one design asked for makes."""
    chosen = [name for name, value in asked.items() if value is not None]
    if len(chosen) != 1:
        options = [f"--{name.replace('_', '-')}" for name in (chosen or asked)]
        raise InputError(
            f"{' and '.join(options)} cannot go together"
            if chosen
            else "nothing says which tables to fit",
            remedy=f"give one of {', '.join(options)}; one table is fitted by scalingfit fit.",
        )
    if cluster is not None and chosen != ["bootstrap"]:
        raise InputError("--cluster goes with --bootstrap", remedy="add --bootstrap 1000.")
    match chosen[0], asked[chosen[0]]:
        case "bootstrap", int(count):
            return dict(sf.designs.bootstraps(runs, count, cluster=cluster, seed=seed).items())
        case "by", str(column):
            return dict(runs.split(column).items())
        case "leave_out", str(column):
            return sf.designs.leave_out(runs, column)
        case _, value:
            return dict(sf.designs.horizons(runs, numbers("--horizons", str(value))).items())


def _part(tables: dict[Hashable, Runs], part: str | None) -> dict[Hashable, Runs]:
    """Every N-th table from the K-th on, where "K/N" is asked for."""
    if part is None:
        return tables
    first, slash, count = part.partition("/")
    if not (slash and first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise InputError(f"--part {part!r} is not a part", remedy="write --part 3/16.")
    chosen = dict(itertools.islice(tables.items(), int(first) - 1, None, int(count)))
    if not chosen:
        raise InputError(
            f"--part {part} has no table: there are {len(tables)}", remedy="make fewer parts."
        )
    return chosen
