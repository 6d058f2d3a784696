"""What lets a page answer questions by itself: some of the draws, and formulas in JavaScript."""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit.allocation import Costs, Counting, Rule, WithInference, extras_of, subject, terms
from scalingfit.declare import Law
from scalingfit.inference import Posterior
from scalingfit.law_error import LENGTHS, ErrorDraws
from scalingfit.noise import Noise
from scalingfit.report._javascript import javascript
from scalingfit.report._scatter import scatter

__all__ = ["DRAWS", "Explorer", "explorer", "some_of"]

DRAWS = 300
"""Draws in a page: medians are then off by a tenth of a standard deviation at most."""


@dataclasses.dataclass(frozen=True)
class Explorer:
    """What a page holds to answer questions by itself.

    Attributes
    ----------
    data : mapping
        JSON-able: draws of the parameters and of the law's error, and what is given.
    extras : mapping of str to float
        The law's other inputs, which are in `data` too.
    formulas : mapping of str to str
        JavaScript functions: ``law``, ``along``, ``scale``, ``tokens`` and ``flops``.
    """

    data: Mapping[str, object]
    extras: Mapping[str, float]
    formulas: Mapping[str, str]


def explorer(
    posterior: Posterior,
    *,
    counting: Rule = "6ND",
    max_params: float | None = None,
    costs: Costs | None = None,
    **extras: Any,
) -> Explorer:
    """The draws and formulas of a page.

    Parameters
    ----------
    posterior : Posterior
        Of a law that splits a budget.
    counting, max_params, costs, **extras
        As for `scalingfit.decide`.

    Raises
    ------
    InputError
        The law, the noise or the counting rule cannot be evaluated in a page.
    """
    law, noise = some_of(posterior)
    stated = terms(counting, max_params, asked=subject(posterior))
    others = {name: float(values[0]) for name, values in extras_of(law, extras, 1).items()}
    inputs = law.inputs()
    if unknown := set(inputs) - {"N", "D", *others}:
        raise InputError(
            f"the page knows N, D and inputs that are given: {law.name} also takes "
            f"{', '.join(sorted(unknown))}"
        )
    rule = stated.training
    middle = {name: float(np.log(posterior.runs[name]).mean()) for name in inputs}
    scattered = scatter(law.exact, noise, middle)
    data = {
        "parameters": np.stack([*law.values().values()], axis=-1).tolist(),
        "inputs": inputs,
        "extras": others,
        "most": stated.max_params if math.isfinite(stated.max_params) else None,
        **_error(getattr(law, "error", None), inputs),
        "scatter": {"onLog": scattered.on_log, "parameters": scattered.parameters.tolist()},
        "runs": _packed(scattered.runs),
    }
    formulas = {
        "law": _law(law.exact),
        "along": _along(law.exact, rule, [*others]),
        "scale": scattered.scale,
    }
    return Explorer(data, others, {**formulas, **_counted(rule)})


def some_of(posterior: Posterior) -> tuple[Law, Noise]:
    """The draws that a page holds, with the law's errors: evenly spaced, in one axis."""
    count = math.prod(posterior.law.shape)
    places = np.linspace(0, count - 1, min(count, DRAWS)).round().astype(int)
    noise: Noise = jax.tree.map(lambda leaf: np.ravel(leaf)[places], posterior.noise)
    return posterior.law_with_error.take(places), noise


def _law(law: Law) -> str:
    """The formula over parameters and inputs, in their order."""
    cls, names = type(law), [*law.values()]

    def loss(parameters: list[Any], inputs: list[Any]) -> Any:
        return cls(**dict(zip(names, parameters, strict=True))).loss(*inputs)

    return javascript(loss, ([0.0] * len(names), [0.0] * len(cls.inputs())))


def _along(law: Law, rule: Counting, others: list[str]) -> str:
    """The loss along a budget, and its slope in log N."""
    cls, names = type(law), [*law.values()]

    def along(parameters: list[Any], x: Any, C: Any, served: Any, extras: list[Any]) -> Any:
        exact = cls(**dict(zip(names, parameters, strict=True)))

        def loss(x: Any) -> Any:
            N = jnp.exp(x)
            D = WithInference(rule, served).tokens(N, C)
            known = {"N": N, "D": D, **dict(zip(others, extras, strict=True))}
            return exact.loss(**{name: known[name] for name in cls.inputs()})

        return jax.jvp(loss, (x,), (jnp.ones_like(x),))

    return javascript(along, ([0.0] * len(names), 0.0, 0.0, 0.0, [0.0] * len(others)))


def _counted(rule: Counting) -> dict[str, str]:
    """The tokens that a budget leaves, and what a run costs, with what it serves."""

    def ratio(x: Any, C: Any, served: Any) -> Any:
        """Log N/D, and its slope in log N."""

        def of(x: Any) -> Any:
            return x - jnp.log(WithInference(rule, served).tokens(jnp.exp(x), C))

        return jax.jvp(of, (x,), (jnp.ones_like(x),))

    return {
        "ratio": javascript(ratio, [0.0] * 3),
        "tokens": javascript(
            lambda N, C, served: WithInference(rule, served).tokens(N, C), [0.0] * 3
        ),
        "flops": javascript(
            lambda N, D, served: WithInference(rule, served).flops(N, D), [0.0] * 3
        ),
    }


def _error(error: ErrorDraws | None, inputs: tuple[str, ...]) -> dict[str, object]:
    """Landmarks and waves, and the weights of each draw: of covariances, cosines and sines."""
    if error is None:
        return {"error": None, "weights": ""}
    cosines, sines = np.moveaxis(np.asarray(error.amplitudes), 1, 0)
    weights = np.concatenate([np.asarray(error.weights)[:, 0], cosines, sines]).T
    runs = [dict(zip(inputs, (10.0**end).tolist(), strict=True)) for end in np.asarray(error.runs)]
    stated = {
        "additive": error.additive,
        "landmarks": _listed(error.landmarks),
        "frequencies": _listed(error.frequencies),
        "lengths": LENGTHS,
        "runs": runs,
    }
    return {"error": stated, "weights": _packed(weights)}


def _packed(values: NDArray[np.float64]) -> str:
    """8 bytes a number, little-endian, in base64."""
    return base64.b64encode(values.astype("<f8").tobytes()).decode()


def _listed(values: ArrayLike) -> object:
    return np.asarray(values).tolist()
