"""The ladder's text: Python source out of named, versioned packages, fixed to the last byte.

`build` downloads the packages' wheels with pip, keeps every ``.py`` file once, and lays the files
end to end in a seeded order. The manifest beside this module holds the digest of each archive and
of both byte streams, so a corpus built elsewhere is either the same bytes or an error.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

MANIFEST = Path(__file__).with_name("manifest.json")

#: Name, version, licence. The order matters: of two near-equal files, the first one is kept.
PACKAGES = (
    ("sympy", "1.14.0", "BSD-3-Clause"),
    ("scipy", "1.17.1", "BSD-3-Clause"),
    ("pandas", "3.1.1", "BSD-3-Clause"),
    ("transformers", "5.23.0", "Apache-2.0"),
    ("django", "5.2.19", "BSD-3-Clause"),
    ("sqlalchemy", "2.1.9", "MIT"),
    ("networkx", "3.6.1", "BSD-3-Clause"),
    ("matplotlib", "3.11.2", "LicenseRef-Matplotlib (PSF-based)"),
    ("scikit-learn", "1.9.1", "BSD-3-Clause"),
    ("statsmodels", "0.15.0", "BSD-3-Clause"),
    ("astropy", "8.0.2", "BSD-3-Clause"),
    ("homeassistant", "2024.3.3", "Apache-2.0"),
    ("nltk", "3.10.4", "Apache-2.0"),
    ("twisted", "26.10.0", "MIT"),
    ("nova", "34.0.0", "Apache-2.0"),
    ("biopython", "1.88", "LicenseRef-Biopython-License-Agreement"),
    ("dask", "2026.8.0", "BSD-3-Clause"),
    ("xarray", "2026.9.0", "Apache-2.0"),
    ("diffusers", "0.42.1", "Apache-2.0"),
    ("keras", "3.15.1", "Apache-2.0"),
    ("numba", "0.68.1", "BSD-2-Clause"),
    ("mypy", "2.4.1", "MIT"),
)

#: One kind of wheel for everybody, so that the archive does not depend on who downloads it.
WHEELS = (
    "--only-binary=:all:",
    "--no-deps",
    "--python-version=3.12",
    "--implementation=cp",
    *(f"--platform=manylinux_2_{minor}_x86_64" for minor in (17, 24, 26, 27, 28)),
    "--platform=manylinux2014_x86_64",
    "--platform=any",
)

VALIDATION_SHARE = 0.04
MAX_FILE_BYTES = 200_000  # beyond this, a .py file is a table of data rather than a program
MIN_LINE = 20  # shorter lines ("else:", "return None") are everybody's
MAX_SEEN_SHARE = 0.5
SEPARATOR = b"\0"


@dataclass(frozen=True)
class Corpus:
    """Two byte streams; files are parted by one zero byte."""

    train: Bytes
    validation: Bytes


class CorpusError(RuntimeError):
    """The corpus at hand is not the one the manifest describes."""


def load(folder: Path) -> Corpus:
    """Read the corpus from `folder`, building it first where it is missing.

    Raises
    ------
    CorpusError
        When a stream's digest differs from the manifest's.
    """
    if not all((folder / f"{split}.bin").exists() for split in ("train", "validation")):
        build(folder)
    streams = {}
    wanted = json.loads(MANIFEST.read_text())["streams"]
    for split in ("train", "validation"):
        raw = (folder / f"{split}.bin").read_bytes()
        if _digest(raw) != wanted[split]["sha256"]:
            raise CorpusError(
                f"{folder / split}.bin is not the corpus of {MANIFEST.name}: delete {folder} to "
                "build it again, or delete the manifest too if you changed PACKAGES on purpose"
            )
        streams[split] = np.frombuffer(raw, dtype=np.uint8)
    return Corpus(**streams)


def build(folder: Path) -> None:
    """Download, de-duplicate, order, split; check the manifest, or write it where there is none."""
    known = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else None
    folder.mkdir(parents=True, exist_ok=True)
    files: list[bytes] = []
    seen: set[int] = set()
    packages: list[dict[str, Any]] = []
    for name, version, licence in PACKAGES:
        archive = _download(folder / "wheels" / f"{name}-{version}", name, version)
        kept = [text for text in _sources(archive) if _is_new(text, seen)]
        files += kept
        packages.append(
            {
                "package": f"{name}=={version}",
                "licence": licence,
                "archive": archive.name,
                "sha256": _digest(archive.read_bytes()),
                "files": len(kept),
                "bytes": sum(map(len, kept)),
            }
        )
    streams = _split(files)
    manifest = {
        "packages": packages,
        "streams": {
            split: {"bytes": len(raw), "sha256": _digest(raw)} for split, raw in streams.items()
        },
    }
    if known is None:
        MANIFEST.write_text(json.dumps(manifest, indent=1) + "\n")
    elif known != manifest:
        changed = [p["package"] for p in packages if p not in known["packages"]]
        raise CorpusError(
            f"the corpus built here differs from {MANIFEST.name} (packages that differ: "
            f"{', '.join(changed) or 'none; the streams do'}): the archives were replaced "
            "upstream, or PACKAGES changed; delete the manifest only if the latter"
        )
    for split, raw in streams.items():
        aside = folder / f"{split}.part"
        aside.write_bytes(raw)
        aside.rename(folder / f"{split}.bin")


def _download(folder: Path, name: str, version: str) -> Path:
    if not (found := list(folder.glob("*.whl"))):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            pip = [sys.executable, "-m", "pip", "download", "-qq", *WHEELS, "--dest", scratch]
            subprocess.run([*pip, f"{name}=={version}"], check=True)
            Path(scratch).rename(folder)
            Path(scratch).mkdir()  # for the context manager to remove
        found = list(folder.glob("*.whl"))
    return found[0]


def _sources(wheel: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".py") and 0 < archive.getinfo(name).file_size <= MAX_FILE_BYTES:
                yield archive.read(name).replace(b"\r\n", b"\n").replace(SEPARATOR, b"")


def _is_new(text: bytes, seen: set[int]) -> bool:
    """Whether at most half of the telling lines stood in earlier files; if so, remember them."""
    lines = [line.strip() for line in text.splitlines()]
    marks = {
        int.from_bytes(hashlib.blake2b(line, digest_size=8).digest())
        for line in lines
        if len(line) >= MIN_LINE
    }
    if not marks or len(marks & seen) > MAX_SEEN_SHARE * len(marks):
        return False
    seen |= marks
    return True


def _split(files: list[bytes]) -> dict[str, bytes]:
    """Whole files to one side or the other, in an order drawn once (seed 0)."""
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(files))
    cut = round(len(files) * VALIDATION_SHARE)
    parts = {"validation": order[:cut], "train": order[cut:]}
    return {
        split: b"".join(files[index] + SEPARATOR for index in indices)
        for split, indices in parts.items()
    }


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
