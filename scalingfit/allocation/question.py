"""Reading a question: a posterior or a law, its inputs by name, and how far they reach."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Protocol

import jax
import numpy as np

from scalingfit._errors import InputError
from scalingfit._messages import Message, OnlyIn
from scalingfit._text import engineering, listed, quantity
from scalingfit.allocation.answer import Answer, FloatArray, Reach
from scalingfit.allocation.flops import Counting
from scalingfit.declare import Law
from scalingfit.noise import Noise
from scalingfit.result import Note
from scalingfit.runs import Runs

__all__ = ["Asked", "Fit", "Subject", "answered", "by_fit", "cost", "reach", "subject"]

WITHOUT_EMBEDDING = re.compile("(no|non|without)[-_ ]*emb", re.IGNORECASE)
"""In the name of a column, says that its N leaves the embeddings out."""

POINT = 'law("chinchilla").published["besiroglu-2024"].law'

FAR = 2.0
"""Up to this factor beyond the runs a question still counts as near them."""

WAGER = 100.0
"""From this factor on an answer is a warning: nobody has seen a law hold over so much more."""


class Fit(Protocol):
    """What questions read of a posterior: draws of a law and of its noise, and the runs."""

    @property
    def law(self) -> Law:
        """Leaves ``(chain, draw)``."""

    @property
    def noise(self) -> Noise:
        """Likewise."""

    @property
    def runs(self) -> Runs:
        """The table that was fitted."""

    @property
    def provenance(self) -> Mapping[str, object]:
        """How the fit was made."""


type Asked = Fit | Law
"""What may be asked: a posterior, or a law with values such as a published point."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is asked: a posterior, or a law by itself, which has neither noise nor runs.

    Attributes
    ----------
    law : Law
        Leaves ``(chain, draw)``, or scalars.
    noise : Noise or None
    runs : mapping of str to array, shape (run,)
        The columns of the runs that a fit sees; empty for a law by itself.
    provenance : mapping
        The posterior's record.
    total : bool or None
        Whether its N counts the embeddings, where that is known.
    ratio : array, shape (run,), or None
        C / (6 N D) of the runs, where they state a C of their own.
    loss_unit : str or None
        What L is measured in, where the runs say.
    fits : mapping of label to Subject
        Each of many fits that are asked at once: leaves are ``(fit, chain, draw)``, and there are
        no runs of all.
    """

    law: Law
    noise: Noise | None
    runs: Mapping[str, FloatArray]
    provenance: Mapping[str, object]
    total: bool | None = None
    ratio: FloatArray | None = None
    loss_unit: str | None = None
    fits: Mapping[Hashable, Subject] = dataclasses.field(default_factory=dict)

    def own(self, rule: Counting) -> Counting:
        """The rule for these runs, from which the count of a table is made.

        Raises
        ------
        InputError
            The rule is that count, and the runs have none.
        """
        return rule.of_runs(self.runs.get("N", np.empty(0)), self.ratio)

    def counted(self, rule: Counting) -> dict[str, FloatArray]:
        """The runs' columns with C as the rule counts it, so that budgets compare with it."""
        columns = dict(self.runs)
        size = type(self.law).size
        if set(size) <= set(columns):
            columns["N"] = np.sum([columns[part] for part in size], axis=0)
        if "N" in columns and "D" in columns:
            columns["C"] = cost(rule, columns["N"], columns["D"])
        return columns


def subject(asked: Asked) -> Subject:
    """Read a posterior or a law.

    Raises
    ------
    InputError
        It is neither.
    """
    if isinstance(asked, Law):
        points = type(asked).published.values()
        total = next((point.total for point in points if point.law is asked), None)
        return Subject(_wide(asked), None, {}, {}, total)
    if not isinstance(getattr(asked, "law", None), Law):
        raise InputError(
            f"a posterior or a law with values is needed, not {asked!r}",
            remedy=Message(
                "pass what fit returned",
                OnlyIn("python", (", or a published point such as ", POINT)),
                ".",
            ),
        )
    origin = asked.runs.provenance.get("columns", {}).get("N")
    column = "" if origin is None else origin["column"]
    named = [bool(WITHOUT_EMBEDDING.search(name)) for name in (column, *asked.runs.labels)]
    # A table that also has a count without embeddings has them in its N.
    total = False if named[0] else True if any(named) else None
    fits = {label: subject(fit) for label, fit in getattr(asked, "fits", {}).items()}
    used = asked.runs.used()
    runs, ratio = ({}, None) if fits else (used.columns, used.compute_ratio)
    law, noise = _wide(getattr(asked, "law_with_error", asked.law)), _wide(asked.noise)
    unit = asked.runs.loss_unit
    return Subject(law, noise, runs, asked.provenance, total, ratio, unit, fits)


