"""Priors as text: what the command line takes, what saved fits hold."""

from __future__ import annotations

import ast
import math

import numpyro.distributions as dist
from numpyro.distributions import Distribution

from scalingfit._arguments import nearest
from scalingfit._errors import InputError
from scalingfit.inference.model import Prior

__all__ = ["parse_prior", "parse_priors"]

FAMILIES = {
    name: getattr(dist, name)
    for name in (
        "Beta", "Cauchy", "Exponential", "Gamma", "Gumbel", "HalfCauchy", "HalfNormal",
        "InverseGamma", "Kumaraswamy", "Laplace", "LogNormal", "LogUniform", "Logistic", "Normal",
        "Pareto", "SoftLaplace", "StudentT", "TruncatedCauchy", "TruncatedNormal", "Uniform",
        "Weibull",
    )
}  # fmt: skip
LONGEST = 500  # characters of a prior
HOW = "write NAME=LogNormal(0.5, 0.2), NAME=0.28 to pin it, or NAME=OTHER to tie it to another"


def parse_priors(texts: list[str]) -> dict[str, Prior]:
    """Priors from texts such as ``"E=LogNormal(0.5, 0.2)"``.

    Raises
    ------
    InputError
        Where a text is not of that form, or names a parameter twice.
    """
    priors: dict[str, Prior] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise InputError(f"prior {text!r} names no parameter", remedy=HOW)
        if name in priors:
            raise InputError(f"the prior of {name} is given twice", remedy="keep one of them.")
        priors[name] = parse_prior(value)
    return priors


def parse_prior(text: str) -> Prior:
    """A distribution, a number or the name of a parameter, from text; nothing is evaluated."""
    if len(text) > LONGEST:
        raise InputError(f"a prior has {len(text)} characters, at most {LONGEST}", remedy=HOW)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (MemoryError, RecursionError, SyntaxError, ValueError):  # whatever is wrong with it
        raise InputError(f"prior {text!r} cannot be read", remedy=HOW) from None
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        return _distribution(text, tree, tree.func.id)
    return _number(text, tree)


def _distribution(text: str, call: ast.Call, family: str) -> Distribution:
    if family not in FAMILIES:
        near = nearest(family, FAMILIES) or list(FAMILIES)
        raise InputError(
            f"prior {text!r}: there is no family {family!r}",
            remedy=f"use one of {', '.join(near)}.",
        )
    numbers = [_number(text, argument) for argument in call.args]
    if any(word.arg is None for word in call.keywords):
        raise InputError(f"prior {text!r}: '**' stands for no number", remedy=HOW)
    named = {str(word.arg): _number(text, word.value) for word in call.keywords}
    try:
        FAMILIES[family](*numbers, **named, validate_args=True)
    except (TypeError, ValueError) as error:
        said = str(error).replace(".__init__()", "")
        raise InputError(f"prior {text!r}: {said}", remedy=HOW) from None
    return FAMILIES[family](*numbers, **named)  # as a caller of `fit` would write it


def _number(text: str, node: ast.expr) -> float:
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1.0, node.operand
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        raise InputError(f"prior {text!r} cannot be read", remedy=HOW)
    if not isinstance(node.value, (int, float)):
        raise InputError(f"prior {text!r}: {node.value!r} is not a number", remedy=HOW)
    try:
        number = sign * float(node.value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"prior {text!r} has a number that is not finite", remedy=HOW)
    return number
