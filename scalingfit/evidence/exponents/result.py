"""The outcome of `reconcile`: every stage's exponent by each method, beside what is published."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scalingfit._errors import InputError
from scalingfit._text import laid_out
from scalingfit.evidence.exponents.isoflop import Exponent
from scalingfit.evidence.exponents.profiles import Profiles
from scalingfit.inference import Posterior

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["METHODS", "Reconciliation", "Stage"]

METHODS = ("law", "isoflop", "envelope")


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """One stage of an experiment.

    Attributes
    ----------
    posterior : Posterior
        Of the law.
    exponents : mapping of str to Exponent or None
        By method: "law", "isoflop", "envelope"; None where the runs do not allow it.
    profiles : Profiles or None
    published : tuple of float
        Exponents to compare with.
    messages : tuple of str
    law_alone : bool
        Whether the posterior, of another stage's runs, is asked where this stage has none itself.
    """

    posterior: Posterior
    exponents: Mapping[str, Exponent | None]
    profiles: Profiles | None
    published: tuple[float, ...]
    messages: tuple[str, ...]
    law_alone: bool = False

    @property
    def runs(self) -> int:
        """How many runs the stage has; 0 where the law alone is asked."""
        return 0 if self.law_alone else len(self.posterior.runs)

    @property
    def missing(self) -> tuple[str, ...]:
        """The methods that the runs do not allow."""
        asked = METHODS[:1] if self.law_alone else METHODS
        return tuple(method for method in asked if self.exponents[method] is None)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reconciliation:
    """What `reconcile` returns: ``print`` it for the ladder of exponents.

    Attributes
    ----------
    stages : mapping of str to Stage
    """

    stages: Mapping[str, Stage]

    def probability(self, first: str, second: str, method: str = "isoflop") -> float:
        """Probability that the exponent of one stage is above that of another."""
        one, other = (self.stages[name].exponents[method] for name in (first, second))
        if one is None or other is None:
            raise InputError(f"{method} gives no exponent for one of {first!r} and {second!r}")
        return one.above(other)

    def summary(self) -> list[dict[str, Any]]:
        """One dictionary a stage, ready for JSON: the median and the 5 and 95 % quantiles of a."""
        rows: list[dict[str, Any]] = []
        for name, stage in self.stages.items():
            row: dict[str, Any] = {"stage": name, "runs": stage.runs}
            for method in METHODS:
                found = stage.exponents[method]
                if found is None:
                    row[method] = None
                else:
                    middle, low, high = found.interval()
                    row[method] = {"q5": low, "q50": middle, "q95": high}
            row |= {"published": list(stage.published), "verdict": stage.posterior.verdict.status}
            rows.append(row)
        return rows

    def to_pandas(self) -> pd.DataFrame:
        """The summary as a frame, columns such as ``isoflop_q50``; NaN where there is nothing."""
        import pandas as pd

        rows = []
        for row in self.summary():
            flat = {k: v for k, v in row.items() if k not in METHODS}
            for method in METHODS:
                flat |= {f"{method}_{q}": v for q, v in (row[method] or {}).items()}
            rows.append(flat)
        return pd.DataFrame(rows).set_index("stage")

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "stages": self.summary(),
            "messages": {name: list(stage.messages) for name, stage in self.stages.items()},
        }

    def __str__(self) -> str:
        head = ["a in N* ~ C^a", "runs", *METHODS, "published"]
        rows = [head]
        for row in self.summary():
            cells = [_interval(row[method]) for method in METHODS]
            published = ", ".join(f"{value:.3f}" for value in row["published"]) or "-"
            rows.append([row["stage"], str(row["runs"] or "law alone"), *cells, published])
        notes = [
            f"! {name}: {message}"
            for name, stage in self.stages.items()
            for message in stage.messages
        ]
        return "\n".join([*laid_out(rows), *notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _interval(row: Mapping[str, float] | None) -> str:
    if row is None:
        return "-"
    return f"{row['q50']:.3f} [{row['q5']:.3f}, {row['q95']:.3f}]"
