"""The loss at chosen inputs: of the law, and of a new run that scatters about it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scalingfit._arguments import numbers, unknown_inputs
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message, joined
from scalingfit.allocation.answer import Answer, FloatArray
from scalingfit.allocation.costs import Costs, priced
from scalingfit.allocation.flops import Counting
from scalingfit.allocation.question import Asked, Subject, answered, by_fit, cost, reach, subject
from scalingfit.allocation.rules.six_nd import SixND
from scalingfit.allocation.terms import Rule, terms
from scalingfit.declare import Law, loss_of_logs
from scalingfit.noise import Noise
from scalingfit.result import Note

__all__ = ["Forecast", "forecast"]


@final
class Forecast(Answer):
    """The loss at each point: ``print`` it, or read the draws.

    ``asked`` has the inputs; ``draws`` has ``mean``, the law's loss, and ``new_run``, the loss of
    one further run with its noise (absent for a law by itself, which has none).
    """

    title: ClassVar[str] = "Forecast of the loss: median [5 %, 95 %]"
    name: ClassVar[str] = "points"
    row: ClassVar[str] = "point"

    @property
    def mean(self) -> FloatArray:
        """The law's loss, shape ``(chain, draw, point)``."""
        return self.draws["mean"]

    @property
    def new_run(self) -> FloatArray:
        """The loss of a new run, shape ``(chain, draw, point)``.

        Raises
        ------
        InputError
            A law by itself was asked, which says nothing of the noise.
        """
        if "new_run" not in self.draws:
            raise InputError(
                "a law by itself has no noise, so the scatter of a new run is unknown",
                remedy="read mean, or forecast from a posterior.",
            )
        return self.draws["new_run"]


def forecast(
    posterior: Asked,
    *,
    counting: Rule = "6ND",
    seed: int = 0,
    costs: Costs | None = None,
    **inputs: ArrayLike,
) -> Forecast:
    """Forecast the loss at points given by the law's inputs.

    Parameters
    ----------
    posterior : Posterior or Law
        What ``fit`` returned, or a law with values such as a published point.
    counting : str, Counting or callable
        The rule that completes D from N and C, or C from N and D, where the law needs it.
    seed : int
        Seed of the new runs' noise.
    costs : Costs, optional
        What compute costs; runs of N parameters and D tokens are then priced.
    **inputs : float or array
        The law's inputs by name; scalars and arrays are broadcast against each other.

    Returns
    -------
    Forecast
        One point per broadcast element, in C order.

    Raises
    ------
    InputError
        An input is missing, unknown, not positive, or of a length that does not match the rest.
    """
    asked = subject(posterior)
    stated = terms(counting, asked=asked)
    points, derived = _complete(type(asked.law), _broadcast(inputs), stated.rule)
    with jax.enable_x64(True):
        inputs_of = {name: points[name] for name in asked.law.inputs()}
        mean = by_fit(asked, lambda law: np.asarray(_mean(law, inputs_of)))
        draws = {"mean": mean}
        if asked.noise is not None:
            logs = {name: np.log(points[name]) for name in asked.law.inputs()}
            key = jax.random.key(seed)
            draws["new_run"] = np.asarray(_new_run(asked.law.exact, asked.noise, logs, mean, key))

    def answer(asked: Subject, draws: dict[str, FloatArray]) -> Forecast:
        places = _places(points, stated.training)
        far = reach("points", places, asked.counted(stated.training))
        return Forecast(
            asked=points | priced(costs, places["C"]) if "C" in places else points,
            draws=draws,
            notes=(
                *derived,
                *(stated.caveats(asked, points["N"]) if "N" in points else ()),
                *far.notes,
            ),
            provenance=stated.record(asked, {}) | {"seed": seed},
            reach=far,
        )

    return answered(asked, draws, answer)


@jax.jit
def _mean(law: Law, points: Mapping[str, Any]) -> jax.Array:
    return jnp.asarray(law.expand(1).loss(**points))


@jax.jit
def _new_run(
    law: Law, noise: Noise, log_inputs: Mapping[str, Any], mean: jax.Array, key: jax.Array
) -> jax.Array:
    wide = noise.expand(1)
    at = wide.at(functools.partial(loss_of_logs, law.expand(1)), log_inputs)
    return jnp.asarray(wide.observe(dataclasses.replace(at, mean=mean)).sample(key))


def _broadcast(inputs: Mapping[str, ArrayLike]) -> dict[str, FloatArray]:
    """Every input as an array of shape ``(point,)``."""
    arrays = {name: numbers(name, given).reshape(np.shape(given)) for name, given in inputs.items()}
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError as error:
        raise InputError(
            "the inputs do not match in length",
            [f"{name}: {array.size}" for name, array in arrays.items()],
            remedy="give each one value, or the same number of values.",
        ) from error
    return {name: np.broadcast_to(array, shape).ravel() for name, array in arrays.items()}


def _complete(
    law: type[Law], given: dict[str, FloatArray], rule: Counting
) -> tuple[dict[str, FloatArray], list[Note]]:
    """Derive the inputs that follow from those given, and say so."""
    # (input, what it follows from, how): the first that applies is used, and D comes first
    # because the others follow from it.
    # The heading states any rule but the usual one.
    how = rule.describe() if isinstance(rule, SixND) else "by the counting rule"
    recipes: list[tuple[str, set[str], str, Callable[..., Any]]] = [
        ("D", {"N", "M"}, "D = M N", lambda p: p["M"] * p["N"]),
        ("D", {"N", "C"}, how, lambda p: rule.tokens(p["N"], p["C"])),
        ("C", {"N", "D"}, how, lambda p: rule.flops(p["N"], p["D"])),
        ("S", {"D", "batch"}, "S = D / batch", lambda p: p["D"] / p["batch"]),
    ]
    if isinstance(rule, SixND):
        by_both = "N = sqrt(C / (6 M))"
        recipes.insert(0, ("N", {"C", "M"}, by_both, lambda p: np.sqrt(p["C"] / (6 * p["M"]))))
    needed = law.inputs()
    takes = f"{law.name} takes {', '.join(needed)}"
    points, derived = dict(given), list[Note]()
    for name, sources, said, value in recipes:
        wanted = name in needed or (name == "D" and "S" in needed)
        if wanted and name not in points and sources <= set(points):
            with jax.enable_x64(True):
                points[name] = np.asarray(value(points), np.float64)
            derived.append(Note("derived", f"{name} was derived: {said}"))
    missing = [name for name in needed if name not in points]
    C = Argument("C", kind="input")
    if missing:
        raise InputError(
            f"the law {law.name} also needs {', '.join(missing)}",
            [takes, f"given: {', '.join(given) or 'nothing'}"],
            remedy=Message(
                "add ",
                joined(Argument(name, kind="input") for name in missing),
                Message(", or ", C, ", from which D follows")
                if "D" in missing and "N" in given
                else "",
                "; each takes one number, or one for each point.",
            ),
        )
    used = {source for name, sources, *_ in recipes if name in points for source in sources}
    unknown_inputs(given, [*needed, *(used if derived else ())], takes)
    return points, derived


def _places(points: dict[str, FloatArray], training: Counting) -> dict[str, FloatArray]:
    """The points with what their training costs, where that follows."""
    if {"N", "D"} <= set(points):
        return {**points, "C": cost(training, points["N"], points["D"])}
    return points
