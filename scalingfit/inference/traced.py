"""Programs that are traced once for all processes, not once in each.

JAX keeps compiled programs between processes, but finds them by their StableHLO, and to write that
takes tracing: of what a fit's start took, two thirds. Here the StableHLO itself is kept (by
`jax.export`), in a folder of JAX's own, wherever the user or the command line has turned that on. A
program is known by the density it was traced from, by this package's own sources, and by all that
tracing depends on besides.

A program is code. It is run only from a folder that nobody else can write to, and only where its
digest is made with the key that lies there: one that was damaged, renamed or brought from elsewhere
is traced again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import importlib.resources
import itertools
import secrets
import warnings
from collections.abc import Callable, Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpyro
from jax import Array, export

from scalingfit._errors import InputError
from scalingfit._files import distrust, write
from scalingfit.inference.chain import Chain
from scalingfit.inference.compiled import Compiled
from scalingfit.inference.conditional import Conditional, Funnel, RunEffects
from scalingfit.inference.formula import formula
from scalingfit.inference.importance import Proposal
from scalingfit.inference.mode import Whitening
from scalingfit.inference.model import Data, Model

__all__ = ["traced"]

FOLDER, KEY = "scalingfit", "key"  # inside JAX's, and inside that
DIGEST = hashlib.sha256().digest_size
# Of LLVM, on a CPU: at level 3, XLA's default, the sampler's program compiles in three times as
# long, most of it for the random numbers, and runs no faster.
COMPILING = {"xla_backend_optimization_level": 2}
# JAX promises that these stay as they are within a version; what is kept is of one.
UNSTABLE = [
    export.DisabledSafetyCheck.custom_call(f"lapack_{kind}gesvd_ffi") for kind in ("s", "d")
]
SETTINGS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_numpy_dtype_promotion",
    "jax_threefry_partitionable",
)

for container in (Chain, Conditional, Data, Funnel, Proposal, RunEffects, Whitening):
    export.register_pytree_node_serialization(
        container,
        serialized_name=f"{container.__module__}.{container.__name__}",
        serialize_auxdata=lambda _: b"",
        deserialize_auxdata=lambda _: (),
    )


def traced(name: str, model: Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays, and of a model, as a compiled program.

    As `jax.jit`, but its first call with arrays of a kind looks for what another process traced,
    and of several threads that need a program only one compiles it.

    Parameters
    ----------
    name : str
        Of the program; each of a model has its own.
    model : Model
    function : callable
        Of arrays and containers of arrays.
    """
    compiled = Compiled()

    def program(*arguments: Any) -> Any:
        device = _device()
        kind = _kind(arguments, device)

        def make() -> Callable[..., Any]:
            found = jax.jit(_find(name, model, function, arguments, kind).call)
            options = COMPILING if device.platform == "cpu" else None
            lowered = found.lower(*jax.device_put(arguments, device))
            return lowered.compile(compiler_options=options)

        return compiled.program((kind, device), make)(*arguments)

    return program


def _device() -> Any:
    default = jax.config.jax_default_device
    return jax.local_devices(backend=default)[0] if isinstance(default, str | None) else default


def _kind(arguments: Any, device: jax.Device) -> tuple[Any, ...]:
    """All that tracing depends on besides the function."""
    leaves, structure = jax.tree.flatten(arguments)
    settings = [getattr(jax.config, name) for name in SETTINGS]
    shapes = [(np.shape(leaf), leaf.dtype) for leaf in leaves]
    return structure, *shapes, *settings, jax.default_backend(), device.platform


def _find(
    name: str, model: Model, function: Callable[..., Any], arguments: Any, kind: tuple[Any, ...]
) -> export.Exported:
    """The traced program: from the folder, or traced now and put there."""
    if (folder := _folder()) is None:
        return _trace(function, arguments)
    said = [name, *map(str, kind), *_density(model, arguments), _sources()]
    path = folder / hashlib.sha256("\n".join(said).encode()).hexdigest()
    if (kept := _read(path)) is not None:
        return export.deserialize(kept)
    made = _trace(function, arguments)
    _write(path, bytes(made.serialize()))
    return made


