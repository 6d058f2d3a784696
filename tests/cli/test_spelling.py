"""Errors name arguments as data: either face spells them, and the check of that can fail."""

import pytest

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message, OnlyIn, joined
from scalingfit.cli._spelling import COMMAND_LINE
from tests.faces import foreign


@pytest.mark.parametrize(
    ("remedy", "python", "typed"),
    [
        (
            Message("name it: ", Call("read", (Argument("L", "val loss", "column"),)), "."),
            'name it: read(..., L="val loss").',
            "name it: --column 'L=val loss'.",
        ),
        (
            Message("write ", Argument("N", ("size", 1e9), "column"), "."),
            'write N=("size", 1e+09).',
            "write --column 'N=size*1e+09'.",
        ),
        (
            Message("pin it: ", Argument("alpha", 0.34, "prior"), "."),
            "pin it: priors={'alpha': 0.34}.",
            "pin it: --prior alpha=0.34.",
        ),
        (
            Message("use ", Argument("noise", "normal_level"), "."),
            'use noise="normal_level".',
            "use --noise normal_level.",
        ),
        (
            Message(
                "add ",
                joined([Argument("batch", kind="input"), Argument("D", kind="input")]),
                ", or ",
                Argument("batch", "critical", "input"),
                ".",
            ),
            'add batch=... and D=..., or batch="critical".',
            "add --input batch=... and --tokens ..., or --input batch=critical.",
        ),
        (
            Message("use 6ND", OnlyIn("python", (", or give a function",)), "."),
            "use 6ND, or give a function.",
            "use 6ND.",
        ),
    ],
)
def test_advice_is_spelled_by_the_face(remedy: Message, python: str, typed: str) -> None:
    error = InputError("no", remedy=remedy)
    assert str(error) == f"no\nWhat to do: {python}"
    assert error.spelled(COMMAND_LINE) == f"no\nWhat to do: {typed}"
    assert foreign(error) == []


@pytest.mark.parametrize(
    "text",
    [
        "add D=..., one number.",
        'use noise="normal".',
        "read with bad_rows='drop'.",
        "write fit(...).",
        "pass what read() returns.",
        "pin it: priors={'alpha': 0.34}.",
        "write limits=5.",
        "use --noise normal.",
    ],
)
def test_advice_in_one_language_alone_is_found(text: str) -> None:
    assert foreign(InputError("no", remedy=text))


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("the counting function failed on N=1e9, D=1e9", False),
        ("the prior was TruncatedNormal(loc=1.8, scale=0.1)", False),
        ("prior 'E=open(...)' cannot be read", False),
        ("write --column N=params.", True),
    ],
)
def test_what_is_quoted_or_plain_is_no_advice(text: str, typed: bool) -> None:
    assert foreign(InputError(text), typed=typed) == []
