"""Exact transformer FLOP: counting rules that know width, depth and context length.

6 N D leaves out attention, which costs more the longer the context and the narrower the model.
These rules count it for a family of shapes: models of one aspect ratio, or a list of shapes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar, Self, final, override

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit._arrays import Number
from scalingfit._errors import InputError
from scalingfit._text import engineering
from scalingfit.allocation.embedding import non_embedding
from scalingfit.allocation.flops import PerToken, named

__all__ = ["AspectRatio", "ListedShapes", "Shape", "attention_flops", "exact_flops"]


@final
@dataclasses.dataclass(frozen=True)
class Shape:
    """A decoder-only transformer whose heads together are as wide as the model.

    Parameters
    ----------
    width, depth, heads : float
        Model width, layers, attention heads; fractions are fine, as between two models.
    context : float
        Tokens per sequence.
    vocabulary : float
        Size of the vocabulary; the embedding is shared with the head and counted once.
    feedforward : float
        Width of the feed-forward layers over `width`.
    """

    width: Number
    depth: Number
    heads: Number
    context: Number
    vocabulary: Number
    feedforward: Number = 4.0

    @property
    def parameters(self) -> Number:
        """Parameters: attention, feed-forward and one embedding; norms and biases left out."""
        layer = (4.0 + 2.0 * self.feedforward) * self.width**2
        return self.depth * layer + self.vocabulary * self.width


def exact_flops(shape: Shape) -> Number:
    """Training FLOP per token, every matrix product counted.

    Hoffmann et al. 2022, arXiv 2203.15556, appendix F: embedding and head, and in each layer
    queries, keys, values, logits, softmax, reduction, projection and feed-forward; the backward
    pass costs twice the forward pass. (The ratios to 6 N D in the paper's table A4 follow only if
    embedding and head are left out, as with a vocabulary of 0 here.)

    Parameters
    ----------
    shape : Shape
        Its numbers may be arrays.

    Returns
    -------
    float or array
        FLOP per token, forward and backward.
    """
    width, context = shape.width, shape.context
    attention = 8.0 * width**2 + 4.0 * context * width + 3.0 * shape.heads * context
    layer = attention + 4.0 * shape.feedforward * width**2
    return 3.0 * (4.0 * shape.vocabulary * width + shape.depth * layer)


def attention_flops(shape: Shape) -> Number:
    """Training FLOP per token as 6 N plus causal attention, 6 context width depth.

    Porian et al. 2024, "Resolving Discrepancies in Compute-Optimal Scaling of Language Models",
    arXiv 2406.19146: a token attends to half of the context on average.

    Parameters
    ----------
    shape : Shape
        Its numbers may be arrays.

    Returns
    -------
    float or array
        FLOP per token, forward and backward.
    """
    return 6.0 * shape.parameters + 6.0 * shape.context * shape.width * shape.depth


Count = Callable[[Shape], Number]

KNOWN = {exact_flops: "every matrix product", attention_flops: "6 N plus causal attention"}


def _counted(count: Count) -> str:
    """What a count of shapes counts, by name."""
    what = f" ({KNOWN[count]})" if count in KNOWN else ""
    return f"{count.__name__ if what else named(count)}{what}"


@final
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class AspectRatio(PerToken):
    """Transformer FLOP for models that grow in width and depth together.

    N counts one embedding, like `Shape.parameters`. Between the shapes one could build, width and
    depth are fractions.

    Parameters
    ----------
    aspect : float
        Width over depth; Chinchilla's models have about 40 to 130.
    context, vocabulary : float
        Tokens per sequence; size of the vocabulary.
    head_width : float
        Width of an attention head.
    count : callable
        `exact_flops` or `attention_flops`.
    """

    name: ClassVar[str] = "aspect-ratio"
    aspect: float
    context: float
    vocabulary: float
    head_width: float = 128.0
    count: Count = dataclasses.field(default=exact_flops, metadata={"static": True})

    def shape(self, N: Number) -> Shape:
        """The shape of N parameters: 12 width^3 / aspect + vocabulary width = N."""
        # In units of 12 width^3 / aspect this is the embedding relation of `non_embedding`.
        omega = self.vocabulary * (self.aspect / 12.0) ** (1.0 / 3.0)
        width = (non_embedding(N, omega) * self.aspect / 12.0) ** (1.0 / 3.0)
        depth, heads = width / self.aspect, width / self.head_width
        return Shape(width, depth, heads, self.context, self.vocabulary)

    @override
    def per_token(self, N: Number) -> Number:
        return self.count(self.shape(N))

    @override
    def describe(self) -> str:
        return (
            f"C = {_counted(self.count)} times D, at width/depth {self.aspect:g}, context "
            f"{self.context:g}, vocabulary {self.vocabulary:g}, heads {self.head_width:g} wide"
        )

    @property
    @override
    def total(self) -> bool:
        return True


@final
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ListedShapes(PerToken):
    """Transformer FLOP for a list of shapes: build one with `ListedShapes.of`.

    What the exact count adds to 6 N is interpolated in log N, and kept beyond the ends of the list.

    Attributes
    ----------
    log_n : array, shape (shape,)
        Log parameters of the shapes, rising.
    ratio : array, shape (shape,)
        Their FLOP per token over 6 N.
    count : callable
        What counted them: `exact_flops`, `attention_flops` or a function of yours.
    """

    name: ClassVar[str] = "listed-shapes"
    log_n: NDArray[np.float64] | Array
    ratio: NDArray[np.float64] | Array
    count: Count = dataclasses.field(default=exact_flops, metadata={"static": True})

    @classmethod
    def of(cls, shapes: Sequence[Shape], count: Count = exact_flops) -> Self:
        """Make the rule from shapes, in any order.

        Raises
        ------
        InputError
            No shape, or two of the same size.
        """
        table = sorted((float(shape.parameters), float(count(shape))) for shape in shapes)
        N, cost = np.array(table).reshape(-1, 2).T
        if len(N) == 0 or np.any(np.diff(N) <= 0):
            raise InputError(
                f"{len(N)} shapes of {len(set(N))} different sizes do not give a count for each N",
                remedy="list at least one shape, and only one of each number of parameters.",
            )
        return cls(np.log(N), cost / (6.0 * N), count)

    @override
    def per_token(self, N: Number) -> Number:
        return 6.0 * N * jnp.interp(jnp.log(N), self.log_n, self.ratio)

    @override
    def describe(self) -> str:
        low, high = (engineering(float(np.exp(end))) for end in (self.log_n[0], self.log_n[-1]))
        return (
            f"C = {_counted(self.count)} times D, over {len(self.log_n)} listed shapes, N {low} to "
            f"{high}: {min(self.ratio):.3g} to {max(self.ratio):.3g} times 6 N D"
        )

    @property
    @override
    def total(self) -> bool:
        return True

    @override
    def caveats(self, N: Number) -> tuple[str, ...]:
        log_n = np.log(np.asarray(N, np.float64))
        inside = np.clip(log_n, self.log_n[0] - 1e-9, self.log_n[-1] + 1e-9)  # but for rounding
        beyond = int(np.sum(np.isfinite(log_n) & (log_n != inside)))
        if beyond == 0:
            return ()
        return (
            f"{beyond} of {log_n.size} sizes lie beyond the listed shapes: what the count adds to "
            "6 N D is taken from the nearest shape there",
        )
