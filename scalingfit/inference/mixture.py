"""Fits of a law that may be exact or not: draws with an error and without, by their evidences.

The prior of the error's scale has a point mass at zero, so the posterior is a mixture of two: of
the exact law and of the law with an error, in proportion to their marginal likelihoods.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any, override

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, logsumexp

from scalingfit.inference.bridge import Evidence
from scalingfit.inference.build import model_of, plain_model, without_error
from scalingfit.inference.diagnostics import Diagnosis, diagnose, to_rounding
from scalingfit.inference.group import Draws, Group
from scalingfit.inference.mode import Whitening
from scalingfit.inference.model import Model
from scalingfit.inference.programs import landmarks_of
from scalingfit.inference.schedule import SampledChains, compile_ahead
from scalingfit.inference.settings import Settings
from scalingfit.runs import Runs

__all__ = ["Mixture", "group_of"]

NEGLIGIBLE = 30.0
"""Nats by which the exact law is behind, by its Laplace approximation, where it is left out; such
an approximation is some nats off, and one draw in 4000 is eight nats."""

RARE = 0.01
"""Share of the draws below which a part of the mixture need not have converged."""

ACCEPTANCE = 0.7
"""Of laws with an error: in many dimensions a higher one doubles the leapfrogs for little."""

Floats = NDArray[np.float64]


def group_of(
    model: Model, tables: Sequence[Runs], settings: Settings, attempt: int
) -> Group | Mixture:
    """The fits of one program; whether runs have effects, the first of the tables tells."""
    kind = Group if model.error is None else Mixture
    return kind(model_of(model, tables[0]), tables, settings, attempt)


class _OpenGroup(Group):
    """As its base, of a law with an error or runs with effects: sought from the mode without.

    An error may have several modes, so further attempts also draw more and keep a part.
    """

    def __init__(self, model: Model, settings: Settings, exact: Group) -> None:
        self.exact, self.thin = exact, 4**exact.attempt
        acceptance = 1 - (1 - ACCEPTANCE) / 2**exact.attempt
        more = dataclasses.replace(
            settings, acceptance=acceptance, draws=self.thin * settings.draws
        )
        super().__init__(model, exact.tables[: exact.count], more, exact.attempt)

    @property
    @override
    def elsewhere(self) -> tuple[Floats, Floats]:
        """What the law by itself has at other modes than the highest."""
        return self.exact.elsewhere

    @functools.cached_property
    @override
    def white(self) -> Whitening:
        """Coordinates in which each posterior is close to a standard normal."""
        found: Whitening = self.programs.whiten_error(self.exact.white.mode, self.data)
        return found

    @override
    def compile_ahead(self, by_weights: bool) -> None:
        """Compile, beside another thread that whitens, what comes next."""
        real = np.dtype(self.settings.precision)
        fits, dim = len(self.generators), self.model.dim
        nowhere = Whitening.nowhere(fits, dim, real, self.data.sizes)
        compile_ahead(self.model, self.data, nowhere, self.settings.chains)

    @functools.cached_property
    @override
    def chains(self) -> SampledChains:
        """What the chains of NUTS leave behind, thinned."""
        found = super().chains
        return dataclasses.replace(found, rows=found.rows[:, :, self.thin - 1 :: self.thin])

    @override
    def by_nuts(self) -> list[Draws]:
        """Sample by NUTS, error and effects with the parameters."""
        made = self.chains
        rows = made.rows[..., : made.white.dim]
        found = self.programs.values(made.white, rows, self.data)
        return [self._with_parts(fit, draws, found) for fit, draws in enumerate(super().by_nuts())]

    def _with_parts(self, fit: int, draws: Draws, found: Mapping[str, Any]) -> Draws:
        """Draws with the errors at landmarks, and with the runs' effects."""
        runs = self.tables[fit].used()
        if self.model.run_effects and (numbers := runs.run_numbers) is not None:
            effects = np.asarray(found["run_effect"][fit], np.float64)
            draws = dataclasses.replace(draws, effects=effects[..., : numbers.max() + 1])
        if self.model.error is not None:
            known = landmarks_of(self.model, runs)
            coefficients = np.asarray(found["law_error"][fit], np.float64)
            errors = coefficients[..., : len(known.own)] @ known.own.T
            draws = dataclasses.replace(draws, errors=errors, landmarks=known.places)
        diagnosis = diagnose(_series(draws), draws.energy, draws.diverging)
        return dataclasses.replace(draws, diagnosis=diagnosis.gathered(len(draws.values)))