def _trace(function: Callable[..., Any], arguments: Any) -> export.Exported:
    platform = _device().platform
    others = None if platform == jax.default_backend() else [platform]
    made = export.export(jax.jit(function), platforms=others, disabled_checks=UNSTABLE)
    return made(*arguments)


def _folder() -> Path | None:
    """Where programs are kept, if they are."""
    folder = jax.config.jax_compilation_cache_dir
    if not folder or "://" in folder or not jax.config.jax_enable_compilation_cache:
        return None
    ours = Path(folder) / FOLDER
    if (why := distrust(ours)) is not None:
        warnings.warn(f"traced programs are not kept: {why}", stacklevel=2)
        return None
    return ours


def _read(path: Path) -> bytearray | None:
    """What was written there, if it is there and whole."""
    try:
        found, key = path.read_bytes(), _key(path.parent)
    except OSError:
        return None
    digest, content = found[:DIGEST], found[DIGEST:]
    return bytearray(content) if hmac.compare_digest(digest, _digest(key, path, content)) else None


def _write(path: Path, content: bytes) -> None:
    """Where the folder takes it; a program that is not kept is traced again."""
    with contextlib.suppress(OSError, InputError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            key = _key(path.parent)
        except FileNotFoundError:
            write(path.parent / KEY, key := secrets.token_bytes(DIGEST))
        write(path, _digest(key, path, content) + content)


def _key(folder: Path) -> bytes:
    return (folder / KEY).read_bytes()


def _digest(key: bytes, path: Path, content: bytes) -> bytes:
    """Of a program under its name."""
    return hmac.digest(key, path.name.encode() + content, hashlib.sha256)


def _density(model: Model, arguments: Any) -> tuple[str, ...]:
    """The density and the parameters as compiled: law, noise, priors, whatever they use."""
    nodes = jax.tree.leaves(arguments, is_leaf=lambda node: isinstance(node, Data))
    errors = any(isinstance(node, Data) and node.loss_se is not None for node in nodes)
    lowered = _lowered(model, errors, jax.config.jax_enable_x64)
    return *model.sites, lowered, formula(model.law), formula(model.noise)


@functools.lru_cache(maxsize=256)
def _lowered(model: Model, errors: bool, x64: bool) -> str:
    """Of a table of two runs, with known errors of their losses or without, in this precision.

    The precision is JAX's setting; it is an argument so that what is remembered differs by it.
    """

    def density(place: Array, data: Data, conditional: Conditional | None) -> Any:
        return (
            model.log_density(place, data, conditional),
            model.constrain(place[: model.dim], data.centre),
        )

    number, rows = np.zeros(()), np.zeros(2)
    features = np.zeros((2, 0 if model.error is None else 2))
    inputs = model.law.inputs()
    data = Data(
        log_inputs=dict.fromkeys(inputs, rows),
        loss=rows,
        weight=rows,
        loss_se=rows if errors else None,
        centre=dict.fromkeys(inputs, number),
        features=None if model.error is None else features,
        run=np.zeros(2, np.int32) if model.run_effects else None,
        run_rows=rows if model.run_effects else None,
    )
    conditional = None
    if model.run_effects or model.error is not None:
        effects = RunEffects(data.run, rows) if model.run_effects else None
        strength, rotation = features[0], features.T @ features
        conditional = Conditional(rows, features, strength, rotation, effects, number, features)
    place = np.zeros(model.dim + sum(data.sizes[1:]))
    text: str = jax.jit(density).lower(place, data, conditional).as_text()
    return text


@functools.cache
def _sources() -> str:
    """A digest of what programs are traced by: this package's modules, and the libraries."""
    digest = hashlib.sha256(f"{jax.__version__} {numpyro.__version__}".encode())
    # In a checkout the laws lie beside the package.
    roots = (importlib.resources.files(name) for name in ("scalingfit", "scalingfit.models"))
    for file in sorted(itertools.chain(*map(_modules, roots)), key=str):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _modules(folder: Traversable) -> Iterator[Traversable]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _modules(item)
        elif item.name.endswith(".py"):
            yield item
