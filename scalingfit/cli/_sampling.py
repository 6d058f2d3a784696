"""The arguments that every command that samples shares."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal, cast

from cyclopts import Parameter

if TYPE_CHECKING:
    from scalingfit.inference import Sampling as Options

__all__ = ["AS_USUAL", "Sampling"]


@Parameter(name="*", group="Sampling")
@dataclasses.dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes
    ----------
    draws
        Draws to keep from each chain: 1000 by default, 500 in `refit`.
    chains
        Independent chains: 4 by default.
    warmup
        Transitions in the first and the last adaptation window: 50 by default; the middle one is
        twice as long.
    retries
        Further attempts, with a longer warm-up and smaller steps, where diagnostics fail: by
        default 2, or 1 where one command makes several fits of one table.
    precision
        By default float64 on CPUs and float32 on accelerators.
    seed
        The same runs, model and seed give the same draws, and the same resamples.
    """

    draws: Annotated[int | None, Parameter(show_default=False)] = None
    chains: Annotated[int | None, Parameter(show_default=False)] = None
    warmup: Annotated[int | None, Parameter(show_default=False)] = None
    retries: Annotated[int | None, Parameter(show_default=False)] = None
    precision: Annotated[Literal["float64", "float32"] | None, Parameter(show_default=False)] = None
    seed: int = 0

    def options(self) -> Options:
        """What was asked for, as keywords of the library, which knows what is usual."""
        given = dataclasses.asdict(self)
        return cast("Options", {name: value for name, value in given.items() if value is not None})


AS_USUAL = Sampling()
