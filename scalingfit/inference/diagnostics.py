"""Whether draws can be trusted: convergence, effective sample sizes, energy, dead chains.

Definitions follow Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021 (Bayesian Analysis 16,
arXiv 1903.08008) and, for the energy, Betancourt 2016 (arXiv 1604.00695). All functions work on
arrays (..., chain, draw) so that thousands of fits are judged at once; ArviZ, which takes one
variable at a time, is the oracle in the tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import ndtri

__all__ = [
    "Diagnosis",
    "Limits",
    "diagnose",
    "e_bfmi",
    "ess",
    "ess_tail",
    "rhat",
    "settled",
    "to_rounding",
]

Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Relative scatter below which runs are exact: some powers of ten above the rounding of floats."""

AGREED = 1e-6
"""Relative range of a parameter's draws on an exact table."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a fit must reach; the defaults are Vehtari et al. 2021, sections 4 and 7.

    Attributes
    ----------
    rhat : float
        Largest rank-normalised split R-hat.
    ess : float
        Least bulk and tail effective sample size: 100 for each of four chains.
    energy : float
        Least E-BFMI.
    divergences : int
        Most divergent transitions.
    width : float
        Posterior sd of a log exponent over its prior sd, beyond which the runs have said nothing.
    """

    rhat: float = 1.01
    ess: float = 400.0
    energy: float = 0.3
    divergences: int = 0
    width: float = 0.9


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """Diagnostics of fits; parameters on the last axis where there are several.

    Attributes
    ----------
    rhat, ess_bulk, ess_tail : array, shape (..., parameter)
    e_bfmi : array, shape (..., chain)
    divergences, stuck : array of int, shape (...)
        Divergent transitions; chains whose energy is not finite or which never moved.
    """

    rhat: Floats
    ess_bulk: Floats
    ess_tail: Floats
    e_bfmi: Floats
    divergences: NDArray[np.int64]
    stuck: NDArray[np.int64]

    @classmethod
    def of_weights(cls, ess: float, parameters: int, chains: int) -> Diagnosis:
        """The diagnosis of independent importance draws: their effective sample size decides."""
        sizes = np.full(parameters, ess)
        none = np.zeros((), np.int64)
        return cls(np.ones(parameters), sizes, sizes, np.full(chains, 1.0), none, none)

    def of(self, fit: int) -> Diagnosis:
        """The diagnosis of one fit of many."""
        return Diagnosis(
            **{item.name: getattr(self, item.name)[fit] for item in dataclasses.fields(self)}
        )

    def as_lists(self) -> dict[str, object]:
        """The arrays by name, as JSON can hold them."""
        fields = dataclasses.fields(self)
        return {field.name: np.asarray(getattr(self, field.name)).tolist() for field in fields}

    def gathered(self, count: int) -> Diagnosis:
        """Of one fit: the parameters behind the first `count` as one, by the worst of them."""
        worst = {"rhat": np.max, "ess_bulk": np.min, "ess_tail": np.min}
        found = {name: getattr(self, name) for name in worst}
        return dataclasses.replace(
            self,
            **{
                name: np.append(values[:count], worst[name](values[count:]))
                for name, values in found.items()
            },
        )

    def reached(self, limits: Limits) -> dict[str, NDArray[np.bool_]]:
        """Whether each parameter, and each chain, reaches the limits; a NaN never does."""
        return {
            "rhat": self.rhat <= limits.rhat,
            "ess_bulk": self.ess_bulk >= limits.ess,
            "ess_tail": self.ess_tail >= limits.ess,
            "e_bfmi": self.e_bfmi >= limits.energy,
        }

    def passes(self, limits: Limits) -> NDArray[np.bool_]:
        """Which fits reach the limits; written so that a NaN never passes."""
        whole = (self.stuck == 0) & (self.divergences <= limits.divergences)
        parts = [np.all(good, axis=-1) for good in self.reached(limits).values()]
        return np.asarray(np.logical_and.reduce([whole, *parts]))


