"""What formulas are evaluated on, elementwise."""

from types import ModuleType

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

__all__ = ["Number", "Numbers", "numpy_of"]

type Number = float | NDArray[np.float64] | Array
"""A number, or an array of them: NumPy's where a user asks, JAX's where a program is traced."""

type Numbers = NDArray[np.float64] | Array
"""An array of them."""


def numpy_of(*values: object) -> ModuleType:
    """The namespace for these values: NumPy keeps float64 where no JAX array is involved."""
    return jnp if any(isinstance(value, Array) for value in values) else np
