"""A law with its error: a law like any other, which the solver and all questions take."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from scalingfit.declare import Law
from scalingfit.law_error.draws import ErrorDraws

__all__ = ["law_with_error"]


def law_with_error(law: Law, error: ErrorDraws) -> Law:
    """Draws of a law, each times the exponential of its error, or plus its error.

    Parameters
    ----------
    law : Law
        Leaves of shape (chain, draw).
    error : ErrorDraws

    Returns
    -------
    Law
        Of a class derived from the law's, so that whatever asks a law for its inputs, its size or
        its loss can be given it. `exact` is the law without its error, and so are its parameters.
    """
    made: Any = _class_of(type(law))
    return made(**law.values(), error=error)  # type: ignore[no-any-return]


@functools.cache
def _class_of(exact: type[Law]) -> type[Law]:
    """The class of laws of one form with errors."""
    body: dict[str, Any] = {
        "__doc__": exact.__doc__,
        "__module__": exact.__module__,
        "__annotations__": {"error": ErrorDraws},
        "error": dataclasses.field(metadata={"carried": True}),
        "name": exact.name,
        "exact_class": exact,
    }
    if hasattr(exact, "critical_loss"):
        body["critical_loss"] = _critical_loss
    return type(f"{exact.__name__}WithError", (_WithError, exact), body)


class _WithError:
    """What laws with errors do otherwise than the laws that they extend."""

    exact_class: Any
    error: ErrorDraws
    values: Callable[[], dict[str, Any]]

    @classmethod
    def inputs(cls) -> tuple[str, ...]:
        return cls.exact_class.inputs()  # type: ignore[no-any-return]

    @property
    def exact(self) -> Any:
        return self.exact_class(**self.values())

    def expand(self, axes: int) -> Law:
        return law_with_error(self.exact.expand(axes), self.error.expand(axes))

    def take(self, places: Any) -> Law:
        return law_with_error(self.exact.take(places), self.error.take(places))

    def loss(self, *given: Any, **named: Any) -> Any:
        inputs = dict(zip(self.inputs(), given, strict=False)) | named
        return self.with_error(self.exact.loss(**inputs), _error_at(self, inputs))

    def with_error(self, loss: Any, error: Any) -> Any:
        """A loss of the law without its error, and with it."""
        return loss + error if self.error.additive else loss * jnp.exp(error)

    def error_in(self, loss: Any, exact: Any) -> Any:
        """The error by which a loss differs from the law's; the inverse of `with_error`."""
        return loss - exact if self.error.additive else jnp.log(loss / exact)


def _critical_loss(self: Any, N: Any, D: Any) -> Any:
    """The loss of D tokens at the batch size that is critical by the law without its error."""
    found = self.exact.critical_loss(N, D)
    batch = self.critical_batch(found)
    return self.with_error(found, _error_at(self, {"N": N, "S": D / batch, "batch": batch}))


def _error_at(law: Any, inputs: Mapping[str, Any]) -> Array:
    return law.error.at(*(inputs[name] for name in law.inputs()))  # type: ignore[no-any-return]