class Mixture:
    """The tables of one program, each fitted with the law's error and without."""

    def __init__(
        self, model: Model, tables: Sequence[Runs], settings: Settings, attempt: int
    ) -> None:
        assert model.error is not None  # see `group_of`
        self.prior = model.error.exact
        self.exact = Group(plain_model(model), tables, settings, attempt)
        if model.run_effects:
            self.exact = _OpenGroup(without_error(model), settings, self.exact)
        self.error = _OpenGroup(model, settings, self.exact)

    @property
    def stopped(self) -> threading.Event:
        """Another thread may set it to end the chains."""
        return self.exact.stopped

    @stopped.setter
    def stopped(self, event: threading.Event) -> None:
        self.exact.stopped = self.error.stopped = event

    @property
    def white(self) -> tuple[Whitening, Whitening]:
        """Coordinates of the exact law's posteriors, and of those with an error."""
        return self.exact.white, self.error.white

    def compile_ahead(self, by_weights: bool) -> None:
        """Compile, beside another thread that whitens, what comes next."""
        self.error.compile_ahead(by_weights)

    def by_nuts(self) -> list[Draws]:
        """Sample by NUTS, both with the error and without, and mix the draws.

        Where the exact law is far behind, it is not sampled; and where the method allows of it, by
        importance.
        """
        error, alone = self._sampled(self.error), self._behind() > NEGLIGIBLE
        exact = error if np.all(alone) else self._exactly(alone)
        generators = [generator.spawn(1)[0] for generator in self.error.generators]
        sites = self.exact.model.law.parameters()
        made = []
        for other, draws, certain, generator in zip(exact, error, alone, generators, strict=False):
            if certain:
                made.append(_certain(draws, self.prior))
            elif to_rounding(other.values, sites):
                made.append(_exact(other, draws))
            else:
                made.append(_mixed(other, draws, self.prior, generator))
        return made

    def _exactly(self, alone: NDArray[np.bool_]) -> list[Draws]:
        """Draws of the exact laws, but for those that are far behind."""
        settings = self.exact.settings
        if settings.method != "auto" or self.exact.model.run_effects:  # too many to be weighed
            return self._sampled(self.exact)
        weighted = self.exact.by_importance()
        fine = [bool(one.diagnosis.passes(settings.limits)) for one in weighted]
        if np.all(alone | fine):
            return weighted
        return [
            one if good else other
            for one, good, other in zip(weighted, fine, self._sampled(self.exact), strict=True)
        ]

    def _sampled(self, group: Group) -> list[Draws]:
        pairs = zip(group.by_nuts(), group.evidence(), strict=True)
        return [dataclasses.replace(draws, evidence=evidence) for draws, evidence in pairs]

    def _behind(self) -> Floats:
        """By how many nats each exact law is behind, by Laplace's approximation."""
        exact, error = (
            np.asarray(white.log_density, np.float64)
            + np.linalg.slogdet(np.asarray(white.factor, np.float64))[1]
            + 0.5 * white.dim * np.log(2 * np.pi)
            for white in self.white
        )
        behind: Floats = error - exact - logit(self.prior)
        return behind[: self.exact.count]


def _certain(error: Draws, prior: float) -> Draws:
    """Draws of a mixture to which the exact law contributes nothing."""
    assert error.evidence is not None
    evidence = Evidence(error.evidence.log + np.log1p(-prior), error.evidence.error)
    return dataclasses.replace(error, evidence=evidence, record=error.record | {"exact": 0.0})


