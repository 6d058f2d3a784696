"""JAX's persistent compilation cache: the second fit of a kind starts at once.

Only the command line turns it on, for its own process; the library leaves JAX as it finds it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import platformdirs

from scalingfit._files import distrust
from scalingfit.cli._reply import warn

__all__ = ["VARIABLE", "cache_folder", "use_cache"]

VARIABLE = "SCALINGFIT_CACHE"
OFF = ("", "0", "off", "no")


def cache_folder() -> Path | None:
    """The folder of compiled programs, or None where it is turned off.

    The environment variable SCALINGFIT_CACHE moves it, or turns it off by the value "off".
    """
    stated = os.environ.get(VARIABLE)
    if stated is None:
        return platformdirs.user_cache_path("scalingfit") / "jax"
    return None if stated.lower() in OFF else Path(stated).expanduser() / "jax"


def use_cache() -> None:
    """Turn the cache on. JAX reads these variables when it is imported; the user's own win.

    Compiled programs are code: where others may have written to the folder, it is not used.
    """
    folder = cache_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError):  # JAX goes on without a cache, and says so
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (why := distrust(folder)) is not None:
        warn(f"compiled programs are not kept: {why}")
        return
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
