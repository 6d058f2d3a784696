"""What the loss is measured in: taken from a header, or stated as ``L="val_ppl in ppl"``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from scalingfit.runs.values import FloatArray


@dataclass(frozen=True)
class LossUnit:
    """A unit that losses are given in.

    Attributes
    ----------
    name
        Of the losses after they are read, such as "bits per byte".
    given
        What the column holds, where that is not the loss: "a perplexity".
    loss
        From the column to a loss that falls with scale.
    """

    name: str
    given: str = ""
    loss: Callable[[FloatArray], FloatArray] = np.asarray


def _one_minus(scale: float) -> Callable[[FloatArray], FloatArray]:
    return lambda values: 1 - values / scale


UNITS: Mapping[str, LossUnit] = {
    "nats": LossUnit("nats"),
    "bits": LossUnit("bits"),
    "bits per byte": LossUnit("bits per byte"),
    "nats per byte": LossUnit("nats per byte"),
    "ppl": LossUnit("nats", "a perplexity", np.log),
    "accuracy": LossUnit("error rate", "an accuracy", _one_minus(1)),
    "% accuracy": LossUnit("error rate", "an accuracy in percent", _one_minus(100)),
    "error rate": LossUnit("error rate"),
}
"""What may stand behind "in", and what it means."""

_ALIASES: Mapping[str, str] = {
    "nat": "nats",
    "nats/token": "nats",
    "nats per token": "nats",
    "bit": "bits",
    "bits/token": "bits",
    "bits per token": "bits",
    "bpb": "bits per byte",
    "bits/byte": "bits per byte",
    "nats/byte": "nats per byte",
    "perplexity": "ppl",
    "acc": "accuracy",
    "error": "error rate",
    "%": "% accuracy",
    "accuracy %": "% accuracy",
}

# What headers say, the first that fits; words are joined by underscores.
_HEADERS: tuple[tuple[str, str], ...] = (
    (r"bpb|bits?_per_byte", "bits per byte"),
    (r"nats?_per_byte", "nats per byte"),
    (r"ppl|perplexity", "ppl"),
    (r"bits(?:_per_token)?", "bits"),
    (r"nats(?:_per_token)?", "nats"),
    (r"pass_at_\d+|pass_\d+|acc|accuracy|acc_norm|exact_match|win_rate|f1|bleu|auc", "accuracy"),
    (r"error_rate|err_rate|top_?[15]_err(?:or)?", "error rate"),
)


def named(text: str) -> str | None:
    """The unit that a word behind "in" names."""
    word = " ".join(text.lower().split())
    word = _ALIASES.get(word, word)
    return word if word in UNITS else None


def in_header(header: str) -> str | None:
    """The unit that a header names, if it names one."""
    words = re.sub(r"[^a-z0-9]+", "_", header.lower().replace("@", "_at_")).strip("_")
    for pattern, unit in _HEADERS:
        if re.search(rf"(?:^|_)(?:{pattern})(?:_|$)", words):
            return unit
    return None
