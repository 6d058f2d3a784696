"""Tables of runs as files and frames, spelled and spoiled at random, with what is true of them."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

type Cells = dict[str, list[Any]]

COLUMNS = ("params", "tokens", "loss")


@dataclasses.dataclass
class Table:
    """Cells as they will be written, and the runs among them.

    Attributes
    ----------
    cells
        By column, in the order of the columns.
    true
        N, D and L of each row, shape ``(row, 3)``.
    spoiled
        Which rows cannot be used.
    origin
        The row that each was copied from: itself, where it was not.
    plain
        Whether it has to be read: nothing in it is wrong or could mean two things.
    """

    cells: Cells
    true: np.ndarray
    spoiled: np.ndarray
    origin: np.ndarray
    plain: bool = True

    def __len__(self) -> int:
        return len(self.spoiled)

    @property
    def valid(self) -> np.ndarray:
        """Which rows are runs that can be used, once each."""
        valid = ~self.spoiled
        for row in np.flatnonzero(valid):
            valid[row] = not np.any(valid[:row] & (self.origin[:row] == self.origin[row]))
        return valid


def table(random: np.random.Generator) -> Table:
    """Four to twelve runs that follow a law, with names and a group."""
    count = int(random.integers(4, 13))
    N = np.round(10 ** random.uniform(7, 10, count))
    D = np.round(10 ** random.uniform(9.3, 12, count))
    L = np.round(1.7 + 400 / N**0.34 + 410 / D**0.28, 4)
    cells: Cells = {
        "run": [f"run-{i}" for i in range(count)],
        "params": N.tolist(),
        "tokens": D.tolist(),
        "loss": L.tolist(),
        "family": [["gpt", "llama"][i % 2] for i in range(count)],
    }
    if random.random() < 0.3:
        del cells["run"]
    names = list(cells)
    random.shuffle(names)
    true = np.stack([N, D, L], axis=1)
    cells = {name: cells[name] for name in names}
    return Table(cells, true, np.zeros(count, bool), np.arange(count))


# --- spellings, which change no value ------------------------------------------------------------


def _respelled(t: Table, name: str, spell: Callable[[float], str]) -> None:
    """Write a column another way; what is true is what stands there then."""
    place = COLUMNS.index(name)
    t.cells[name] = [spell(value) for value in t.true[:, place].tolist()]


def millions(t: Table, random: np.random.Generator) -> None:
    t.cells["params"] = [f"{value / 1e6:.3f}M" for value in t.true[:, 0]]
    t.true[:, 0] = [float(cell[:-1]) * 1e6 for cell in t.cells["params"]]


def billions_in_the_header(t: Table, random: np.random.Generator) -> None:
    t.cells = {{"tokens": "Tokens (B)"}.get(k, k): v for k, v in t.cells.items()}
    t.cells["Tokens (B)"] = [f"{value / 1e9:.6f}" for value in t.true[:, 1]]
    t.true[:, 1] = [float(cell) * 1e9 for cell in t.cells["Tokens (B)"]]


def powers(t: Table, random: np.random.Generator) -> None:
    mark = ["×10^", " x 10^", "·10**"][int(random.integers(3))]
    _respelled(t, "params", lambda value: f"{value:.9e}".replace("e+", mark))
    t.true[:, 0] = [float(f"{value:.9e}") for value in t.true[:, 0]]


def thousands(t: Table, random: np.random.Generator) -> None:
    mark = ["_", "'", " ", ","][int(random.integers(4))]
    t.true[:, 0] = np.round(t.true[:, 0])
    _respelled(t, "params", lambda value: f"{int(value):,}".replace(",", mark))


def decimal_commas(t: Table, random: np.random.Generator) -> None:
    _respelled(t, "loss", lambda value: f"{value:.4f}".replace(".", ","))


def spaces(t: Table, random: np.random.Generator) -> None:
    _respelled(t, "loss", lambda value: f"  {value!r} ")


SPELLINGS = (millions, billions_in_the_header, powers, thousands, decimal_commas, spaces)


# --- faults, each of which spoils a row ----------------------------------------------------------

BAD: tuple[Any, ...] = (
    None,
    "",
    "n/a",
    "oops",
    True,
    False,
    [1, 2],
    "-5",
    "0",
    "inf",
    float("nan"),
)
BAD += ("-inf", 10**400, "9" * 500, "1.2.3.4", "12 apples", "1Q", "0x10", [[[]]], "—", "1e", "e5")


def bad_cell(t: Table, random: np.random.Generator) -> None:
    names = [name for name in t.cells if name.startswith(("params", "tokens", "Tokens", "loss"))]
    name = names[int(random.integers(len(names)))]
    row = int(random.integers(len(t)))
    t.cells[name] = [*t.cells[name]]
    t.cells[name][row] = BAD[int(random.integers(len(BAD)))]
    t.spoiled[row], t.plain = True, False


def _append(t: Table, row: dict[str, Any], true: np.ndarray, spoiled: bool, origin: int) -> None:
    for name, values in t.cells.items():
        t.cells[name] = [*values, row[name]]
    t.true = np.vstack([t.true, true])
    t.spoiled = np.append(t.spoiled, spoiled)
    t.origin = np.append(t.origin, origin)
    t.plain = False


def row_of_nothing(t: Table, random: np.random.Generator) -> None:
    nothing = [None, "", "NA"][int(random.integers(3))]
    _append(t, dict.fromkeys(t.cells, nothing), np.full(3, np.nan), True, -1)


def row_twice(t: Table, random: np.random.Generator) -> None:
    row = int(random.integers(len(t)))
    cells = {name: values[row] for name, values in t.cells.items()}
    _append(t, cells, t.true[row], bool(t.spoiled[row]), int(t.origin[row]))


def crashed(t: Table, random: np.random.Generator) -> None:
    name = ["State", "status", "outcome"][int(random.integers(3))]
    words = ["crashed", "diverged", "OOM", "running", "failed"]
    row = int(random.integers(len(t)))
    t.cells[name] = [*t.cells.get(name, ["finished"] * len(t))]
    t.cells[name][row] = words[int(random.integers(len(words)))]
    t.spoiled[row], t.plain = True, False


FAULTS = (bad_cell, bad_cell, bad_cell, row_of_nothing, row_twice, crashed)


# --- formats -------------------------------------------------------------------------------------


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _csv(t: Table, separator: str) -> bytes:
    text = io.StringIO()
    pd.DataFrame({k: [_text(v) for v in values] for k, values in t.cells.items()}).to_csv(
        text, sep=separator, index=False
    )
    return text.getvalue().encode()


def _markdown(t: Table) -> bytes:
    rows = [[*t.cells], ["---"] * len(t.cells)]
    rows += [
        [_text(values[i]).replace("|", "\\|") for values in t.cells.values()] for i in range(len(t))
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows).encode()


def _records(t: Table) -> list[dict[str, Any]]:
    return [{name: values[i] for name, values in t.cells.items()} for i in range(len(t))]


def _dumped(content: Any) -> bytes:
    return json.dumps(content).encode()


def _parquet(t: Table) -> bytes:
    # A column of Parquet has one type.
    columns = {
        name: values
        if all(type(value) is float for value in values)
        else [None if value is None else str(value) for value in values]
        for name, values in t.cells.items()
    }
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def _excel(t: Table) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append([*t.cells])
    for i in range(len(t)):
        row = [values[i] for values in t.cells.values()]
        sheet.append(
            [v if isinstance(v, str | float | bool | None) and v == v else str(v) for v in row]
        )
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


FILES: dict[str, Callable[[Table], bytes]] = {
    ".csv": lambda t: _csv(t, ","),
    ".txt": lambda t: _csv(t, "|"),
    ".tsv": lambda t: _csv(t, "\t"),
    "-semicolon.csv": lambda t: _csv(t, ";"),
    ".md": _markdown,
    ".json": lambda t: _dumped(_records(t)),
    "-columns.json": lambda t: _dumped(t.cells),
    "-named.json": lambda t: _dumped({f"row-{i}": r for i, r in enumerate(_records(t))}),
    "-key.json": lambda t: _dumped({"version": 3, "runs": _records(t)}),
    ".jsonl": lambda t: b"\n".join(map(_dumped, _records(t))),
    ".parquet": _parquet,
    ".xlsx": _excel,
}

OBJECTS: dict[str, Callable[[Table], Any]] = {
    "frame": lambda t: pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in t.cells.items()}),
    "inferred frame": lambda t: pd.DataFrame(t.cells),
    "indexed frame": lambda t: pd.DataFrame(t.cells).set_index(next(iter(t.cells))),
    "mapping": lambda t: t.cells,
    "records": _records,
    "polars": lambda t: pl.DataFrame(
        {k: [_text(v) for v in values] for k, values in t.cells.items()}
    ),
    "dictionaries": lambda t: pd.DataFrame(
        {"config": [{"seed": i} for i in range(len(t))], "summary": _records(t)}
    ),
}

# Formats that name the run of each row, so that no two rows are the same.
NAMED = ("-named.json", "dictionaries")


def written(t: Table, kind: str, folder: Path, random: np.random.Generator) -> Any:
    """The table as a file of a kind, at times zipped, or as an object."""
    if kind in OBJECTS:
        return OBJECTS[kind](t)
    content = FILES[kind](t)
    zipped = random.random() < 0.1
    path = folder / f"runs{kind}{'.gz' if zipped else ''}"
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path


def damaged(path: Path, random: np.random.Generator) -> None:
    """Cut a file, or change, repeat or insert some of its bytes."""
    content = bytearray(path.read_bytes())
    for _ in range(int(random.integers(1, 4))):
        place = int(random.integers(len(content) or 1))
        match int(random.integers(6)):
            case 0:
                del content[place:]
            case 1 if content:
                content[min(place, len(content) - 1)] = int(random.integers(256))
            case 2:
                content[place:place] = random.bytes(int(random.integers(1, 9)))
            case 3:
                content[place:place] = content[place : place + int(random.integers(200))]
            case 4:
                piece = [b'"', b"[" * 5000, b"9" * 5000, b"\n", b",", b"{", b"\0", b"NaN", b"|"]
                content[place:place] = piece[int(random.integers(len(piece)))]
            case _:
                del content[place : place + int(random.integers(30))]
    path.write_bytes(bytes(content))
