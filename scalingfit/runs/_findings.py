"""What is doubtful about a table before anything is fitted: what its rows are, what they hold."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit._messages import Argument, Call, Message
from scalingfit._text import listed
from scalingfit.runs._names import RUN_NAMES, normal
from scalingfit.runs._rows import STEPS, SWEPT
from scalingfit.runs._values import FloatArray, group_key, words

HIGHEST = 12.0
"""Nats. A cross-entropy above it would be worse than guessing among e^12 = 160,000 tokens."""

FEWEST = 3
"""Rows that a group needs to be one, and settings that a sweep needs."""

MOST_GROUPS = 20
"""Values of a label beyond which it names runs rather than groups of them."""

RATIO = 1.1
"""C / (6 N D) within this factor is 6 N D counted in one way or another."""

GROUPED = words(
    "dataset data corpus architecture arch optimizer optimiser schedule lr_schedule tokenizer "
    "family recipe experiment stage context_length seq_len sequence_length vocab_size"
)
"""Labels that are groups also where they are numbers, and are named first."""

NOT_GROUPS = words("split fold file source_file state status")

FRACTIONS = words("portion_elapsed progress fraction fraction_done fraction_trained")
FINAL_FLAGS = words("is_final_step is_final final annealed is_annealed decayed")
_FINAL = words("final finals end last annealed decayed cooldown")
_NOT_FINAL = words("checkpoint checkpoints intermediate unannealed stable mid")


@dataclass(frozen=True)
class Finding:
    """Something about a table that its reader should know before fitting it.

    Attributes
    ----------
    code
        For machines: ``rows_of_one_run``, ``log_of_one_run``, ``unannealed``, ``sweep``,
        ``groups``, ``repeated_data``, ``rises``, ``unit``, ``negative_loss``, ``compute_ratio`` or
        ``hardly_varies``.
    text
        What it is and what it does to a fit, a sentence without its end.
    remedy
        What to do.
    """

    code: str
    text: str
    remedy: Message

    @property
    def sentence(self) -> Message:
        """Both together."""
        return Message(f"{self.text}: ", self.remedy, ".")


type Labels = Mapping[str, NDArray[Any]]
type Columns = Mapping[str, FloatArray]


def findings(columns: Columns, labels: Labels, provenance: Mapping[str, Any]) -> Iterator[Finding]:
    """What is doubtful, the gravest first."""
    unit = provenance.get("loss_unit")
    yield from _unit(columns, unit)
    yield from _rising(columns)
    yield from _one_run(columns, labels)
    yield from _unannealed(labels)
    yield from _swept(columns, labels)
    yield from _grouped(columns, labels)
    yield from _repeated_data(columns)
    yield from _compute_ratio(columns, provenance)
    yield from _hardly_varies(columns)


def _where(condition: str) -> Call:
    return Call("read", (Argument("where", condition),))


# --- what the loss is ----------------------------------------------------------------------------


def _unit(columns: Columns, unit: str | None) -> Iterator[Finding]:
    L = columns["L"]
    scaled = columns.keys() & {"N", "D", "C"}
    if scaled and unit is None and np.all(L > HIGHEST):
        yield Finding(
            "unit",
            f"all losses are above {HIGHEST:.0f}, which looks like perplexity, while the laws are "
            "for cross-entropy",
            Message(
                "if it is one, read its logarithm, such as ",
                Argument("L", "column in ppl", "column"),
            ),
        )
    if np.all(L < 0):
        yield Finding(
            "negative_loss",
            "all losses are negative, so they are no cross-entropies, and a floor cannot be "
            "positive",
            Message("fit a law that allows it, such as ", Argument("law", "vocabulary")),
        )


def trend(columns: Columns) -> tuple[list[float], float] | None:
    """How the loss goes with scale: slopes of its ranks on those of N, D or C, and R squared.

    None where there are too few rows or nothing varies.
    """
    names = [name for name in "ND" if name in columns] or [n for n in "C" if n in columns]
    L = columns["L"]
    if len(L) < 6 or not names or np.ptp(L) == 0:
        return None
    ranks = [pd.Series(columns[name]).rank().to_numpy(dtype=np.float64) for name in names]
    ranks = [(rank - rank.mean()) / rank.std() for rank in ranks if rank.std() > 0]
    if not ranks:
        return None
    y = pd.Series(L).rank().to_numpy(dtype=np.float64)
    y = (y - y.mean()) / y.std()
    design = np.stack(ranks, axis=1)
    slopes = np.linalg.lstsq(design, y, rcond=None)[0]
    return slopes.tolist(), float(1 - np.mean((y - design @ slopes) ** 2))


def _runs_up(slopes: list[float]) -> bool:
    return min(slopes) > -0.1 and max(slopes) > 0.3


def rises(columns: Columns) -> bool:
    """Whether the loss rises with everything that is scaled."""
    found = trend(columns)
    return found is not None and _runs_up(found[0]) and found[1] > 0.6


def falls(columns: Columns) -> bool:
    """Whether the loss falls with everything that is scaled."""
    found = trend(columns)
    return found is not None and _runs_up([-s for s in found[0]]) and found[1] > 0.25


def _rising(columns: Columns) -> Iterator[Finding]:
    if rises(columns):
        yield Finding(
            "rises",
            "L rises with scale, while every law falls",
            Message("check that L is a loss, or read an accuracy as one: ", _accuracy()),
        )


def _accuracy() -> Argument:
    return Argument("L", "column in accuracy", "column")


# --- what a row is -------------------------------------------------------------------------------


def run_label(labels: Labels) -> str | None:
    """The label that names runs, where there are several rows of one."""
    for name, values in labels.items():
        if normal(name) in RUN_NAMES:
            named = _named(values)
            if len(set(named)) < len(named):
                return name
    return None


def _named(values: NDArray[Any]) -> list[Any]:
    return [key for key in map(group_key, values.tolist()) if key != "(missing)"]


def _one_run(columns: Columns, labels: Labels) -> Iterator[Finding]:
    name = run_label(labels)
    if name is not None:
        named = _named(labels[name])
        counts = pd.Series(named).value_counts()
        several = int((counts > 1).sum())
        yield Finding(
            "rows_of_one_run",
            f"{name} names {len(counts)} run{'s' if len(counts) > 1 else ''}, {several} of them in "
            "several rows: before the end of a schedule the loss is too high for its tokens, which "
            "biases the fit, and intervals that count every row are too narrow",
            Message("keep the last row of each run, ", Call("read", (Argument("last_of", name),))),
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
            final, condition = values >= 1 - 1e-9, f"{name}=1"
        elif not numeric and len(set(map(str, values))) <= MOST_GROUPS:
            said = np.array([str(value).strip().lower() for value in values])
            final = np.isin(said, [*_FINAL])
            if not np.isin(said, [*_NOT_FINAL]).any() or not final.any():
                continue
            condition = f"{name}={values[final][0]}"
        else:
            continue
        if 0 < final.sum() < len(final):
            yield Finding(
                "unannealed",
                f"{len(final) - final.sum()} of {len(final)} rows are not at the end of their "
                f"schedule ({name}), where losses are higher",
                Message("keep those that are: ", _where(condition)),
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


def _grouped(columns: Columns, labels: Labels) -> Iterator[Finding]:
    groups = {name: values for name in labels if (values := _groups(name, labels[name], columns))}
    named = [name for name in groups if normal(name) in GROUPED] or [*groups]
    for name in named[:3]:
        values = groups[name]
        yield Finding(
            "groups",
            f"{name} has {len(values)} values ({listed(values, limit=5)}), which one fit "
            "would pool",
            Message(
                "fit one of them, ",
                _where(f"{name}={values[0]}"),
                ", or each, ",
                Call("refit", (Argument("by", name),), other=True),
            ),
        )


def _groups(name: str, values: NDArray[Any], columns: Columns) -> list[str]:
    """The values of a label that are groups of runs; none where it is something else."""
    plain = normal(name)
    if plain in NOT_GROUPS | RUN_NAMES:
        return []
    if values.dtype.kind != "O" and plain not in GROUPED:
        return []
    if plain == "vocab_size" and "N_v" in columns:  # an input of the law
        return []
    keys = np.array([str(group_key(value)) for value in values.tolist()], dtype=object)
    counts = Counter(key for key in keys.tolist() if key != "(missing)")
    large = [value for value, count in counts.most_common() if count >= FEWEST]
    if not 2 <= len(counts) <= MOST_GROUPS or len(large) < 2:
        return []
    # A name of a size is no group: a group has several sizes.
    size = next(columns[n] for n in ("N", "D", "C", *columns) if n in columns)
    several = [value for value in large if len(np.unique(size[keys == value])) > 1]
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
                _where("D/U<=1.05"),
            ),
        )


# --- what the inputs are -------------------------------------------------------------------------


def compute_ratio(columns: Columns, provenance: Mapping[str, Any]) -> FloatArray | None:
    """C / (6 N D), shape ``(run,)``, where all three were given; else None."""
    if not {"N", "D", "C"} <= columns.keys() or set("NDC") & set(provenance.get("derived", {})):
        return None
    return np.asarray(columns["C"] / (6 * columns["N"] * columns["D"]))


def _compute_ratio(columns: Columns, provenance: Mapping[str, Any]) -> Iterator[Finding]:
    ratio = compute_ratio(columns, provenance)
    if ratio is None:
        return
    low, middle, high = np.quantile(ratio, [0, 0.5, 1])
    if high / low <= RATIO and 1 / RATIO <= middle <= RATIO:
        return
    yield Finding(
        "compute_ratio",
        f"C / (6 N D) is {_range(low, high)}{_moves(ratio, columns)}, so C is counted in another "
        "way, or a column is off",
        Message(
            "check how tokens and compute were counted, for instance D = steps x batch x length; "
            "budgets are spent as 6 N D, unless another counting rule is given"
        ),
    )


def _moves(ratio: FloatArray, columns: Columns) -> str:
    """How the ratio goes with N and with the budget."""
    said: dict[str, list[str]] = {}
    for name in ("N", "C"):
        if np.ptp(np.log(columns[name])) > 0 and np.ptp(ratio) > 1e-3 * ratio.mean():
            ranks = pd.DataFrame({"x": columns[name], "y": np.round(ratio, 6)}).rank()
            rho = float(np.corrcoef(ranks["x"], ranks["y"])[0, 1])
            if abs(rho) > 0.5:
                said.setdefault("rises" if rho > 0 else "falls", []).append(name)
    return "".join(f" and {verb} with {' and '.join(names)}" for verb, names in said.items())


def _range(low: float, high: float) -> str:
    one, other = f"{low:.3g}", f"{high:.3g}"
    return one if one == other else f"{one} to {other}"


def _hardly_varies(columns: Columns) -> Iterator[Finding]:
    for name in ("N", "D"):
        if name not in columns or len(columns[name]) < FEWEST:
            continue
        low, high = float(columns[name].min()), float(columns[name].max())
        if 1 < high / low < 1.5:
            yield Finding(
                "hardly_varies",
                f"{name} hardly varies, {_range(low, high)}, so its exponent cannot be told",
                Message(f"add runs of other {name}, or check that {name} is the column meant"),
            )
