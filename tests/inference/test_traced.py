"""Programs are traced once for all processes, and what is kept is used only where it holds."""

import dataclasses
import errno
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from jax import Array, export

import scalingfit as sf
from scalingfit.declare import Law, parameter
from scalingfit.inference import Draws, Model, Settings, build, sample
from scalingfit.inference import programs as engine
from scalingfit.inference.chain import begin
from scalingfit.inference.importance import BLOCK, Proposal
from scalingfit.inference.mode import Whitening
from scalingfit.inference.traced import FOLDER, KEY, _sources, traced
from scalingfit.noise import Normal, StudentT
from scalingfit.runs import Runs
from tests.caching import programs_in
from tests.damage import damaged

MODEL = build(sf.law("chinchilla"), Normal)
PLACE = np.arange(3, dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where programs are kept during a test; not there yet."""
    with programs_in(tmp_path / "cache"):
        yield tmp_path / "cache" / FOLDER


def entries(folder: Path) -> list[Path]:
    """The programs that are kept."""
    return [path for path in folder.iterdir() if path.name != KEY]


def traces(place: Any = PLACE, model: Model = MODEL, name: str = "double") -> int:
    """How often a program is traced by a process that runs it twice."""
    seen = []

    def double(place: Array) -> Array:
        seen.append(place)
        return 2 * place

    program = traced(name, model, double)
    for _ in range(2):
        np.testing.assert_array_equal(program(place), 2 * place)
    return len(seen)


def test_only_the_first_process_traces(folder: Path) -> None:
    assert [traces(), traces()] == [1, 0]
    assert len(entries(folder)) == 1


def power(constant: float) -> type[Law]:
    """A law with a constant of its module's in its formula; each edition has the same name."""

    class Edited(Law):
        """c / X^constant."""

        c: Array = parameter(dist.LogNormal(0.0, 1.0), "scale")

        def loss(self, X: Any) -> Any:
            return self.c / X**constant

    return Edited


def test_whatever_tracing_depends_on_makes_another_program(folder: Path) -> None:
    """Prior, formula, noise, shape, type, precision, name."""
    chinchilla = sf.law("chinchilla")
    others: list[dict[str, Any]] = [
        {},
        {"model": build(chinchilla, Normal, {"E": dist.LogNormal(0.5, 0.7)})},
        {"model": build(chinchilla, Normal, {"E": 1.7})},
        {"model": build(chinchilla, StudentT)},
        {"model": build(power(0.1), Normal)},
        {"model": build(power(0.2), Normal)},
        {"place": PLACE[:2]},
        {"place": PLACE.astype(np.int32)},
        {"name": "twice"},
    ]
    for given in others:
        assert traces(**given) == 1, given
    for given in others:
        assert traces(**given) == 0, given
    with jax.enable_x64(True):
        assert traces() == 1
    with jax.default_matmul_precision("highest"):
        assert traces() == 1
    assert len(entries(folder)) == len(others) + 2


def sloped(factor: float) -> type[Law]:
    """A law whose formula has a rule of its own for its slopes, right or wrong."""

    @jax.custom_jvp
    def root(x: Array) -> Array:
        return jnp.sqrt(x)

    @root.defjvp
    def _(places: Any, along: Any) -> Any:
        return root(*places), factor * along[0] / root(*places)

    class Edited(Law):
        """c / sqrt(X)."""

        c: Array = parameter(dist.LogNormal(0.0, 1.0), "scale")

        def loss(self, X: Any) -> Any:
            return self.c / root(jnp.asarray(X))

    return Edited


def test_other_slopes_of_the_same_formula_make_another_program(folder: Path) -> None:
    found = [traces(model=build(sloped(factor), Normal)) for factor in (0.5, 0.4, 0.5)]
    assert found == [1, 1, 0]


def test_threads_that_need_one_program_trace_it_once(folder: Path) -> None:
    seen, together = [], threading.Barrier(4)

    def double(place: Array) -> Array:
        seen.append(place)
        return 2 * place

    program = traced("double", MODEL, double)

    def use(_: int) -> np.ndarray:
        together.wait(timeout=60)
        return np.asarray(program(PLACE))

    with ThreadPoolExecutor(4) as threads:
        for made in threads.map(use, range(4)):
            np.testing.assert_array_equal(made, 2 * PLACE)
    assert len(seen) == 1


def test_a_program_that_cannot_be_traced_is_tried_again(folder: Path) -> None:
    faults = [ValueError("not yet")]

    def double(place: Array) -> Array:
        if faults:
            raise faults.pop()
        return 2 * place

    program = traced("double", MODEL, double)
    with pytest.raises(ValueError, match="not yet"):
        program(PLACE)
    np.testing.assert_array_equal(program(PLACE), 2 * PLACE)


def test_edited_modules_make_other_programs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "package" / "room" / "module.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path / "package")
    found = []
    for source in ("DEPTH = 10", "DEPTH = 11", "DEPTH = 10"):
        module.write_text(source)
        _sources.cache_clear()
        found.append(traces())
    _sources.cache_clear()
    assert found == [1, 1, 0]


@pytest.mark.fault("cache", "a program cut short (0 to all but one byte left)", "traced anew")
@pytest.mark.parametrize("bytes_left", [0, 10, -1])
def test_a_damaged_program_is_traced_again(folder: Path, bytes_left: int) -> None:
    traces()
    (path,) = entries(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:bytes_left])
    assert [traces(), traces()] == [1, 0]
    assert len(path.read_bytes()) == len(whole)