def diagnose(draws: Floats, energy: Floats, diverging: NDArray[np.bool_]) -> Diagnosis:
    """Judge fits by their draws.

    Parameters
    ----------
    draws : array, shape (..., parameter, chain, draw)
        Monotone transforms of a parameter give the same answer: everything goes by ranks.
    energy, diverging : array, shape (..., chain, draw)
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # chains that left for infinity
        moved = np.ptp(draws, axis=-1).max(axis=-2) > 0
        alive = moved & np.isfinite(energy).all(axis=-1) & np.isfinite(draws).all(axis=(-3, -1))
        return Diagnosis(
            rhat=rhat(draws),
            ess_bulk=ess(_normal_scores(_split(draws))),
            ess_tail=ess_tail(draws),
            e_bfmi=e_bfmi(energy),
            divergences=diverging.sum(axis=(-2, -1)),
            stuck=(~alive).sum(axis=-1),
        )


def settled(
    diagnosis: Diagnosis, draws: Mapping[str, Floats], parameters: Collection[str]
) -> Diagnosis:
    """The diagnosis of one fit; where runs follow its law to rounding, nothing is left to resolve.

    Parameters
    ----------
    diagnosis : Diagnosis
    draws : mapping of str to array, shape (chain, draw)
    parameters : collection of str
        Of the law.
    """
    if not to_rounding(draws, parameters):
        return diagnosis
    chains, kept = next(iter(draws.values())).shape
    return Diagnosis.of_weights(float(chains * kept), len(draws), chains)


def to_rounding(draws: Mapping[str, Floats], parameters: Collection[str]) -> bool:
    """Whether runs follow a law to rounding, so that neither draws nor intervals can be resolved.

    Log densities are summed in floating-point numbers; relative differences of losses below 1e-9
    drown in that, and chains cannot mix in the scatter. All that the runs can say of the law is
    then in the digits on which the draws agree.

    Parameters
    ----------
    draws : mapping of str to array, shape (chain, draw)
    parameters : collection of str
        Of the law.
    """
    if "sigma" not in draws or not np.quantile(draws["sigma"], 0.95) < ROUNDING:
        return False
    return all(
        np.ptp(draws[name]) <= AGREED * np.abs(draws[name]).max()
        for name in parameters
        if name in draws
    )


def rhat(draws: Floats) -> Floats:
    """Rank-normalised split R-hat, the larger of bulk and folded; (..., chain, draw) -> (...)."""
    halves = _split(draws)
    folded = np.abs(halves - np.median(halves, axis=(-2, -1), keepdims=True))
    return np.maximum(_basic_rhat(_normal_scores(halves)), _basic_rhat(_normal_scores(folded)))


def ess_tail(draws: Floats) -> Floats:
    """The smaller effective sample size of the 5 % and the 95 % quantile."""
    halves = _split(draws)
    low, high = np.quantile(draws, [0.05, 0.95], axis=(-2, -1))
    below = [np.where(halves <= bound[..., None, None], 1.0, 0.0) for bound in (low, high)]
    return np.minimum(ess(below[0]), ess(below[1]))


def ess(halves: Floats) -> Floats:
    """Effective sample size by Geyer's initial monotone sequence; (..., chain, draw) -> (...)."""
    chains, draws = halves.shape[-2:]
    covariance = _autocovariance(halves)
    within = covariance[..., 0].mean(axis=-1) * draws / (draws - 1)
    between = halves.mean(axis=-1).var(axis=-1, ddof=1) if chains > 1 else 0.0
    total = within * (draws - 1) / draws + between
    correlation = 1 - (within[..., None] - covariance.mean(axis=-2)) / total[..., None]
    correlation[..., 0] = 1.0
    count = (draws - 1) // 2  # pairs of lags that are looked at
    even, odd = correlation[..., : 2 * count : 2], correlation[..., 1 : 2 * count : 2]
    positive = np.logical_and.accumulate(even + odd > 0, axis=-1)
    positive[..., -1] = False
    monotone = np.minimum.accumulate(np.where(positive, even + odd, 0.0), axis=-1)
    # Geyer's sum, plus the even term of the first pair left out where that is positive.
    last = positive.sum(axis=-1, keepdims=True)
    edge = np.take_along_axis(even, last, axis=-1)[..., 0]
    time = -1 + 2 * monotone.sum(axis=-1) + np.maximum(edge, 0.0)
    size = chains * draws
    return np.asarray(size / np.maximum(time, 1 / np.log10(size)))


def e_bfmi(energy: Floats) -> Floats:
    """Energy Bayesian fraction of missing information of each chain, (..., draw) -> (...)."""
    change = np.diff(energy, axis=-1)
    return np.asarray(np.mean(change**2, axis=-1) / np.var(energy, axis=-1, ddof=1))


def _split(draws: Floats) -> Floats:
    """Halve every chain: (..., chain, draw) -> (..., 2 * chain, draw // 2)."""
    half = draws.shape[-1] // 2
    return np.concatenate([draws[..., :half], draws[..., -half:]], axis=-2)


def _normal_scores(draws: Floats) -> Floats:
    flat = draws.reshape(*draws.shape[:-2], -1)
    ranks = _ranks(flat)
    return np.asarray(ndtri((ranks - 0.375) / (flat.shape[-1] + 0.25))).reshape(draws.shape)


def _ranks(flat: Floats) -> Floats:
    """Ranks from one along the last axis, ties sharing the mean; much faster than SciPy's."""
    order = np.argsort(flat, axis=-1)
    ordered = np.take_along_axis(flat, order, axis=-1)
    place = np.arange(flat.shape[-1])
    new = np.diff(ordered, axis=-1, prepend=np.nan) != 0
    first = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    ends = np.concatenate([new[..., 1:], np.ones_like(new[..., :1])], axis=-1)
    last = np.minimum.accumulate(np.where(ends, place, place[-1])[..., ::-1], axis=-1)[..., ::-1]
    ranks = np.empty(flat.shape)
    np.put_along_axis(ranks, order, 0.5 * (first + last) + 1, axis=-1)
    return np.where(np.isnan(flat), np.nan, ranks)


def _basic_rhat(halves: Floats) -> Floats:
    draws = halves.shape[-1]
    within = halves.var(axis=-1, ddof=1).mean(axis=-1)
    between = draws * halves.mean(axis=-1).var(axis=-1, ddof=1)
    return np.asarray(np.sqrt((between / within + draws - 1) / draws))


def _autocovariance(draws: Floats) -> Floats:
    size = draws.shape[-1]
    padded = next_fast_len(2 * size, real=True)
    spectrum = rfft(draws - draws.mean(axis=-1, keepdims=True), n=padded, axis=-1)
    return np.asarray(irfft(np.abs(spectrum) ** 2, n=padded, axis=-1)[..., :size] / size)
