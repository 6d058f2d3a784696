"""Six FLOP per parameter and token."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, final, override

import jax

from scalingfit._arrays import Number
from scalingfit.allocation.flops import PerToken

__all__ = ["SixND"]


@final
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SixND(PerToken):
    """C = 6 N D: two FLOP per parameter forward, four backward.

    Kaplan et al. 2020, arXiv 2001.08361, section 2.1, where N leaves the embeddings out; Hoffmann
    et al. 2022, arXiv 2203.15556, where N counts them. Either way N is the N of the fit.
    """

    name: ClassVar[str] = "6ND"

    @override
    def per_token(self, N: Number) -> Number:
        return 6.0 * N

    @override
    def describe(self) -> str:
        return "C = 6 N D, with N as in the fit"
