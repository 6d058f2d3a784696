"""Many fits, by label: what `refit` returns."""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, overload

import jax
import numpy as np
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._text import listed
from scalingfit.allocation import Answer, Forecast, Frontier, forecast, frontier
from scalingfit.batch.answers import FEW, Answers, listed_of
from scalingfit.batch.words import each_fit, methods, spread, troubles
from scalingfit.declare import Law
from scalingfit.inference import QUANTILES, Posterior, Verdict
from scalingfit.noise import Noise

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Refits"]

type Labels = tuple[Any, ...]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Refits:
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
    messages : tuple of str
        What to know besides: a damaged store, lost fits, spreads that leave refused ones out.
    """

    models: Mapping[Any, str]
    fits: Mapping[Any, Posterior]
    unfitted: Mapping[Any, str]
    messages: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.models)

    def __contains__(self, label: object) -> bool:
        return label in self.models

    def __getitem__(self, label: Any) -> Posterior:
        if label in self.unfitted:
            raise InputError(f"there is no posterior of {label!r}; {self.unfitted[label]}")
        if label not in self.fits:
            raise InputError(f"there is no fit {label!r}: there are {listed_of(self.labels)}")
        return self.fits[label]

    @property
    def labels(self) -> Labels:
        """Of every table that was asked for."""
        return tuple(self.models)

    @property
    def fitted(self) -> Labels:
        """Labels of the fits that were made: the axis `fit` of all arrays."""
        return tuple(self.fits)

    @property
    def statuses(self) -> dict[Any, str]:
        """By label: the status of the verdict, or why there is no fit."""
        return {
            label: self.fits[label].verdict.status if label in self.fits else self.unfitted[label]
            for label in self.models
        }

    @property
    def verdicts(self) -> dict[Any, Verdict]:
        """The verdicts of the fits that were made."""
        return {label: fit.verdict for label, fit in self.fits.items()}

    @property
    def ok(self) -> bool:
        """Whether every fit was made and nothing stands against using it."""
        return all(status == "ok" for status in self.statuses.values())

    @property
    def counts(self) -> dict[str, int]:
        """Fits by status; refused and lost ones under these words."""
        return dict(
            collections.Counter(
                status if label in self.fits else status.partition(":")[0]
                for label, status in self.statuses.items()
            )
        )

    @functools.cached_property
    def law(self) -> Law:
        """The law's draws of all fits: leaves of shape (fit, chain, draw)."""
        stacked: Law = _stacked([fit.law for fit in self._of_one_model()])
        return stacked

    @functools.cached_property
    def noise(self) -> Noise:
        """The noise's draws of all fits: leaves of shape (fit, chain, draw)."""
        stacked: Noise = _stacked([fit.noise for fit in self._of_one_model()])
        return stacked

    @property
    def draws(self) -> dict[str, NDArray[np.float64]]:
        """Draws of every parameter of law and noise, each (fit, chain, draw)."""
        fits = self._of_one_model()
        return {name: np.stack([fit.draws[name] for fit in fits]) for name in fits[0].draws}

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
                f"there are no fits of {model!r}: there are {listed_of(sorted(names))}"
            )
        if len(names) == 1:
            return self
        inner = {label: label[0] for label, name in self.models.items() if name == model}
        return Refits(
            models=dict.fromkeys(inner.values(), model),
            fits={inner[label]: fit for label, fit in self.fits.items() if label in inner},
            unfitted={inner[label]: why for label, why in self.unfitted.items() if label in inner},
            messages=self.messages,
        )

    def frontier(self, C: Any, **options: Any) -> Answers[Frontier]:
        """Split budgets for every draw of every fit; see `scalingfit.allocation.frontier`."""
        return Answers(self._cautioned(frontier(self._asked(), C, **options)))

    def forecast(self, **inputs: Any) -> Answers[Forecast]:
        """Forecast losses by every draw of every fit; see `scalingfit.allocation.forecast`."""
        return Answers(self._cautioned(forecast(self._asked(), **inputs)))

    def spread(self) -> dict[str, dict[str, dict[str, float]]]:
        """How much each parameter differs from fit to fit, and within a fit.

        Returns
        -------
        dict
            ``{"alpha": {"across": {"q5", "q50", "q95"}, "within": {...}}, ...}``: quantiles of the
            fits' posterior medians, and the medians of the fits' own quantiles.
        """
        table = {}
        for name, draws in self.draws.items():
            own = np.quantile(draws, [*QUANTILES.values()], axis=(1, 2))  # (quantile, fit)
            across = np.quantile(np.median(draws, axis=(1, 2)), [*QUANTILES.values()])
            table[name] = {
                "across": dict(zip(QUANTILES, across.tolist(), strict=True)),
                "within": dict(zip(QUANTILES, np.median(own, axis=1).tolist(), strict=True)),
            }
        return table

    def summary(self) -> list[dict[str, Any]]:
        """One dictionary per table that was asked for, unfitted ones included.

        Returns
        -------
        list of dict
            ``{"fit", "model", "status", "messages", "rows", "method", "attempts",
            "leapfrogs_per_draw", "parameters"}``, the last as in `Posterior.summary`; where there
            is no fit, only the first three.
        """
        rows = []
        for label, status in self.statuses.items():
            row: dict[str, Any] = {"fit": label, "model": self.models[label], "status": status}
            if label in self.fits:
                fit = self.fits[label]
                sampler = fit.provenance["sampler"]
                row |= {
                    "messages": list(fit.verdict.messages),
                    "rows": len(fit.runs),
                    "method": sampler.get("method"),
                    "attempts": sampler.get("attempts"),
                    "leapfrogs_per_draw": sampler.get("leapfrogs_per_draw"),
                    "parameters": fit.summary(),
                }
            rows.append(row)
        return rows

    def to_pandas(self) -> pd.DataFrame:
        """The summary as a frame, one row per table; columns such as ``alpha_mean, alpha_sd``."""
        import pandas as pd

        flat = []
        for row in self.summary():
            parameters = row.pop("parameters", {})
            row["messages"] = "; ".join(row.get("messages", ()))
            flat.append(
                row
                | {f"{n}_{key}": v for n, given in parameters.items() for key, v in given.items()}
            )
        return pd.DataFrame(flat)

    def to_xarray(self) -> xr.Dataset:
        """Draws of every parameter with the coordinates fit, chain and draw.

        Labels that are no texts or numbers become texts. The attributes name law and noise, and
        why tables are missing.
        """
        import xarray as xr

        plain = all(isinstance(label, str | int | float) for label in self.fitted)
        chains, draws = next(iter(self.draws.values())).shape[1:]
        statuses = [fit.verdict.status for fit in self.fits.values()]
        return xr.Dataset(
            {name: (("fit", "chain", "draw"), values) for name, values in self.draws.items()},
            coords={
                "fit": list(self.fitted) if plain else list(map(str, self.fitted)),
                "chain": np.arange(chains),
                "draw": np.arange(draws),
                "status": ("fit", statuses),
            },
            attrs={
                "law": type(self.law).name,
                "noise": type(self.noise).name,
                "unfitted": json.dumps({str(label): why for label, why in self.unfitted.items()}),
            },
        )

    def as_json(self) -> dict[str, Any]:
        """All but the draws, as the command line prints it with ``--json``."""
        return {
            "ok": self.ok,
            "counts": self.counts,
            "spread": {name: part.spread() for name, part in self.by_model().items()},
            "fits": self.summary(),
            "messages": list(self.messages),
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        lines = [f"{len(self)} fits: {counts}", *methods(self.fits)]
        for name, part in self.by_model().items():
            noise = type(part.noise).name
            title = name if noise in name.split(", ") else f"{name}, {noise} noise"
            lines += ["", f"{title}: median [5 %, 95 %]"]
            lines += each_fit(part.fits) if len(part.fits) <= FEW else []
            lines += spread(part.spread()) if len(part.fits) > 1 else []
        lines += troubles(self.fits, self.statuses)
        return "\n".join([*lines, *(f"! {message}" for message in self.messages)])

    __repr__ = __str__

    def _cautioned[Kind: Answer](self, answer: Kind) -> Kind:
        """The answer, which says how many of its fits nobody should use."""
        lost = [label for label, fit in self.fits.items() if fit.verdict.status == "not converged"]
        if not lost:
            return answer
        said = (
            f"{len(lost)} of {len(self.fits)} fits did not converge and are in these numbers: "
            f"{listed(map(repr, lost))}"
        )
        return dataclasses.replace(answer, messages=(*answer.messages, said))

    def _of_one_model(self) -> list[Posterior]:
        names = [*self.by_model()]
        if len(names) != 1:
            if not names:
                raise InputError("no fit was made", remedy="print the refits: they say why.")
            raise InputError(
                f"these are fits of {listed_of(names)}: their draws are no one array",
                remedy=f"choose one: .of({names[0]!r}).",
            )
        return list(self.fits.values())

    def _asked(self) -> Any:
        """All fits as one posterior, for the solvers; only each by itself has runs."""
        return SimpleNamespace(
            law=self.law,
            noise=self.noise,
            runs=self._of_one_model()[0].runs,  # for what its columns are called
            provenance={"fits": len(self.fits), "noise": type(self.noise).name},
            fits=self.fits,
        )


@overload
def _stacked(items: list[Law]) -> Law: ...
@overload
def _stacked(items: list[Noise]) -> Noise: ...
def _stacked(items: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *items)
