"""The command that judges laws: `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.cli._picture import drawing
from scalingfit.cli._progress import progress
from scalingfit.cli._reply import Reply, warn
from scalingfit.cli._sampling import AS_USUAL, Sampling
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._table import AS_IT_STANDS, Repeated, Source, Table, load
from scalingfit.cli._values import counted, names, numbers, numbers_if_given
from scalingfit.cli.fits import law_error_option, priors_by_law, within_and_beyond
from scalingfit.cli.runs import understood

if TYPE_CHECKING:
    from scalingfit.allocation import Counting
    from scalingfit.evidence import Answers, Comparison, Stacked, StackedHypothesis
    from scalingfit.result import Result

__all__ = ["compare"]


def compare(
    runs: Source,
    /,
    *,
    laws: str = "chinchilla,kaplan",
    noises: str | None = None,
    leave_out: str | None = None,
    budgets: str | None = None,
    cuts: str | None = None,
    compute: str | None = None,
    counting: str = "6ND",
    omega: str | None = None,
    corners: bool = False,
    exponents: bool = False,
    hypothesis: Repeated = (),
    prior: Repeated = (),
    law_error: Literal["smooth", "none"] = "smooth",
    plot: Path | None = None,
    table: Table = AS_IT_STANDS,
    sampling: Sampling = AS_USUAL,
) -> Reply:
    """Fit several laws to the same runs, and say which of them predicts the runs best.

    Each is scored by how well it predicts runs that were left out, and larger runs from smaller
    ones. Exit code 1 where there is reason not to rely on it, such as a fit that did not converge,
    or over-confident forecasts of larger runs.

    ```
    scalingfit compare runs.csv --laws chinchilla,kaplan,nested
    scalingfit compare runs.csv --laws chinchilla --noises student_t,normal --leave-out seed
    scalingfit compare runs.csv --hypothesis "a > 0.6" --hypothesis "abs(a - 0.5) < 0.03"
    ```

    Parameters
    ----------
    laws
        Names that `scalingfit laws` lists, with commas between them.
    noises
        Noise models that `scalingfit noises` lists, with commas between them; every law is fitted
        with each.
    leave_out
        Leave out all runs that share a value of this column together; "budget" groups runs of
        nearly the same compute, unless the table has a column of that name. By default each run on
        its own.
    budgets
        The budgets of the experiment in FLOP, with commas between them, for `--leave-out budget`.
    cuts
        Budgets in FLOP, with commas between them: fit the runs below, forecast those above; a cut
        that would part a budget moves to its end. By default up to four of them.
    compute
        Budgets in FLOP, with commas between them, that all laws split together, weighted, and each
        on its own; by default one inside the runs, the largest, and 10 and 100 times that.
    counting
        What a run costs, of --compute and of the exponents in --hypothesis: a name that
        `scalingfit rules` lists.
    omega
        Size of the embeddings, for the rules that count them; see `scalingfit frontier --help`.
    corners
        Also compare Kaplan's law and Chinchilla's as corners of one family, with Bayes factors: two
        more fits. Where the runs lie between the corners is shown anyway if `nested` is among the
        laws.
    exponents
        Also print the exponent a of N* ~ C^a under each law and each counting rule, and how likely
        it is near 0.73 (Kaplan et al.) and 0.50 (Hoffmann et al.).
    hypothesis
        A statement about the exponents a and b of N* and D* in C, or about parameters: its
        probability under each law, and averaged over them. May be repeated.
    prior
        Replace a prior of one law, `kaplan.alpha_N=LogNormal(-1.5, 0.7)`, or pin a parameter,
        `chinchilla.beta=0.28`. May be repeated.
    law_error
        As of `scalingfit fit`, of every law: smooth, or none for laws that are taken to be exact.
    plot
        Draw every law's forecast and frontier into this file (.png, .pdf or .svg).
    """
    together = _split_by_all(compute, names(laws))
    # Among the exponents are those of counts that take an omega.
    rule = counted(counting, None if exponents and counting == "6ND" else omega)
    slopes_of = _rules(omega, names(laws)) if exponents else []
    _require_known(hypothesis, names(laws), noises and names(noises))
    with drawing(plot) as save:
        loaded = load(runs, table)
        with progress(f"comparing laws on {len(loaded)} runs"):
            found = sf.compare(
                loaded, names(laws), noises and names(noises), leave_out=leave_out,
                priors=priors_by_law(prior), cuts=numbers_if_given("--cuts", cuts),
                budgets=numbers_if_given("--budgets", budgets), **law_error_option(law_error),
                **sampling.options(),
            )  # fmt: skip
            stacked = _stacked(found, together, rule)
            apart = _apart(found, stacked, rule, all_of_them=together is not None)
            at = found.nested_test() if corners else found.family
            slopes = found.exponents(rules=slopes_of) if exponents else None
            answered, refused = _asked(found, hypothesis, rule)
        drawn = save(lambda report: report.evidence_plots.comparison(found, counting=rule))
    parts: dict[str, Result | None] = {
        "stacked": stacked,
        "answers": apart,
        "corners" if corners else "family": at,
        "exponents": slopes,
    }
    made = {name: part for name, part in parts.items() if part is not None}
    data = found.as_json(COMMAND_LINE)
    data |= {name: part.as_json(COMMAND_LINE) for name, part in made.items()}
    if hypothesis:
        data["hypotheses"] = [each.as_json(COMMAND_LINE) for each in answered]
    shown: list[Result | str] = [understood(loaded), found, *made.values(), *answered]
    return Reply(data, shown, warned=bool(found.notes) or bool(refused) or not drawn)


def _split_by_all(compute: str | None, laws: list[str]) -> list[float] | None:
    """The budgets of ``--compute``, refused before any work where a law cannot split them."""
    if compute is None:
        return None
    from scalingfit._arguments import numbers as positive

    budgets: list[float] = positive("--compute", numbers("--compute", compute)).tolist()
    for name in laws:
        if set(inputs := sf.law(name).inputs()) != {"N", "D"}:
            raise InputError(
                f"--compute splits budgets between N and D, and {name} takes {', '.join(inputs)}",
                remedy="leave --compute out, or compare laws of N and D.",
            )
    return budgets


def _rules(omega: str | None, laws: Sequence[str]) -> list[Counting]:
    """Every counting rule by name, with the size of the embeddings where it takes one.

    Refused before any work where no law has such an exponent.
    """
    from scalingfit.allocation import counting_rules
    from scalingfit.evidence import PLAIN

    if not any(set(sf.law(name).inputs()) == PLAIN for name in laws):
        raise InputError(
            f"--exponents are those of laws that split a budget between N and D alone, and "
            f"{', '.join(laws)} do not",
            remedy="leave --exponents out, or compare laws of N and D.",
        )
    return [
        counted(name, omega if hasattr(rule, "omega") else None)
        for name, rule in counting_rules().items()
    ]


def _require_known(
    statements: Sequence[str], laws: Sequence[str], noises: Sequence[str] | None
) -> None:
    """Refuse statements that cannot be read, or of what no law has, before any work."""
    if not statements:
        return
    from scalingfit.evidence import candidates
    from scalingfit.inference import OPTIMA, Statement

    models = candidates(laws, noises).values()
    known = dict.fromkeys(
        [*OPTIMA, *(n for m in models for n in (*m.law.parameters(), *m.noise.parameters()))]
    )
    for text in statements:
        Statement(text).require(known)


def _asked(
    found: Comparison, statements: Sequence[str], counting: Counting
) -> tuple[list[StackedHypothesis], list[str]]:
    """The answers, and the statements that have none, after a warning: nothing else is lost."""
    answered, refused = [], []
    for text in statements:
        try:
            answered.append(found.hypothesis(text, counting=counting))
        except InputError as error:
            warn(error.spelled(COMMAND_LINE))
            refused.append(text)
    return answered, refused


def _apart(
    found: Comparison, stacked: Stacked | None, counting: Counting, *, all_of_them: bool
) -> Answers | None:
    """What each candidate would answer by itself where they split a budget, the largest or all."""
    if stacked is None or "tokens_per_param" not in stacked.mixture.draws:
        return None
    C = stacked.mixture.asked["C"]
    return found.answers(C if all_of_them else C[-1:], counting=counting)


def _stacked(found: Comparison, budgets: list[float] | None, counting: Counting) -> Stacked | None:
    """What the laws say together: how to split budgets, or the loss further along one input.

    None where they have no such question in common, or need more than N and D for it.
    """
    if budgets is not None:
        return found.frontier(budgets, counting=counting)
    from scalingfit.allocation import subject

    columns = found.runs.columns
    several = {tuple(sorted(fit.model.law.inputs())) for fit in found.posteriors.values()}
    match list(several):
        case [("D", "N")] if "C" in columns:
            asked = subject(next(iter(found.posteriors.values())))
            spent = asked.counted(asked.own(counting))["C"]
            return found.frontier(within_and_beyond(spent), counting=counting)
        case [(name,)]:
            return found.forecast(
                counting=counting, seed=0, costs=None, **{name: within_and_beyond(columns[name])}
            )
    return None
