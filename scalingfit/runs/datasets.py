"""Tables of runs by name: the shipped one, and published ones.

``ladder`` is part of the package: small language models trained for scalingfit on a grid of sizes
and token counts (``benchmarks/ladder`` trains them; a token is a byte, N counts all parameters,
the loss is the validation cross-entropy in nats per byte). It is ours, under Apache-2.0.

Published tables are not part of the package. They come, in this order, from the folder named by
the environment variable ``SCALINGFIT_DATA`` (tidy files, ``<name>.csv``) or from their source,
which is fetched once into a cache; either way the sha256 must agree.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import pandas as pd
import pooch

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message, OnlyIn
from scalingfit._text import listed
from scalingfit.runs.files import load_source
from scalingfit.runs.provenance import Dataset, Info, Provenance
from scalingfit.runs.published import PUBLISHED, Options, Published, ReadOption
from scalingfit.runs.read import read as read_table
from scalingfit.runs.rows import typed
from scalingfit.runs.table import Runs

FOLDER_VARIABLE = "SCALINGFIT_DATA"

LADDER = Path(__file__).with_name("ladder.csv")
LADDER_COLUMNS = {"N": "params", "D": "tokens", "L": "loss", "loss_se": "loss_se"}
LADDER_ABOUT: Info = {
    "title": "small language models on a grid of sizes and bytes of text, trained for scalingfit",
    "licence": "Apache-2.0",
    "citation": "scalingfit, benchmarks/ladder",
    "loss": "nats per byte",
    "notes": [],
    "views": [],
}

_BY_NAME: Mapping[str, Published] = {entry.name: entry for entry in PUBLISHED}


def names() -> list[str]:
    """Names that `read` knows, the shipped table first."""
    return ["ladder", *_BY_NAME]


def read(name: str, *, view: str | None = None, **read_options: ReadOption) -> Runs:
    """Read a table by name.

    Parameters
    ----------
    name
        One of `names`.
    view
        A part of it that is usually fitted, such as "finals"; `info` lists them.
    **read_options
        Arguments of `scalingfit.read` that replace the ones the table comes with, such as
        ``N=...`` for another count of parameters or ``labels=[...]``.

    Returns
    -------
    Runs
        With title, licence, citation and address under ``provenance["dataset"]``, and every row
        that was left out under ``provenance["dropped"]``.

    Raises
    ------
    InputError
        The name or the view is unknown, the file is not the published one, or it cannot be had
        from here.
    """
    if name == "ladder":
        chosen = _view(name, view, {})
        options: Options = {**LADDER_COLUMNS, **chosen, **read_options}
        runs = read_table(LADDER, **options)
        return _with_about(runs, name, info(name))
    entry = _entry(name)
    chosen = _view(name, view, entry.views)
    options = {**entry.columns, **entry.options, **chosen, **read_options}
    local = _local(entry)
    if local is not None:
        runs = read_table(local, **options)
    elif entry.fetchable:
        runs = read_table(entry.tidy(typed(load_source(_fetch(entry)).frame)), **options)
        runs = replace(
            runs,
            provenance={**runs.provenance, "source": entry.address, "sha256": entry.address_sha256},
        )
    else:
        raise _only_local(entry)
    return _with_about(runs, name, info(name))


def _view(name: str, view: str | None, views: Mapping[str, Options]) -> Options:
    if view is None:
        return {}
    if view not in views:
        raise InputError(
            f"{name} has no view {view!r}",
            [f"views: {listed(views)}"],
            remedy=Message("write ", Argument("view", next(iter(views))), ", say.")
            if views
            else "read it whole, or choose rows by conditions.",
        )
    return views[view]


def info(name: str) -> Info:
    """Title, rows, inputs, licence, citation, address and availability of one table."""
    if name == "ladder":
        status = "shipped" if LADDER.is_file() else "missing from this installation"
        inputs = _inputs(LADDER_COLUMNS)
        rows = len(pd.read_csv(LADDER)) if LADDER.is_file() else None
        return {"name": name, "rows": rows, "inputs": inputs, **LADDER_ABOUT, "available": status}
    entry = _entry(name)
    return {
        "name": name,
        "rows": entry.rows,
        "inputs": _inputs(entry.columns),
        "title": entry.title,
        "licence": entry.licence,
        "citation": entry.citation,
        "address": entry.address,
        "loss": entry.loss,
        "notes": [*entry.notes],
        "views": list(entry.views),
        "available": _availability(entry),
    }


def describe(name: str) -> str:
    """Say in words what one table is, whose, and how to get it."""
    return "\n".join(
        f"{key}: {'; '.join(value) or 'none' if isinstance(value, list) else value}"
        for key, value in info(name).items()
    )


def table() -> list[Info]:
    """`info` of every table.

    ``available`` is shipped, local (in the folder of SCALINGFIT_DATA), cached, fetchable, or
    local only (the source is no table that could be read here).
    """
    return [info(name) for name in names()]


def _entry(name: str) -> Published:
    if name not in _BY_NAME:
        close = get_close_matches(name, names(), n=3, cutoff=0.4)
        raise InputError(
            f"there is no table called {name!r}",
            [f"closest: {listed(close)}"] if close else [f"tables: {listed(names(), limit=30)}"],
            remedy=Message(
                "take one of these; a file of your own is read with ",
                OnlyIn("python", ("read(path).",)),
                OnlyIn("command line", ("scalingfit read FILE.",)),
            ),
        )
    return _BY_NAME[name]


def _inputs(columns: Mapping[str, object]) -> str:
    return " ".join(symbol for symbol in columns if symbol not in ("L", "loss_se"))


def _with_about(runs: Runs, name: str, about: Info) -> Runs:
    dataset = Dataset(
        name=name, title=about["title"], licence=about["licence"], citation=about["citation"]
    )
    if "address" in about:
        dataset["address"] = about["address"]
    dataset |= {"notes": about["notes"], "views": about["views"]}
    provenance = Provenance({**runs.provenance, "dataset": dataset, "loss_unit": about["loss"]})
    return replace(runs, provenance=provenance)


def _local(entry: Published) -> Path | None:
    """Find the tidy file in the user's folder, if it is there and is the right one."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return None
    path = Path(folder) / entry.file
    if not path.is_file():
        return None
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != entry.sha256:
        raise InputError(
            f"{path.name} in the folder of {FOLDER_VARIABLE} is not the published table",
            [f"sha256 expected: {entry.sha256}", f"sha256 found: {found}"],
            remedy=Message("put the original back, or read yours as a file: ", _read(entry), "."),
        )
    return path


