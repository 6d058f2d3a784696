"""Logs of single runs, recognised for what they are, and their last values: one row a run."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from scalingfit.runs.cells import is_missing

_SCALAR = re.compile(r"(?:run-)?(.+)-tag-(.+)\.csv(?:\.gz)?")
"""The name of a file that TensorBoard exports: its run and its tag."""
_SIZE = re.compile(r"(?<![A-Za-z0-9.])\d+(?:\.\d+)?[KMBT](?![A-Za-z0-9])", re.IGNORECASE)
"""A number of parameters in the name of a run, such as 350M in ``gpt-350M-seed1``."""
_KINDS = re.compile(r"(?:\.[A-Za-z]{2,7})+$")  # such as .csv.gz; a point of 1.3B is none
_CHART = re.compile(r"(.+) - (.+?)(__MIN|__MAX)?")


@dataclass(frozen=True)
class Log:
    """What one run wrote as it went on.

    Attributes
    ----------
    kind
        What it is, in words.
    records
        One row a step.
    whole
        What is known of the whole run.
    ends
        The last values of each run, where the log is of several; None where it is of one.
    run
        The run's name, where the log says it.
    """

    kind: str
    records: pd.DataFrame
    whole: Mapping[str, object] = field(default_factory=dict)
    ends: pd.DataFrame | None = None
    run: str | None = None

    def end(self) -> dict[str, object]:
        """The last value that each column has, and what is known of the whole run."""
        last = {}
        for name in self.records.columns:
            present = [cell for cell in self.records[name] if not is_missing(cell)]
            if present:
                last[str(name)] = present[-1]
        return {**last, **self.whole}


def find_log(content: object, file: str = "") -> Log | None:
    """The log that a file of some name or a frame holds; None where it is something else."""
    if isinstance(content, pd.DataFrame):
        return _tensorboard(content, file) or _chart(content)
    if not isinstance(content, Mapping):
        return None
    if _is_records(content.get("log_history")):
        return _trainer_state(content)
    if isinstance(content.get("results"), Mapping) and "config" in content:
        return _evaluation(content)
    return None


def run_names(paths: Sequence[Path]) -> list[str]:
    """Names of runs from the paths of their logs: what tells these apart, the shortest."""
    stems = [_KINDS.sub("", path.name) for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    texts = [path.as_posix() for path in paths]
    common = os.path.commonpath(texts) if len(set(texts)) > 1 else ""
    rest = [text.removeprefix(common).strip("/") for text in texts]
    tails = {text.partition("/")[2] for text in rest}
    heads = [text.partition("/")[0] for text in rest]
    return heads if len(tails) == 1 and len(set(heads)) == len(heads) else rest


def sizes_in(names: Sequence[str]) -> list[str] | None:
    """The one size that each name states, ``350M`` of ``gpt-350M-seed1``; None where one lacks it.

    >>> sizes_in(["gpt-125M-seed1", "gpt-1.3B_seed2"])
    ['125M', '1.3B']
    """
    found = [_SIZE.findall(name.replace("_", " ")) for name in names]
    return [sizes[0] for sizes in found] if all(len(sizes) == 1 for sizes in found) else None


def _is_records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _scalars(record: Mapping[object, object]) -> dict[str, object]:
    return {
        str(key): value
        for key, value in record.items()
        if isinstance(value, int | float | str) and not isinstance(value, bool)
    }


def _trainer_state(content: Mapping[object, object]) -> Log:
    """``trainer_state.json`` of the Hugging Face Trainer; its counts are 0 where it kept none."""
    history = content["log_history"]
    rows = [_scalars(record) for record in history]  # type: ignore[attr-defined]
    # What it calls the loss is the training loss; the other one is the eval_loss.
    rows = [{"train_loss" if k == "loss" else k: v for k, v in row.items()} for row in rows]
    records = pd.DataFrame(rows, dtype=object)
    whole = _scalars(content)
    for count in ("num_input_tokens_seen", "total_flos"):
        if whole.get(count) == 0:
            del whole[count]
    return Log("the log of one run (the state of a Trainer)", records, whole)


def _evaluation(content: Mapping[object, object]) -> Log:
    """Results of the LM evaluation harness: ``task.metric`` by task."""
    scores: dict[str, object] = {}
    for task, metrics in content["results"].items():  # type: ignore[attr-defined]
        for metric, value in metrics.items() if isinstance(metrics, Mapping) else ():
            scores[f"{task}.{str(metric).removesuffix(',none')}"] = value
    config = content["config"]
    whole = {
        key: value
        for key, value in (_scalars(config) if isinstance(config, Mapping) else {}).items()
        if key in ("model_num_parameters", "model_args", "model")
    }
    if isinstance(content.get("model_name"), str):
        whole["model_name"] = content["model_name"]
    records = pd.DataFrame([{k: v for k, v in scores.items() if isinstance(v, int | float)}])
    return Log("the evaluation of one model", records, whole)


def _tensorboard(frame: pd.DataFrame, file: str) -> Log | None:
    """A scalar as TensorBoard exports it: the name of the file tells the run and the tag."""
    if [str(name) for name in frame.columns] != ["Wall time", "Step", "Value"]:
        return None
    kind, named = "the log of one run (a scalar of TensorBoard)", _SCALAR.fullmatch(file)
    if named is None:
        return Log(kind, frame)
    records = frame.rename(columns={"Value": named[2], "Wall time": f"time of {named[2]}"})
    return Log(kind, records, run=named[1])


def _chart(frame: pd.DataFrame) -> Log | None:
    """A chart as Weights & Biases exports it: one column a run, beside them its least and most."""
    names = [str(name) for name in frame.columns]
    found = {name: match for name in names if (match := _CHART.fullmatch(name)) is not None}
    middle = {name: match for name, match in found.items() if match[3] is None}
    if not middle or not all({f"{name}__MIN", f"{name}__MAX"} <= set(names) for name in middle):
        return None
    rows: dict[str, dict[str, object]] = {}
    for name, match in middle.items():
        rows.setdefault(match[1], {"run": match[1]})[match[2]] = (
            Log("", frame[[name]]).end().get(name)
        )
    ends = pd.DataFrame(list(rows.values()), dtype=object)
    return Log("a chart of runs, one column a run", frame, ends=ends)
