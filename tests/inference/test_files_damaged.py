"""Files that are not what `save` wrote: each is refused in words, and none gives other numbers."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit._files import sealed, unsealed
from scalingfit.inference import Posterior
from scalingfit.inference.files import FORMAT
from tests.damage import damaged
from tests.report import standin


@pytest.fixture(scope="module")
def fitted() -> Posterior:
    return standin.posterior()


@pytest.fixture(scope="module")
def content(fitted: Posterior, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    fitted.save(path)
    return path.read_bytes()


def edited(content: bytes, edit: Callable[[h5py.File], None]) -> bytes:
    """What somebody writes who knows the format: the digest is right."""
    whole = unsealed(content)
    assert whole is not None
    buffer = io.BytesIO(whole)
    with h5py.File(buffer, "r+") as file:
        edit(file)
    return sealed(buffer.getvalue())


def attributes_of(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    edited(content, lambda file: found.update(json.loads(file.attrs["scalingfit"])))
    return found


def with_attributes(content: bytes, text: str) -> bytes:
    def edit(file: h5py.File) -> None:
        del file.attrs["scalingfit"]
        file.attrs["scalingfit"] = text

    return edited(content, edit)


@pytest.mark.fault("save", "bytes changed, lost or added (1,000 copies)", "each refused by name")
def test_no_damaged_copy_is_believed(content: bytes, tmp_path: Path) -> None:
    path, kinds = tmp_path / "damaged.nc", set()
    for kind, copy in damaged(content, 1000):
        path.write_bytes(copy)
        with pytest.raises(InputError, match=r"damaged\.nc' is not a fit saved by scalingfit"):
            sf.load(path)
        kinds.add(kind)
    assert len(kinds) > 5


def test_others_read_the_file_as_netcdf(fitted: Posterior, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "fit.nc").write_bytes(content)
    with xr.open_datatree(tmp_path / "fit.nc") as tree:
        np.testing.assert_array_equal(tree["posterior"]["alpha"], fitted.draws["alpha"])


def test_of_a_long_table_little_is_stored(tmp_path: Path) -> None:
    """Per run its numbers, and nothing for every draw: 8 bytes a number, and what HDF5 adds."""
    rng = np.random.default_rng(0)
    count = 1911
    runs = sf.Runs.from_columns(
        {"N": rng.uniform(1e8, 1e10, count), "D": rng.uniform(1e9, 1e11, count),
         "L": rng.uniform(2.0, 3.0, count)}
    )  # fmt: skip
    long = standin.posterior(runs=runs)
    long.save(tmp_path / "long.nc")
    numbers = sum(draws.size for draws in long.draws.values()) + 6 * 1000 + 4 * count
    assert (tmp_path / "long.nc").stat().st_size < 8 * numbers + 100_000
    again = sf.load(tmp_path / "long.nc").to_arviz()
    assert again["log_likelihood"]["L"].shape == (4, 250, count)
    assert again["posterior_predictive"]["L"].shape == (4, 250, count)


# --- made on purpose, with a digest that is right -----------------------------------------------


def _elsewhere(file: h5py.File, made: Callable[[h5py.Group], None]) -> None:
    del file["posterior"]["alpha"]
    made(file["posterior"])


def _replaced(values: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file["posterior"]["alpha"]
        file["posterior"]["alpha"] = values

    return edit


def _in_another_file(group: h5py.Group) -> None:
    group["alpha"] = h5py.ExternalLink("/etc/passwd", "/alpha")


def _in_raw_bytes(group: h5py.Group) -> None:
    group.create_dataset("alpha", (4, 250), "f8", external=[("/etc/passwd", 0, 8000)])


def _virtual(group: h5py.Group) -> None:
    layout = h5py.VirtualLayout((4, 250), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "alpha", (4, 250))
    group.create_virtual_dataset("alpha", layout)


def _huge(group: h5py.Group) -> None:
    group.create_dataset("alpha", (10**6, 10**7), "f8", chunks=(1, 1000), fillvalue=0.3)


def _not_finite(file: h5py.File) -> None:
    file["posterior"]["alpha"][2, 7] = np.nan


FORGED: dict[str, Callable[[h5py.File], None]] = {
    "a link to another file": lambda file: _elsewhere(file, _in_another_file),
    "numbers in another file": lambda file: _elsewhere(file, _in_raw_bytes),
    "numbers gathered from other files": lambda file: _elsewhere(file, _virtual),
    "numbers that fill the memory": lambda file: _elsewhere(file, _huge),
    "a soft link": lambda file: _elsewhere(
        file, lambda group: group.__setitem__("alpha", h5py.SoftLink("/posterior/beta"))
    ),
    "a group in itself": lambda file: file["posterior"].__setitem__("again", file["posterior"]),
    "draws that are not finite": _not_finite,
    "draws of no shape": _replaced(0.3),
    "too few draws": _replaced(np.full((4, 20), 0.3)),
    "draws that are texts": _replaced(np.full((4, 250), b"0.3")),
    "draws that all chains repeat": _replaced(np.full((4, 250), 0.3)),
    "no draws of a parameter": lambda file: file["posterior"].__delitem__("alpha"),
    "no posterior": lambda file: file.__delitem__("posterior"),
    "no statistics": lambda file: file.__delitem__("sample_stats"),
    "no runs": lambda file: file.__delitem__("constant_data"),
    "no losses": lambda file: file.__delitem__("observed_data"),
    "other losses": lambda file: file["observed_data"]["L"].__setitem__(0, 9.0),
    "no record": lambda file: file.attrs.__delitem__("scalingfit"),
}


@pytest.mark.fault("save", "links and data outside the file, NaN draws, missing parts", "refused")
@pytest.mark.parametrize("kind", FORGED)
def test_what_is_forged_is_refused(kind: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "forged.nc"
    path.write_bytes(edited(content, FORGED[kind]))
    with pytest.raises(InputError, match=r"forged\.nc' is not a fit saved by scalingfit"):
        sf.load(path)


DEEP = "[" * 100_000 + "]" * 100_000
VALUES = ("null", "true", "-1", "1e999", '"text"', "[]", "{}", "[[[1]]]", DEEP)


@pytest.mark.fault("save", "a record with wrong or missing entries", "refused, or the same numbers")
@pytest.mark.parametrize("value", [*range(len(VALUES)), "gone"])
def test_a_record_of_another_kind_is_refused_or_harmless(
    value: int | str, fitted: Posterior, content: bytes, tmp_path: Path
) -> None:
    """Entry by entry; some say nothing of the numbers, such as where the table came from."""
    path, entries = tmp_path / "forged.nc", attributes_of(content)
    for name in entries:
        texts = {key: json.dumps(entry) for key, entry in entries.items()}
        if isinstance(value, int):
            texts[name] = VALUES[value]
        else:
            del texts[name]
        inner = ",".join(f"{json.dumps(key)}:{text}" for key, text in texts.items())
        path.write_bytes(with_attributes(content, f"{{{inner}}}"))
        try:
            loaded = sf.load(path)
        except InputError:
            continue
        assert loaded.verdict == fitted.verdict, name
        for site, draws in fitted.draws.items():
            np.testing.assert_array_equal(loaded.draws[site], draws, err_msg=name)


@pytest.mark.parametrize("text", ["", "nonsense", "[1, 2]", "7", DEEP, f'{{"format": {FORMAT}}}'])
def test_a_record_that_is_none_is_refused(text: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "forged.nc"
    path.write_bytes(with_attributes(content, text))
    with pytest.raises(InputError, match="is not a fit saved by scalingfit"):
        sf.load(path)


@pytest.mark.fault("save", "a folder, a pipe or a device in the place of the file", "refused")
def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for."""
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), "fit\0.nc"):
        with pytest.raises(InputError, match="there is no file"):
            sf.load(place)


# --- disks that take no more --------------------------------------------------------------------

FULL = """
import resource, signal, sys
from pathlib import Path
import scalingfit as sf
from scalingfit._errors import InputError
fit = sf.load(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    fit.save(sys.argv[2])
except InputError as error:
    print(error)
print(sorted(path.name for path in Path(sys.argv[2]).parent.iterdir()))
"""


@pytest.mark.fault("save", "a limit on the size of files", "refused in words; the old file stays")
def test_a_limit_on_the_size_of_files(content: bytes, tmp_path: Path) -> None:
    """HDF5 itself would end the process here, by a segmentation fault when it closes the file."""
    (tmp_path / "fit.nc").write_bytes(content)
    target = tmp_path / "new" / "fit.nc"
    target.parent.mkdir()
    target.write_bytes(b"the fit of yesterday")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FULL, str(tmp_path / "fit.nc"), str(target)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert done.returncode == 0, done.stderr
    assert "cannot write" in done.stdout
    assert "File too large" in done.stdout
    assert "ulimit -f" in done.stdout
    assert done.stdout.splitlines()[-1] == "['fit.nc']"
    assert target.read_bytes() == b"the fit of yesterday"
