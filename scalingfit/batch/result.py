"""Many fits, by label: what `refit` returns."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Message, OnlyIn
from scalingfit._text import listed
from scalingfit.allocation import Answer, Costs, Forecast, Frontier, Rule, forecast, frontier
from scalingfit.batch.answers import Answers, listed_of
from scalingfit.batch.pooled import Pooled, draws_of, spread_of
from scalingfit.batch.tables import Row, fits_table, spread_table
from scalingfit.declare import Law
from scalingfit.inference import Posterior, Verdict
from scalingfit.noise import Noise
from scalingfit.result import Axes, Interval, Labels, Note, Result, Table

__all__ = ["Refits"]

NAMED = 5
"""Fits of each status that notes name."""
METHODS = {"importance": "importance sampling", "nuts": "NUTS"}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Refits(Result):
    """What `refit` returns: ``print`` it for counts and spreads, or take a fit by its label.

    Attributes
    ----------
    models : mapping of label to str
        The law, and the noise where there are several, of every fit that was asked for, in the
        order of the tables.
    fits : mapping of label to Posterior
        Those that were made.
    unfitted : mapping of label to str
        Why each of the others was not: "refused: ..." where its table cannot be fitted, "lost: ..."
        where the worker that made it failed.
    caveats : tuple of Note
        What to know besides: a damaged store, lost fits, spreads that leave refused ones out.
    """

    models: Mapping[Hashable, str]
    fits: Mapping[Hashable, Posterior]
    unfitted: Mapping[Hashable, str]
    caveats: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.models)

    def __contains__(self, label: object) -> bool:
        return label in self.models

    def __getitem__(self, label: Hashable) -> Posterior:
        if label in self.unfitted:
            raise InputError(
                f"there is no posterior of {label!r}; {self.unfitted[label]}",
                remedy="ask for one of those in .fitted.",
            )
        if label not in self.fits:
            raise InputError(
                f"there is no fit {label!r}",
                [f"fits: {listed_of(self.labels)}"],
                remedy="name one of these.",
            )
        return self.fits[label]

    @property
    def labels(self) -> tuple[Hashable, ...]:
        """Of every table that was asked for."""
        return tuple(self.models)

    @property
    def fitted(self) -> tuple[Hashable, ...]:
        """Labels of the fits that were made: the axis `fit` of all arrays."""
        return tuple(self.fits)

    @property
    def statuses(self) -> dict[Hashable, str]:
        """By label: the status of the verdict, or why there is no fit."""
        return {
            label: self.fits[label].verdict.status if label in self.fits else self.unfitted[label]
            for label in self.models
        }

    @property
    def verdicts(self) -> dict[Hashable, Verdict]:
        """The verdicts of the fits that were made."""
        return {label: fit.verdict for label, fit in self.fits.items()}

    @property
    def ok(self) -> bool:
        """Whether every fit was made and nothing stands against using it."""
        return all(status == "ok" for status in self.statuses.values())

    @property
    def counts(self) -> dict[str, int]:
        """Fits by status; refused and lost ones under these words."""
        return dict(collections.Counter(self._kind(label) for label in self.models))

    @property
    def law(self) -> Law:
        """The law's draws of all fits: leaves of shape (fit, chain, draw)."""
        return self._pooled.law

    @property
    def noise(self) -> Noise:
        """The noise's draws of all fits: leaves of shape (fit, chain, draw)."""
        return self._pooled.noise

    @property
    def draws(self) -> dict[str, NDArray[np.float64]]:
        """Draws of every parameter of law and noise, each (fit, chain, draw)."""
        return draws_of([*self._of_one_model().values()])

    def by_model(self) -> dict[str, Refits]:
        """The fits of each law, or law and noise, that has any."""
        return {
            name: self.of(name) for name in dict.fromkeys(self.models[key] for key in self.fits)
        }

    def of(self, model: str) -> Refits:
        """The fits of one law (or law and noise) among several, under the tables' own labels."""
        names = set(self.models.values())
        if model not in names:
            raise InputError(
                f"there are no fits of {model!r}",
                [f"models: {listed_of(sorted(names))}"],
                remedy="name one of these.",
            )
        if len(names) == 1:
            return self
        # With several models, a label is the table's and the model's name.
        inner = {
            label: label[0]
            for label, name in self.models.items()
            if name == model and isinstance(label, tuple)
        }
        return Refits(
            models=dict.fromkeys(inner.values(), model),
            fits={inner[label]: fit for label, fit in self.fits.items() if label in inner},
            unfitted={inner[label]: why for label, why in self.unfitted.items() if label in inner},
            caveats=self.caveats,
        )

    def frontier(
        self,
        C: ArrayLike,
        *,
        counting: Rule = "6ND",
        max_params: float | None = None,
        inference_tokens: float | None = None,
        costs: Costs | None = None,
        **extras: ArrayLike,
    ) -> Answers[Frontier]:
        """Split budgets for every draw of every fit; see `scalingfit.allocation.frontier`."""
        found = frontier(
            self._pooled, C, counting=counting, max_params=max_params,
            inference_tokens=inference_tokens, costs=costs, **extras,
        )  # fmt: skip
        return Answers(self._cautioned(found))

    def forecast(
        self,
        *,
        counting: Rule = "6ND",
        seed: int = 0,
        costs: Costs | None = None,
        **inputs: ArrayLike,
    ) -> Answers[Forecast]:
        """Forecast losses by every draw of every fit; see `scalingfit.allocation.forecast`."""
        found = forecast(self._pooled, counting=counting, seed=seed, costs=costs, **inputs)
        return Answers(self._cautioned(found))

    def spread(self) -> dict[str, dict[str, Interval]]:
        """How much each parameter differs from fit to fit, and within a fit.

        Returns
        -------
        dict
            ``{"alpha": {"across": Interval, "within": Interval}, ...}``: quantiles of the fits'
            posterior medians, and the medians of the fits' own quantiles.
        """
        return spread_of(self.draws)

    @property
    def tables(self) -> Sequence[Table]:
        """Every table that was asked for, of which people get a few; and how the fits differ."""
        spreads = {
            name: part.spread() for name, part in self.by_model().items() if len(part.fits) > 1
        }
        return (fits_table(self._rows), spread_table(self._rows, spreads))

    @property
    def notes(self) -> Sequence[Note]:
        """The first fits of each status that is not ok, and what to know besides."""
        found: dict[str, list[Note]] = {}
        for label in self.models:
            kind = self._kind(label)
            text = f"{kind}: {self._why(label).splitlines()[0]}" if kind != "ok" else ""
            found.setdefault(kind, []).append(Note(kind.replace(" ", "_"), text, str(label)))
        found.pop("ok", None)
        notes = []
        for kind, every in found.items():
            notes += every[:NAMED]
            if rest := len(every) - NAMED if len(every) > NAMED else 0:
                notes.append(Note(every[0].code, f"{rest} more fits: {kind}"))
        return (*notes, *self.caveats)

    @property
    def conclusion(self) -> str:
        """How the fits came out, and how they were made."""
        counts = [f"{count} {status}" for status, count in self.counts.items()]
        made = collections.Counter(fit.provenance["method"] for fit in self.fits.values())
        ways = [f"{count} by {METHODS.get(name, name)}" for name, count in made.items()]
        return f"{len(self)} fits: {', '.join([*counts, *ways])}."

    @property
    def details(self) -> Mapping[str, object]:
        """How the fits came out."""
        return {"ok": self.ok, "counts": self.counts}

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Draws of every parameter; all fits are of one model."""
        return {name: Axes(("fit", "chain", "draw"), values) for name, values in self.draws.items()}

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The fits, and the status of each."""
        statuses = [fit.verdict.status for fit in self.fits.values()]
        return {"fit": Labels("fit", self.fitted), "status": Labels("fit", statuses)}

    def _kind(self, label: Hashable) -> str:
        """The status of a fit in a word or two."""
        status = self.statuses[label] if label in self.fits else self.unfitted[label]
        return status.partition(":")[0]

    def _why(self, label: Hashable) -> str:
        """What is said of a fit that is not ok; nothing of others."""
        if label in self.fits:
            return "; ".join(map(str, self.fits[label].verdict.notes))
        return self.unfitted[label].partition(": ")[2]

    @functools.cached_property
    def _rows(self) -> list[Row]:
        """What tables are made of."""
        return [
            Row(label, model, self._kind(label), self._why(label), self.fits.get(label))
            for label, model in self.models.items()
        ]

    def _cautioned[Kind: Answer](self, answer: Kind) -> Kind:
        """The answer, which says how many of its fits nobody should use."""
        lost = [label for label, fit in self.fits.items() if fit.verdict.status == "not converged"]
        if not lost:
            return answer
        text = (
            f"{len(lost)} of {len(self.fits)} fits did not converge and are in these numbers: "
            f"{listed(map(repr, lost))}"
        )
        return dataclasses.replace(answer, notes=(*answer.notes, Note("not_converged", text)))

    def _of_one_model(self) -> Mapping[Hashable, Posterior]:
        names = [*self.by_model()]
        if len(names) != 1:
            if not names:
                raise InputError("no fit was made", remedy="print the refits: they say why.")
            raise InputError(
                f"these are fits of {listed_of(names)}: their draws do not make one array",
                remedy=Message(
                    "choose one", OnlyIn("python", (f": refits.of({names[0]!r})",)), "."
                ),
            )
        return self.fits

    @functools.cached_property
    def _pooled(self) -> Pooled:
        """All fits as one posterior."""
        return Pooled.of(self._of_one_model())
