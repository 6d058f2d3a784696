"""Which rows are runs that did not finish: by a column of states, or by a flag."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit.runs.cells import MISSING
from scalingfit.runs.columns import normal
from scalingfit.runs.values import words

FINISHED = words("done finished finish completed complete success successful succeeded ok passed")
UNFINISHED = words(
    "crashed crash diverged nan oom failed fail failure killed preempted running error timeout "
    "timed_out aborted cancelled canceled pending queued interrupted stopped paused in_progress "
    "out_of_memory exploded unfinished incomplete"
)
STATE_NAMES = words("state status run_state run_status job_state job_status")

MOSTLY = 0.8
"""Share of a column that has to be states for the column to be one of states."""

DONE_FLAGS = words("completed complete finished done is_finished is_completed")
FAILED_FLAGS = words(
    "diverged crashed failed killed oom aborted preempted is_nan has_nan is_diverged"
)
_TRUTH: Mapping[str, bool] = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("0", "0.0", "false", "no"), False),
}


def unfinished(frame: pd.DataFrame) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Columns that tell of unfinished runs: name, state and the rows that are in it."""
    for name, cells in frame.items():
        plain = normal(str(name))
        if plain in DONE_FLAGS or plain in FAILED_FLAGS:
            yield from _flagged(str(name), plain, cells)
        elif cells.dtype.kind not in "iufbcM":
            yield from _in_states(str(name), plain, cells)


def _flagged(
    name: str, plain: str, cells: "pd.Series[Any]"
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    texts = cells.astype(str).str.strip().str.lower()
    truth = texts.map(_TRUTH)
    known = truth[~cells.isna() & (texts != "")]
    if known.isna().any() or not len(known):
        return
    good = truth.eq(plain in DONE_FLAGS).to_numpy(dtype=bool)
    bad = truth.eq(plain not in DONE_FLAGS).to_numpy(dtype=bool)
    if good.any():  # a flag that no run has says nothing
        yield name, f"not {plain}" if plain in DONE_FLAGS else plain.removeprefix("is_"), bad


def _in_states(
    name: str, plain: str, cells: "pd.Series[Any]"
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    values = cells.tolist()
    known = FINISHED | UNFINISHED
    first = next((_state(value) for value in values if _state(value)), "")
    if plain not in STATE_NAMES and first not in known:
        return
    states = np.array([_state(value) for value in values], dtype=object)
    present = set(states) - {""}
    of_states = np.isin(states, [*known]).sum() >= MOSTLY * (states != "").sum()
    by_content = of_states and present & FINISHED
    if not (plain in STATE_NAMES or by_content):
        return
    for state in sorted(present & UNFINISHED):
        yield name, state.replace("_", " "), states == state


def _state(value: object) -> str:
    """A cell as a state is compared; nothing, where it is no short text."""
    if not isinstance(value, str) or len(value) > 30:
        return ""
    state = "_".join(value.strip().lower().replace("-", " ").split())
    return "" if state in MISSING - {"nan"} else state