def _exact(exact: Draws, error: Draws) -> Draws:
    """Draws of the exact law alone, where runs follow it to rounding.

    Nothing is then left for an error, and evidences cannot be bridged.
    """
    assert error.errors is not None
    chains, draws = exact.energy.shape
    values = {name: exact.values.get(name, np.zeros((chains, draws))) for name in error.values}
    return dataclasses.replace(
        exact,
        values=values,
        diagnosis=Diagnosis.of_weights(float(chains * draws), len(values) + 1, chains),
        errors=np.zeros_like(error.errors),
        landmarks=error.landmarks,
        evidence=Evidence(np.nan, np.nan),
        record=exact.record | {"exact": 1.0},
    )


def _mixed(exact: Draws, error: Draws, prior: float, rng: np.random.Generator) -> Draws:
    """Draws of the mixture: in every chain the same number of each part, at random places.

    Chains keep their order, so that diagnostics see how each part moves.
    """
    assert exact.evidence is not None
    assert error.evidence is not None
    assert error.errors is not None
    logs = np.add(np.log([prior, 1 - prior]), [exact.evidence.log, error.evidence.log])
    shares = np.exp(logs - logsumexp(logs))
    chains, draws = error.energy.shape
    count = 0 if np.isnan(shares[0]) else round(shares[0] * draws)
    chosen = rng.permuted(np.tile(np.arange(draws) < count, (chains, 1)), axis=1)

    def mix(name: str) -> Any:
        one, other = getattr(exact, name), getattr(error, name)
        if other is None:
            return None
        return np.where(chosen.reshape(*chosen.shape, *[1] * (other.ndim - 2)), one, other)

    mixed = dataclasses.replace(
        error,
        values={
            name: np.where(chosen, exact.values.get(name, 0.0), values)
            for name, values in error.values.items()
        },
        log_density=mix("log_density"),
        energy=mix("energy"),
        acceptance=mix("acceptance"),
        leapfrogs=mix("leapfrogs"),
        diverging=mix("diverging"),
        errors=np.where(chosen[..., None], 0.0, error.errors),
        effects=mix("effects"),
        evidence=Evidence(
            log=float(logsumexp(logs)),
            error=float(np.hypot(*shares * [exact.evidence.error, error.evidence.error])),
        ),
        record=error.record | {"exact": float(shares[0])},
    )
    parts = zip(shares, (exact.diagnosis, error.diagnosis), strict=True)
    used = [diagnosis for share, diagnosis in parts if not share <= RARE]
    return dataclasses.replace(mixed, diagnosis=_diagnosed(mixed, used))


def _series(draws: Draws) -> Floats:
    """All that a fit is judged by, (series, chain, draw), the parameters first."""
    parts = [part for part in (draws.errors, draws.effects) if part is not None]
    return np.stack(
        [*draws.values.values(), *(each for part in parts for each in np.moveaxis(part, -1, 0))]
    )


def _diagnosed(mixed: Draws, parts: Sequence[Diagnosis]) -> Diagnosis:
    """Of the mixture, and of its parts where that is worse: mixing hides what ails them."""
    series = _series(mixed)
    sites, size = len(mixed.values), float(mixed.energy.size)
    found = diagnose(series, mixed.energy, mixed.diverging)
    still = np.ptp(series, axis=(1, 2)) == 0  # an error that no draw has
    found = dataclasses.replace(
        found,
        rhat=np.where(still, 1.0, found.rhat),
        ess_bulk=np.where(still, size, found.ess_bulk),
        ess_tail=np.where(still, size, found.ess_tail),
    ).gathered(sites)
    rhat = found.rhat.copy()
    for part in parts:  # the exact law's has no scale of an error
        both = sites - 1
        rhat[:both] = np.maximum(rhat[:both], part.rhat[:both])
        rhat[both:] = np.maximum(rhat[both:], part.rhat[both:].max(initial=1.0))
    return dataclasses.replace(
        found,
        rhat=rhat,
        e_bfmi=np.stack([part.e_bfmi for part in parts]).min(axis=0),
        stuck=np.stack([part.stuck for part in parts]).max(axis=0),
    )