def _cache_path(entry: Published) -> Path:
    return Path(pooch.os_cache("scalingfit")) / f"{entry.name}-{Path(entry.address).name}"


def _fetch(entry: Published) -> Path:
    path = _cache_path(entry)
    try:
        pooch.retrieve(
            entry.address,
            known_hash=f"sha256:{entry.address_sha256}",
            fname=path.name,
            path=path.parent,
        )
    except (OSError, ValueError) as error:
        # requests' errors are OSErrors; pooch reports a wrong sha256 as a ValueError.
        raise InputError(
            f"{entry.name} could not be fetched",
            [
                f"address: {entry.address}",
                f"sha256: {entry.address_sha256}",
                f"{type(error).__name__}: {str(error)[:200]}",
            ],
            remedy=f"fetch it by hand and store it as {path}; or put the tidy {entry.file} into a "
            f"folder and name that folder in {FOLDER_VARIABLE}.",
        ) from None  # its text is in the message; its traceback is a hundred lines
    return path


def _only_local(entry: Published) -> InputError:
    return InputError(
        f"{entry.name} is not on this machine, and its source is not a table that is read here",
        [f"source: {entry.address}", f"citation: {entry.citation}"],
        remedy=Message(
            f"put the tidy {entry.file} into a folder and name that folder in {FOLDER_VARIABLE}; "
            "or make a CSV from the source and ",
            _read(entry),
            ".",
        ),
    )


def _read(entry: Published) -> Call:
    columns = (Argument(symbol, spec, "column") for symbol, spec in entry.columns.items())
    return Call("read", tuple(columns), other=True)


def _availability(entry: Published) -> str:
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder and (Path(folder) / entry.file).is_file():
        return "local"
    if not entry.fetchable:
        return "local only"
    return "cached" if _cache_path(entry).is_file() else "fetchable"