@pytest.mark.fault("cache", "a program changed (100 copies)", "traced anew")
def test_a_changed_program_is_never_run(folder: Path) -> None:
    """What is run is what tracing made, by its result."""
    traces()
    (path,) = entries(folder)
    whole = path.read_bytes()
    for kind, copy in damaged(whole, 100):
        path.write_bytes(copy)
        assert [traces(), traces()] == [1, 0], kind


@pytest.mark.fault("cache", "a program under another's name, or from another folder", "traced anew")
def test_a_program_is_run_under_its_own_name_in_its_own_folder(folder: Path) -> None:
    traces(name="one")
    (one,) = entries(folder)
    traces(name="two")
    (two,) = {*entries(folder)} - {one}
    two.write_bytes(one.read_bytes())
    assert traces(name="two") == 1
    (folder / KEY).write_bytes(b"k" * 32)  # as if the others came from elsewhere
    assert [traces(name="one"), traces(name="one")] == [1, 0]
    for key in (b"", None):
        (folder / KEY).unlink() if key is None else (folder / KEY).write_bytes(key)
        assert [traces(name="one"), traces(name="one")] == [1, 0]


@pytest.mark.fault("cache", "a folder that others may write to", "not used, and said")
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_not_used(folder: Path, mode: int) -> None:
    traces()
    folder.chmod(mode)
    with pytest.warns(UserWarning, match=r"others may write to .*chmod go-w"):
        assert traces() == 1
    folder.chmod(0o755)
    assert traces() == 0


@pytest.mark.fault("cache", "a folder of another user", "not used, and said")
def test_a_folder_of_another_user_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces()
    monkeypatch.setattr("os.geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.warns(UserWarning, match="belongs to another user"):
        assert traces() == 1


@pytest.mark.fault("cache", "the disk is full", "goes on, and keeps nothing")
@pytest.mark.parametrize("step", ["os.open", "os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_is_no_obstacle(
    folder: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(step, full)
    assert [traces(), traces()] == [1, 1]
    assert not entries(folder)


@pytest.mark.fault("cache", "the folder is a file, or cannot be made", "goes on, and keeps nothing")
def test_where_nothing_can_be_kept_everything_is_traced(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    assert [traces(), traces()] == [1, 1]
    folder.unlink()
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        assert [traces(), traces()] == [1, 1]
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", None)
    assert [traces(), traces()] == [1, 1]
    assert not folder.exists()


def test_the_same_bits_whether_programs_are_kept_found_or_neither(
    simulated: Callable[..., Runs], folder: Path
) -> None:
    settings = Settings(chains=2, draws=50, warmup=20, retries=0)

    def process() -> Draws:
        engine.programs.cache_clear()
        engine.prior_values.cache_clear()
        return sample(MODEL, [simulated(12)], settings)[0]

    kept = process()
    count = len(entries(folder))
    found = process()
    assert len(entries(folder)) == count
    jax.config.update("jax_compilation_cache_dir", None)
    neither = process()
    for other in (found, neither):
        for field in dataclasses.fields(kept):
            if field.name not in ("diagnosis", "record", "values"):
                np.testing.assert_array_equal(getattr(kept, field.name), getattr(other, field.name))
        for name, values in kept.values.items():
            np.testing.assert_array_equal(values, other.values[name])


@pytest.mark.parametrize("platform", ["cuda", "rocm", "tpu"])
def test_programs_can_be_written_for_accelerators(
    simulated: Callable[..., Runs], monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    """In float32, many fits at a time, as they would run there; whether they run is not seen."""
    monkeypatch.setattr(engine, "traced", lambda name, model, function: jax.jit(function))
    made = engine.programs.__wrapped__(MODEL)
    real, fits, chains, dim = np.float32, 3, 4, MODEL.dim
    data = engine.pack_group(MODEL, [simulated(12)] * fits, 16, "float32")
    white = Whitening.nowhere(fits, dim, real)
    keys = jax.random.split(jax.random.key(0), (fits, chains))
    proposal = jax.tree.map(
        lambda leaf: np.stack([leaf.astype(leaf.dtype if leaf.dtype == np.int32 else real)] * fits),
        Proposal.laplace(dim),
    )
    chain = begin(np.zeros((fits, chains, dim), real), np.zeros((fits, chains), real))
    number = np.int32(0)
    calls: list[tuple[Any, ...]] = [
        (made.whiten, engine.starts(MODEL, [None] * fits, "float32"), data),
        (made.segment, chain, (data, white), keys, number, number, number, np.ones(fits, real)),
        (made.weigh, np.zeros((fits, BLOCK, dim), real), proposal, (data, white)),
        (made.values, white, np.zeros((fits, chains, 10, dim), real), data),
    ]
    for program, *arguments in calls:
        written = export.export(program, platforms=[platform])(*arguments)
        assert written.platforms == (platform,)
        assert "f64" not in written.mlir_module()
