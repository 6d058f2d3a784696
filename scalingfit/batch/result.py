"""Many fits, by label: what `refit` returns."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Hashable, Iterator, Mapping, Sequence

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Message, OnlyIn
from scalingfit._text import listed
from scalingfit.allocation import Answer, Costs, Forecast, Frontier, Rule, forecast, frontier
from scalingfit.batch.answers import FEW, Answers, listed_of
from scalingfit.declare import Law
from scalingfit.inference import QUANTILES, Posterior, Verdict
from scalingfit.noise import Noise, alike
from scalingfit.result import Axes, Column, Interval, Labels, Note, Result, Table
from scalingfit.runs import Runs

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

    @functools.cached_property
    def law(self) -> Law:
        """The law's draws of all fits: leaves of shape (fit, chain, draw)."""
        return _stacked([fit.law for fit in self._of_one_model()])

    @functools.cached_property
    def noise(self) -> Noise:
        """The noise's draws of all fits: leaves of shape (fit, chain, draw)."""
        return _stacked(alike([fit.noise for fit in self._of_one_model()]))

    @property
    def draws(self) -> dict[str, NDArray[np.float64]]:
        """Draws of every parameter of law and noise, each (fit, chain, draw)."""
        draws = [fit.draws for fit in self._of_one_model()]
        names = dict.fromkeys(name for each in draws for name in each)
        none = np.zeros_like(next(iter(draws[0].values())))  # of runs that have no effects
        return {name: np.stack([each.get(name, none) for each in draws]) for name in names}

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
            self._pooled(), C, counting=counting, max_params=max_params,
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
        found = forecast(self._pooled(), counting=counting, seed=seed, costs=costs, **inputs)
        return Answers(self._cautioned(found))

    def spread(self) -> dict[str, dict[str, Interval]]:
        """How much each parameter differs from fit to fit, and within a fit.

        Returns
        -------
        dict
            ``{"alpha": {"across": Interval, "within": Interval}, ...}``: quantiles of the fits'
            posterior medians, and the medians of the fits' own quantiles.
        """
        table = {}
        for name, draws in self.draws.items():
            own = np.quantile(draws, [*QUANTILES.values()], axis=(1, 2))  # (quantile, fit)
            across = np.quantile(np.median(draws, axis=(1, 2)), [*QUANTILES.values()])
            table[name] = {
                "across": Interval(*across.tolist()),
                "within": Interval(*np.median(own, axis=1).tolist()),
            }
        return table

    @property
    def tables(self) -> Sequence[Table]:
        """Every table that was asked for, of which people get a few; and how the fits differ."""
        return (self._each(), self._spread())

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

    def _title(self) -> str:
        """What was fitted, in words."""
        names = dict.fromkeys(
            _named(self.models[label], fit.model.noise) for label, fit in self.fits.items()
        )
        return f"{'; '.join(names)}: median [5 %, 95 %]" if names else ""

    def _each(self) -> Table:
        """One row a table, unfitted ones included."""
        several, labels = len({*self.models.values()}) > 1, self.labels
        samplers = [
            self.fits[label].provenance["sampler"] if label in self.fits else {} for label in labels
        ]
        columns = {
            "fit": Column(labels, [*map(str, labels)]),
            "model": Column([*self.models.values()], hidden=not several),
            "status": Column([self._kind(label) for label in labels]),
            "why": Column([self._why(label) for label in labels], hidden=True),
            "rows": Column(
                [len(self.fits[label].runs) if label in self.fits else None for label in labels],
                hidden=True,
            ),
            **{
                key: Column([sampler.get(key) for sampler in samplers], hidden=True)
                for key in ("method", "attempts", "leapfrogs_per_draw")
            },
            **self._parameters(shown=not several),
        }
        limit = 0 if len(self.fits) > FEW else None
        return Table("fits", "fit", columns, self._title(), labels=1, limit=limit)

    def _parameters(self, *, shown: bool) -> dict[str, Column]:
        """A column for every parameter and statistic that any of the models has."""
        summaries = {label: fit.summary() for label, fit in self.fits.items()}
        names = dict.fromkeys(name for summary in summaries.values() for name in summary)
        rows = [summaries.get(label, {}) for label in self.models]
        columns = {}
        for name in names:
            found = [
                Interval(*(row[name][key] for key in QUANTILES)) if name in row else None
                for row in rows
            ]
            columns[name] = Column(found, [*map(_written, found)], hidden=not shown)
        for name in names:
            for key in ("mean", "sd", "ess_bulk", "ess_tail", "rhat"):
                values = [row[name][key] if name in row else None for row in rows]
                columns[f"{name}_{key}"] = Column(values, hidden=True)
        return columns

    def _spread(self) -> Table:
        """One row a parameter of each model that has several fits."""
        several = len({*self.models.values()}) > 1
        found = [
            (model, name, row["across"], row["within"])
            for model, part in self.by_model().items()
            if len(part.fits) > 1
            for name, row in part.spread().items()
        ]
        models, names, across, within = zip(*found, strict=True) if found else ((), (), (), ())
        columns = {
            "parameter": Column(names, heading=""),
            "model": Column(models, hidden=not several),
            "across": Column(across, [*map(_written, across)], "across fits"),
            "within": Column(within, [*map(_written, within)], "within a fit"),
        }
        title = self._title() if len(self.fits) > FEW else ""
        return Table("spread", "parameter", columns, title, labels=1)

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

    def _of_one_model(self) -> list[Posterior]:
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
        return list(self.fits.values())

    def _pooled(self) -> Pooled:
        """All fits as one posterior, for the solvers; only each by itself has runs."""
        return Pooled(
            law=self.law,
            noise=self.noise,
            runs=self._of_one_model()[0].runs,  # for what its columns are called
            provenance={"fits": len(self.fits), "noise": type(self.noise).name},
            fits=self.fits,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Pooled:
    """Many fits of one model as what is asked; leaves of shape (fit, chain, draw)."""

    law: Law
    noise: Noise
    runs: Runs
    provenance: Mapping[str, object]
    fits: Mapping[Hashable, Posterior]


def _stacked[Tree](items: Sequence[Tree]) -> Tree:
    stacked: Tree = jax.tree.map(lambda *leaves: np.stack(leaves), *items)
    return stacked


def _named(model: str, noise: type[Noise]) -> str:
    """A model by law and noise; its name has the noise where there are several."""
    return model if noise.name in model.split(", ") else f"{model}, {noise.name} noise"


def _written(found: Interval | None) -> str:
    """An interval with three digits; one number where a parameter is pinned."""
    if found is None:
        return "-"
    low, middle, high = (f"{end:.3g}" for end in found)
    return middle if low == high else f"{middle} [{low}, {high}]"
