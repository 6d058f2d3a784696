"""Bayesian fits of neural scaling laws.

The public names are loaded on first use, so that ``import scalingfit`` and ``scalingfit --help``
load neither JAX nor pandas. They are listed in ``__init__.pyi`` alone, where type checkers and
editors read them too.
"""

import ast
import importlib
from pathlib import Path

__version__ = "0.2.0"

# In a checkout the folder of laws lies beside this package, not in it.
if not Path(__file__).with_name("models").is_dir():
    __path__.append(str(Path(__file__).parents[1]))

_STUB = ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8"))
_HOMES = {
    alias.name: node.module
    for node in _STUB.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}"
        )
    if (home := _HOMES[name]) == __name__:  # a room of this package
        return importlib.import_module(f"{home}.{name}")
    found = globals()[name] = getattr(importlib.import_module(home), name)
    return found


def __dir__():
    return sorted({*globals(), *__all__})
