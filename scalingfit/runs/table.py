"""A table of training runs: validated, immutable, float64, with a digest of its content."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._messages import PYTHON, Face, Message, OnlyIn, Text
from scalingfit.runs.budgets import Budgets
from scalingfit.runs.findings import (
    Finding,
    compute_ratio,
    describe,
    design_warnings,
    findings,
    group_labels,
    picture,
    run_label,
    run_of,
)
from scalingfit.runs.lookup import by_value, input_columns, inputs_of, named_column, positions
from scalingfit.runs.provenance import Provenance
from scalingfit.runs.values import (
    FloatArray,
    Label,
    as_floats,
    as_labels,
    digest_of,
    require_loss_and_input,
    require_range,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Runs:
    """A table of training runs. Build one with `read` or `Runs.from_columns`.

    Attributes
    ----------
    columns
        Numeric columns by symbol, each float64 of shape ``(run,)`` and read-only: ``L`` (final
        loss), any of ``N`` (parameters), ``D`` (tokens), ``C`` (training FLOP) and further inputs
        by the name a law gives them; ``loss_se`` and ``weight`` where known.
    labels
        Grouping columns of shape ``(run,)``: family, seed, budget and so on.
    row_numbers
        Row (or file line) of each run in its source, counted from 1, for messages.
    provenance
        Plain JSON-able record: source, its sha256, which column became what with which unit
        factor, what was derived and how, which rows were dropped and why.
    """

    columns: Mapping[str, FloatArray]
    labels: Mapping[str, Label]
    row_numbers: NDArray[np.int64]
    provenance: Provenance = field(default_factory=Provenance)

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, ArrayLike],
        *,
        labels: Mapping[str, ArrayLike | Sequence[object]] | None = None,
        row_numbers: ArrayLike | None = None,
        provenance: Provenance | None = None,
        allow_negative_loss: bool = False,
    ) -> "Runs":
        """Make a table from arrays that are already in natural units.

        Nothing is derived here: ``C`` is a column only if it is given (`read` derives it).

        Parameters
        ----------
        columns
            Numeric columns by symbol, each of shape ``(run,)``: ``L`` and at least one input.
        labels
            Grouping columns, each of shape ``(run,)``.
        row_numbers
            Row of each run in its source, from 1; counted here if not given.
        provenance
            JSON-able record of where the runs come from.
        allow_negative_loss
            For losses that are not cross-entropies, such as unigram-normalised ones.

        Raises
        ------
        InputError
            A column is not numeric, not one-dimensional, of another length than the rest, or has
            values that are not finite or not positive; ``L`` or every input is missing.
        """
        arrays = {str(name): as_floats(str(name), values) for name, values in columns.items()}
        tags = {str(name): as_labels(values) for name, values in (labels or {}).items()}
        require_loss_and_input(arrays)
        for name in arrays.keys() & tags.keys():
            raise InputError(
                f"{name!r} is both a numeric column and a label", remedy="rename the label."
            )
        count = len(arrays["L"])
        numbers = np.arange(1, count + 1) if row_numbers is None else np.array(row_numbers)
        for name, array in {**arrays, **tags, "row_numbers": numbers}.items():
            if array.shape != (count,):
                raise InputError(
                    f"column {name!r} has shape {array.shape}, the losses have shape ({count},)",
                    remedy="give every column one value per run.",
                )
        for name, values in arrays.items():
            require_range(name, values, numbers, allow_negative_loss=allow_negative_loss)
        return _restore(arrays, tags, numbers.astype(np.int64), deepcopy(provenance or {}))

    def __len__(self) -> int:
        return len(self.columns["L"])

    def __getitem__(self, name: str) -> FloatArray:
        return self.input([name])[name]

    @property
    def N(self) -> FloatArray:
        """Parameters, shape ``(run,)``."""
        return self["N"]

    @property
    def D(self) -> FloatArray:
        """Training tokens, shape ``(run,)``."""
        return self["D"]

    @property
    def C(self) -> FloatArray:
        """Training compute in FLOP, shape ``(run,)``."""
        return self["C"]

    @property
    def L(self) -> FloatArray:
        """Final loss, shape ``(run,)``, in `loss_unit`."""
        return self["L"]

    @property
    def loss_unit(self) -> str | None:
        """What L is measured in, such as "nats" or "bits per byte"; None where nothing says."""
        return self.provenance.get("loss_unit")

    @property
    def compute_ratio(self) -> FloatArray | None:
        """C / (6 N D), shape ``(run,)``, where the source gave all three; else None."""
        return compute_ratio(self.columns, self.provenance)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the columns a law can use."""
        return inputs_of(self.columns)

    @cached_property
    def budgets(self) -> Budgets:
        """How large the runs are, and which of them are of one budget.

        Raises
        ------
        InputError
            There are several inputs, and none of them is compute.
        """
        return Budgets.of(self.columns, self.labels)

    def input(self, names: Iterable[str], purpose: str = "") -> dict[str, FloatArray]:
        """Columns by name, in the order asked for, for a law or whatever the purpose is.

        X, the one input of a law of whatever is scaled, is the table's one input.

        Raises
        ------
        InputError
            A column is not there; the message says which ones are and how to name one in `read`.
        """
        return input_columns(self.columns, self.labels, names, purpose)

    @cached_property
    def digest(self) -> str:
        """sha256 of the numeric columns, as hexadecimal text.

        It depends on column names, values and the order of the rows; not on the order of the
        columns, on labels or on where the runs came from.
        """
        return digest_of(self.columns)

    def take(self, chosen: ArrayLike) -> "Runs":
        """Keep the runs at some positions (in that order, repeats allowed) or where a mask is true.

        Raises
        ------
        InputError
            No run is left.
        """
        index = positions(chosen, len(self))
        return self._with(
            columns={name: values[index] for name, values in self.columns.items()},
            labels={name: values[index] for name, values in self.labels.items()},
            row_numbers=self.row_numbers[index],
        )

    def named(self, name: str, purpose: str, remedy: Text) -> Label:
        """A numeric column or label, shape ``(run,)``; where there is none, why it was wanted.

        Raises
        ------
        InputError
        """
        return named_column({**self.columns, **self.labels}, name, purpose, remedy)

    def split(self, by: str) -> dict[Hashable, "Runs"]:
        """Make one table per distinct value of a label or numeric column, in sorted order.

        Runs without a value form the group "(missing)", so no run is lost.
        """
        values = self.named(
            by,
            "to split by",
            Message(
                "choose one of these",
                OnlyIn("python", (", or keep it when reading with labels=[...]",)),
                ".",
            ),
        )
        return {key: self.take(places) for key, places in by_value(values).items()}

    def with_weight(self, weight: ArrayLike) -> "Runs":
        """Give each run a likelihood weight, shape ``(run,)``, not negative."""
        values = as_floats("weight", weight)
        if values.shape != (len(self),):
            raise InputError(f"{len(self)} runs need as many weights, got shape {values.shape}")
        require_range("weight", values, self.row_numbers, allow_negative_loss=False)
        return self._with(columns={**self.columns, "weight": values})

    @property
    def weight(self) -> NDArray[np.float64]:
        """How often each run counts, shape (run,): once, where the table does not say."""
        return self.columns.get("weight", np.ones(len(self)))

    def without_weight(self) -> "Runs":
        """Let each run count once."""
        kept = {name: values for name, values in self.columns.items() if name != "weight"}
        return self._with(columns=kept)

    def used(self) -> "Runs":
        """The runs whose weight is not zero, which a fit sees; all, where none has weight."""
        weight = self.weight
        return self.take(weight > 0) if np.any(weight) and not np.all(weight) else self

    def design_warnings(self) -> list[str]:
        """Say what the runs that are used cannot tell apart, whatever the law, and what to do."""
        return design_warnings(self.used().columns)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is doubtful about the table itself, the gravest first: what rows and losses are."""
        return tuple(findings(self.columns, self.labels, self.groups, self.provenance))

    @property
    def run_label(self) -> str | None:
        """The label that names runs, such as run_id, where there are several rows of one."""
        return run_label(self.labels)

    @cached_property
    def run_of(self) -> NDArray[np.int64]:
        """Which run each row is of, counted from 0, shape (row,); one without a name is a run."""
        return run_of(self.labels, len(self))

    @property
    def run_count(self) -> int:
        """How many runs the rows are of."""
        return int(self.run_of.max()) + 1

    @property
    def run_numbers(self) -> NDArray[np.int64] | None:
        """`run_of`; None where every row is a run, and where all are of one."""
        return self.run_of if 1 < self.run_count < len(self) else None

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """The labels that seem to be groups of runs, such as optimizer, and the values of each."""
        return group_labels(self.columns, self.labels)

    def describe(self, face: Face = PYTHON) -> str:
        """Write the runs and their ranges, which column came from where, and what is doubtful."""
        return describe(self.columns, self.labels, self.provenance, self.findings, face)

    def picture(self) -> str | None:
        """Draw the runs in the plane of N and D, as text; None where these do not both vary.

        A point is one run and a digit so many; where there are groups, letters tell them apart.
        """
        groups = next(iter(self.groups), None)
        return picture(self.columns, None if groups is None else (groups, self.labels[groups]))

    def to_pandas(self) -> "pd.DataFrame":
        """Numeric columns by symbol, then labels, as a new data frame."""
        import pandas as pd

        return pd.DataFrame({k: np.array(v) for k, v in {**self.columns, **self.labels}.items()})

    def __repr__(self) -> str:
        return self.describe()

    def __reduce__(self) -> tuple[object, ...]:
        # Mapping proxies cannot be pickled, and NumPy forgets the read-only flag.
        parts = dict(self.columns), dict(self.labels), self.row_numbers, self.provenance
        return _restore, parts

    def _with(self, **changes: Any) -> "Runs":
        parts = {
            "columns": self.columns,
            "labels": self.labels,
            "row_numbers": self.row_numbers,
            "provenance": self.provenance,
        }
        return _restore(**{**parts, **changes})


def _restore(
    columns: Mapping[str, FloatArray],
    labels: Mapping[str, Label],
    row_numbers: NDArray[np.int64],
    provenance: Provenance,
) -> Runs:
    """Freeze parts that are known to be valid."""
    return Runs(
        MappingProxyType({name: _frozen(values) for name, values in columns.items()}),
        MappingProxyType({name: _frozen(values) for name, values in labels.items()}),
        _frozen(row_numbers),
        provenance,
    )


def _frozen[Array: NDArray[np.generic]](values: Array) -> Array:
    """Return a read-only array: the same one if it is read-only already, else a copy."""
    if values.flags.writeable:
        values = values.copy()
        values.setflags(write=False)
    return values