def by_fit[Found](asked: Subject, compute: Callable[[Law], Found]) -> Found:
    """What is computed of a law: of many fits at once, or of one after the other.

    The latter where laws have errors, for each fit's error has landmarks of its own.

    Parameters
    ----------
    asked : Subject
    compute : callable
        Arrays from a law.
    """
    laws = [fit.law for fit in asked.fits.values()]
    if all(law.exact is law for law in laws):
        return compute(asked.law)
    found: Found = jax.tree.map(lambda *arrays: np.stack(arrays), *map(compute, laws))
    return found


def _wide[Tree](tree: Tree) -> Tree:
    """The values of a law or a noise model in float64, whatever they were fitted in."""
    values: Tree = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)
    return values


def answered[Found, Kind: Answer](
    asked: Subject, found: Found, answer: Callable[[Subject, Found], Kind]
) -> Kind:
    """The answer that arrays make; of many fits also each one's own, and how many go too far.

    Parameters
    ----------
    asked : Subject
    found : pytree of arrays
        What was computed for all draws; of many fits, their axis is the first.
    answer : callable
        The answer of one subject.
    """
    whole = answer(asked, found)
    fits = {
        label: answer(fit, jax.tree.map(lambda array: array[place], found))  # noqa: B023
        for place, (label, fit) in enumerate(asked.fits.items())
    }
    far = {label: own.reach for label, own in fits.items() if own.reach.times}
    notes = list(whole.notes)
    if far:
        label, farthest = max(far.items(), key=lambda item: item[1].times)
        count = f"beyond the runs of {len(far)} of {len(fits)} fits; the farthest, {label!r}: "
        note = farthest.notes[0]
        notes.append(dataclasses.replace(note, text=Message(count, note.text)))
    return dataclasses.replace(whole, fits=fits, notes=notes)


def cost(rule: Counting, N: FloatArray, D: FloatArray) -> FloatArray:
    """FLOP under the rule, as NumPy float64."""
    with jax.enable_x64(True):
        return np.asarray(rule.flops(N, D), np.float64)


def reach(rows: str, places: Mapping[str, FloatArray], runs: Mapping[str, FloatArray]) -> Reach:
    """Say how far the rows lie beyond the runs: how many do, the farthest, and what else is far.

    Parameters
    ----------
    rows : str
        What the rows are, in the plural.
    places : mapping of str to array, shape (row,)
    runs : mapping of str to array, shape (run,)
        The runs' values under the same names, where they are known.

    Examples
    --------
    >>> reach("budgets", {"C": np.array([1e26])}, {"C": np.array([1e21, 1.3e22])}).notes[0].text
    'C 1e26 is 7,690 times the largest run (1.3e22): an extrapolation'
    """
    known = {name: values for name, values in places.items() if name in runs}
    if not known:
        return Reach()
    factors = np.stack([_factor(values, runs[name]) for name, values in known.items()])
    factor = np.max(factors, axis=0)
    far = int(np.sum(factor > FAR))
    if far == 0:
        return Reach()
    row = int(np.argmax(factor))
    said, elsewhere = [], []
    for (name, values), times in zip(known.items(), factors, strict=True):
        for above in (True, False):
            side = (values > np.max(runs[name])) == above
            there = np.flatnonzero((times > FAR) & side)
            if row in there:
                said.append(_distance(name, values[row : row + 1], runs[name]))
            elif len(there):
                elsewhere.append(_distance(name, values[there], runs[name]))
    count = f"{far} of {len(factor)} {rows} lie beyond the runs; the farthest: "
    others = f"; elsewhere {'; '.join(elsewhere)}" if elsewhere else ""
    whole = f"{count if len(factor) > 1 else ''}{'; '.join(said)}{others}: an extrapolation"
    code = "far_beyond_runs" if factor[row] > WAGER else "beyond_runs"
    return Reach(float(factor[row]), (Note(code, whole),))


def _factor(values: FloatArray, runs: FloatArray) -> FloatArray:
    """How many times a value is above the largest run or below the smallest; under 1 between."""
    factor = np.maximum(values / np.max(runs), np.min(runs) / values)
    return np.where(np.isfinite(values), factor, 0.0)


def _distance(name: str, values: FloatArray, runs: FloatArray) -> str:
    """How far values lie to one side of the runs."""
    above = bool(values[0] > np.max(runs))
    limit = float(np.max(runs) if above else np.min(runs))
    times = float(np.max(values) / limit if above else limit / np.min(values))
    factor = f"{float(f'{times:.3g}'):,g}" if times < 1e6 else engineering(times)
    end = "times the largest" if above else "times below the smallest"
    each = dict.fromkeys(quantity(name, float(value)) for value in values)
    verb = "is" if len(each) == 1 else "are up to"
    return f"{name} {listed(each)} {verb} {factor} {end} run ({quantity(name, limit)})"
