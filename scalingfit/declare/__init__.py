"""What a scaling law is: parameters with priors, and one method, ``loss``.

A law is declared like this (the whole of it; see ``models/chinchilla.py``)::

    class Chinchilla(Law):
        '''Loss falls with parameters and with tokens.'''

        E: Array = floor(dist.LogNormal(0.4, 0.7), "irreducible loss")
        alpha: Array = parameter(dist.LogNormal(-1.0, 0.5), "exponent of N")
        A: Array = coefficient(of="N", power="alpha", at=1e9, median=0.35, log_sd=1.5, about="...")

        def loss(self, N, D): ...

Its leaves are its parameters, so a published point, a posterior (leaves ``(chain, draw)``) and a
batch of posteriors (leaves ``(fit, chain, draw)``) are one class.
"""

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from scalingfit.declare.law import Law, Published, expanded, loss_of_logs
from scalingfit.declare.parameters import (
    Parameter,
    above,
    coefficient,
    describe,
    floor,
    log,
    parameter,
    scale,
)

__all__ = [
    "Array",
    "Law",
    "Parameter",
    "Published",
    "above",
    "coefficient",
    "describe",
    "dist",
    "expanded",
    "floor",
    "jnp",
    "log",
    "loss_of_logs",
    "parameter",
    "scale",
]
