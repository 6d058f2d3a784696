"""What the rows of a table may be beside runs: checkpoints, settings of a sweep, groups, epochs."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit._messages import Argument, Call, Message
from scalingfit._text import listed
from scalingfit.runs.columns import RUN_NAMES, normal
from scalingfit.runs.findings.finding import FEWEST, Columns, Finding, Labels, where
from scalingfit.runs.rows import STEPS, SWEPT
from scalingfit.runs.values import NOT_INPUTS, Label, group_key, group_names, words

MOST_GROUPS = 20
"""Values of a label beyond which it names runs rather than groups of them."""

SAME_SIZE = 1.2
"""Sizes within this factor are one: N that follows from C and D differs by rounding."""

GROUPED = words(
    "dataset data corpus architecture arch optimizer optimiser schedule lr_schedule tokenizer "
    "family recipe experiment stage context_length seq_len sequence_length vocab_size"
)
"""Labels that are groups also where they are numbers, and are named first."""

CURVE_NAMES = words("curve curve_id")
"""Labels that name runs where a column of steps stands beside them."""

NOT_GROUPS = words("split fold file source_file state status")

FRACTIONS = words("portion_elapsed progress fraction fraction_done fraction_trained")
FINAL_FLAGS = words("is_final_step is_final final annealed is_annealed decayed")
_FINAL = words("final finals end last annealed decayed cooldown")
_NOT_FINAL = words("checkpoint checkpoints intermediate unannealed stable mid")


def about_rows(
    columns: Columns, labels: Labels, groups: Mapping[str, list[str]]
) -> Iterator[Finding]:
    """What is doubtful about the rows."""
    yield from _one_run(columns, labels)
    yield from _unannealed(labels)
    yield from _swept(columns, labels)
    yield from _grouped(groups)
    yield from _repeated_data(columns)


def run_label(labels: Labels) -> str | None:
    """The label that names runs, where there are several rows of one."""
    curves = CURVE_NAMES if any(normal(name) in STEPS for name in labels) else frozenset()
    for name, values in labels.items():
        if normal(name) in RUN_NAMES | curves:
            named = _named(values)
            if len(set(named)) < len(named):
                return name
    return None


def run_of(labels: Labels, count: int) -> NDArray[np.int64]:
    """Which run each of so many rows is of, counted from 0, as the label that names runs says.

    A row without a name is a run by itself, and so is every row where no label names runs.
    """
    label = run_label(labels)
    if label is None:
        return np.arange(count)
    named = enumerate(map(group_key, labels[label].tolist()))
    keys = [("(missing)", row) if key == "(missing)" else key for row, key in named]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys])


def checkpoints(columns: Columns, run: NDArray[np.int64]) -> bool:
    """Whether rows of one run differ in an input, as no repeated evaluations do."""
    first = np.unique(run, return_index=True)[1][np.unique(run, return_inverse=True)[1]]
    inputs = (values for name, values in columns.items() if name not in NOT_INPUTS)
    return any(np.any(values != values[first]) for values in inputs)


def _named(values: Label) -> list[Hashable]:
    return [key for key in map(group_key, values.tolist()) if key != "(missing)"]


def _one_run(columns: Columns, labels: Labels) -> Iterator[Finding]:
    name = run_label(labels)
    if name is not None:
        named = _named(labels[name])
        counts = Counter(named)
        several = sum(count > 1 for count in counts.values())
        runs = f"{name} names {len(counts)} run{'s' if len(counts) > 1 else ''}"
        some = "" if several == len(counts) else f" {several}"
        narrow = "an exact law's intervals, which count every row, are too narrow"
        if checkpoints(columns, run_of(labels, len(labels[name]))):
            yield Finding(
                "rows_of_one_run",
                f"{runs},{some} of several rows each: before the end of a schedule the loss is too "
                f"high for its tokens, which biases the fit, and {narrow}",
                Message(
                    "keep the last row of each run, ", Call("read", (Argument("last_of", name),))
                ),
            )
        else:
            yield Finding(
                "rows_of_one_run",
                f"{runs},{some} of several rows each, which have equal inputs, as repeated "
                f"evaluations do; {narrow}",
                Message(
                    "fit the law with its error, as is usual: rows of one run then share an "
                    "effect, and none need be left out"
                ),
            )
        return
    for name, values in labels.items():
        if normal(name) in STEPS and values.dtype.kind in "iuf" and len(values) >= 5:
            one_size = "N" not in columns or len(np.unique(columns["N"])) == 1
            if one_size and np.all(np.diff(values) > 0):
                yield Finding(
                    "log_of_one_run",
                    f"{name} rises from row to row at one size, so this looks like the log of one "
                    "run",
                    Message(
                        "give the logs of several runs, and keep the last values of each: ",
                        Call("read", (Argument("last", True),)),
                    ),
                )
                return


def _unannealed(labels: Labels) -> Iterator[Finding]:
    for name, values in labels.items():
        plain = normal(name)
        numeric = values.dtype.kind in "iufb"
        if numeric and plain in FRACTIONS | FINAL_FLAGS:
            final, condition = values.astype(float) >= 1 - 1e-9, f"{name}=1"
        elif not numeric:
            names = group_names(values).tolist()
            said = {name: name.strip().lower() for name in set(names)}
            known = set(said.values())
            if not (known & _FINAL and known & _NOT_FINAL) or len(known) > MOST_GROUPS:
                continue
            final = np.array([said[name] in _FINAL for name in names])
            condition = f"{name}={values[final][0]}"
        else:
            continue
        if 0 < final.sum() < len(final):
            yield Finding(
                "unannealed",
                f"{len(final) - final.sum()} of {len(final)} rows are not at the end of their "
                f"schedule ({name}), where losses are higher",
                Message("keep those that are: ", where(condition)),
            )


def _cells(columns: Columns) -> NDArray[np.int64] | None:
    """The (N, D) of each row, or whatever inputs it has, as a number."""
    names = [n for n in ("N", "D", "C", "X") if n in columns]
    names = names[:2] if names[:2] == ["N", "D"] else names
    if not names:
        return None
    frame = pd.DataFrame({name: columns[name] for name in names})
    return np.asarray(frame.groupby(names, sort=False).ngroup(), dtype=np.int64)


def _swept(columns: Columns, labels: Labels) -> Iterator[Finding]:
    cells = _cells(columns)
    swept = [
        name
        for name, values in labels.items()
        if normal(name) in SWEPT and values.dtype.kind in "iuf"
    ]
    if cells is None or not swept:
        return
    frame = pd.DataFrame({"cell": cells, **{name: labels[name] for name in swept}})
    settings = frame.groupby("cell").nunique()
    size = frame.groupby("cell").size()
    found = [name for name in swept if size[settings[name] >= FEWEST].sum() > len(cells) / 2]
    if found:
        at = "N,D" if {"N", "D"} <= columns.keys() else ",".join(n for n in "NDCX" if n in columns)
        yield Finding(
            "sweep",
            f"{listed(found)} {'are' if len(found) > 1 else 'is'} swept at each of "
            f"{len(settings)} sizes, so most rows are not the best that their size can do",
            Message("keep the best of each, ", Call("read", (Argument("best_of", at),))),
        )


def _grouped(groups: Mapping[str, list[str]]) -> Iterator[Finding]:
    for name, values in groups.items():
        yield Finding(
            "groups",
            f"{name} has {len(values)} values ({listed(values, limit=5)}), which one fit "
            "would pool",
            Message(
                "fit one of them, ",
                where(f"{name}={values[0]}"),
                ", or each, ",
                Call("refit", (Argument("by", name),), other=True),
            ),
        )


def group_labels(columns: Columns, labels: Labels) -> dict[str, list[str]]:
    """The labels that are groups of runs, at most three, and their values."""
    groups = {name: values for name in labels if (values := _groups(name, labels[name], columns))}
    named = [name for name in groups if normal(name) in GROUPED] or [*groups]
    return {name: groups[name] for name in named[:3]}


def _groups(name: str, values: Label, columns: Columns) -> list[str]:
    """The values of a label that are groups of runs; none where it is something else."""
    plain = normal(name)
    if plain in NOT_GROUPS | RUN_NAMES:
        return []
    if values.dtype.kind != "O" and plain not in GROUPED:
        return []
    if plain == "vocab_size" and "N_v" in columns:  # an input of the law
        return []
    keys = group_names(values)
    counts = Counter(key for key in keys.tolist() if key != "(missing)")
    large = [value for value, count in counts.most_common() if count >= FEWEST]
    if not 2 <= len(counts) <= MOST_GROUPS or len(large) < 2:
        return []
    # A name of a size is no group: a group has several sizes.
    size = next(columns[n] for n in ("N", "D", "C", *columns) if n in columns)
    several = [value for value in large if np.ptp(np.log(size[keys == value])) > np.log(SAME_SIZE)]
    return several if len(several) > 1 else []


def _repeated_data(columns: Columns) -> Iterator[Finding]:
    if not {"D", "U"} <= columns.keys():
        return
    epochs = columns["D"] / columns["U"]
    repeated = epochs > 1.05
    if repeated.any():
        yield Finding(
            "repeated_data",
            f"{repeated.sum()} of {len(epochs)} rows repeat their data, up to {epochs.max():.3g} "
            "times, which a law of N and D takes for fresh",
            Message(
                "fit a law that knows, ",
                Argument("law", "data_constrained"),
                ", or keep the others, ",
                where("D/U<=1.05"),
            ),
        )
