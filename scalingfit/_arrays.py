"""What formulas are evaluated on, elementwise."""

import numpy as np
from jax import Array
from numpy.typing import NDArray

__all__ = ["Number", "Numbers"]

type Number = float | NDArray[np.float64] | Array
"""A number, or an array of them: NumPy's where a user asks, JAX's where a program is traced."""

type Numbers = NDArray[np.float64] | Array
"""An array of them."""
