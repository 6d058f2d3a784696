"""Commands that ask a saved fit: `frontier`, `forecast` and `cheapest`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit._files import require_place, write
from scalingfit._text import listed
from scalingfit.cli._hardware import UNKNOWN, Hardware
from scalingfit.cli._picture import drawing, picture_note
from scalingfit.cli._reply import Reply, warn
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._table import Repeated
from scalingfit.cli._values import counted, names, number_if_given, numbers, numbers_if_given

if TYPE_CHECKING:
    from collections.abc import Collection

    from scalingfit.allocation import Counting
    from scalingfit.inference import Posterior
    from scalingfit.result import Result

__all__ = ["cheapest", "forecast", "frontier"]


@Parameter(name="*")
@dataclasses.dataclass(frozen=True)
class Terms:
    """What a run costs, and what is allowed.

    Attributes
    ----------
    counting
        What a run costs: a name that `scalingfit rules` lists.
    omega
        Size of the embeddings, for the rules that count them: the vocabulary times the cube root of
        width / (12 depth). By default 47491, which was fitted to Chinchilla's models.
    max_params
        The largest model allowed.
    inference_tokens
        Tokens the model will serve, each at a third of what a trained one costs. `frontier` and
        `decide` say what that adds to the training budget, `cheapest` counts it in what a loss
        costs; elsewhere it goes with --lifetime alone.
    lifetime
        The budget pays for training and for serving these tokens. `cheapest`, which has no budget,
        always counts both.
    input
        Another input of the law, as one number or one for each row of the answer: `--input U=1e11`.
        A law of batch sizes also takes `--input batch=critical`.
    """

    counting: str = "6ND"
    omega: str | None = None
    max_params: str | None = None
    inference_tokens: str | None = None
    lifetime: Annotated[bool, Parameter(negative="")] = False
    input: Repeated = ()

    def options(self, *, demand: bool = True) -> dict[str, Any]:
        """The same as keywords of the library.

        Parameters
        ----------
        demand
            Whether tokens to serve may stand beside a budget of training.
        """
        served = number_if_given("--inference-tokens", self.inference_tokens, "2T")
        rule = self._rule(served, demand=demand)
        given = {
            "max_params": number_if_given("--max-params", self.max_params, "7B"),
            "inference_tokens": None if self.lifetime else served,
        }
        stated = {name: value for name, value in given.items() if value is not None}
        return {"counting": rule, **_inputs(self.input), **stated}

    def _rule(self, served: float | None, *, demand: bool) -> Counting:
        from scalingfit.allocation import WithInference

        rule = counted(self.counting, self.omega)
        if self.lifetime and served is None:
            raise InputError(
                "--lifetime does not say how many tokens the model will serve",
                remedy="write --lifetime --inference-tokens 2T, or whatever number it is.",
            )
        if served is not None and not (self.lifetime or demand):
            raise InputError(
                "the tokens to serve count here only where the budget pays for serving them",
                remedy="write --lifetime too, or leave --inference-tokens out.",
            )
        return WithInference(rule, served) if self.lifetime and served is not None else rule


AS_USUAL = Terms()
SERVED = "inference_tokens"


def frontier(
    fit: Path,
    /,
    *,
    compute: Annotated[str, Parameter(alias="-C")],
    models: str | None = None,
    terms: Terms = AS_USUAL,
    hardware: Hardware = UNKNOWN,
    plot: Path | None = None,
    marks: Annotated[bool, Parameter(negative="")] = False,
    echarts: Path | None = None,
) -> Reply:
    """Split budgets between parameters and tokens, with intervals.

    ```
    scalingfit frontier fit.nc --compute 1e21,1e24
    scalingfit frontier fit.nc --compute 1e24 --inference-tokens 2T --plot frontier.png
    scalingfit frontier fit.nc --compute 1e22 --models 1B,3B,7B
    ```

    Parameters
    ----------
    fit
        A file that `scalingfit fit -o` wrote.
    compute
        Budgets with commas between them: FLOP, or with --hardware hours (5000h) or dollars ($2M).
    models
        Sizes that can be built, with commas between them, to compare at each budget.
    plot
        Draw the frontier into this file (.png, .pdf or .svg).
    marks
        Mark well-known models in it as well: GPT-3, Chinchilla, Llama 3 and others.
    echarts
        Write the frontier into this file as an option of Apache ECharts (JSON).
    """
    post = loaded_fit(fit)
    budgets, options = names(compute), terms.options() | {"costs": hardware.costs()}
    sizes = numbers_if_given("--models", models)
    if echarts is not None:
        require_place(echarts)
    with drawing(plot) as save:
        found = post.frontier(budgets, **options)
        choice = None if sizes is None else post.choose(budgets, sizes, **options)
        drawn = save(
            lambda report: report.plots.frontier(post, found.C, marks=marks, **terms.options())
        )
    data: dict[str, object] = {**found.as_json(COMMAND_LINE)}
    shown: list[Result | str] = [found]
    if choice is not None:
        data["choice"] = choice
        shown.append(choice)
    shown += picture_note(plot, drawn)
    if echarts is not None:
        from scalingfit.report import echarts as charts

        # What is served beside the budget does not move the best size.
        split = {name: value for name, value in terms.options().items() if name != SERVED}
        chart = charts.frontier(post, found.C, **split)
        write(echarts, json.dumps(chart).encode())
        shown.append(f"written: {echarts}")
    wager = far_beyond(found) or (choice is not None and far_beyond(choice))
    return Reply(data, shown, warned=wager or not (post.verdict.ok and drawn))


def forecast(
    fit: Path,
    /,
    *,
    params: str | None = None,
    tokens: str | None = None,
    compute: str | None = None,
    input: Repeated = (),
    hardware: Hardware = UNKNOWN,
    plot: Path | None = None,
) -> Reply:
    """Forecast the loss of runs that have not been made.

    ```
    scalingfit forecast fit.nc --params 70e9 --tokens 1.4e12
    scalingfit forecast fit.nc --params 7B,70B --compute 1e24
    ```

    Parameters
    ----------
    fit
        A file that `scalingfit fit -o` wrote.
    params
        Parameters N: 70e9 or 70B; several with commas between them.
    tokens
        Training tokens D, likewise.
    compute
        Training compute C in FLOP, or with --hardware in hours or dollars; the missing one of N, D
        and C follows from C = 6 N D.
    input
        Another input of the law: `--input U=1e11`.
    plot
        Draw the forecasts into this file (.png, .pdf or .svg).
    """
    post = loaded_fit(fit)
    costs = hardware.costs()
    given = {"N": ("--params", params), "D": ("--tokens", tokens)}
    inputs = {
        symbol: numbers(option, text)
        for symbol, (option, text) in given.items()
        if text is not None
    }
    if compute is not None:
        from scalingfit.allocation import flop

        inputs["C"] = flop("C", names(compute), costs).tolist()
    asked = inputs | _inputs(input, inputs)
    with drawing(plot) as save:
        found = post.forecast(counting="6ND", seed=0, costs=costs, **asked)
        drawn = save(lambda report: report.picture(found))
    sound = post.verdict.ok and drawn and not far_beyond(found)
    return Reply(found, [found, *picture_note(plot, drawn)], warned=not sound)


def cheapest(
    fit: Path,
    /,
    *,
    loss: str,
    terms: Terms = AS_USUAL,
    hardware: Hardware = UNKNOWN,
) -> Reply:
    """Find the least compute that reaches a loss, and how to split it.

    ```
    scalingfit cheapest fit.nc --loss 2.1,2.0
    scalingfit cheapest fit.nc --loss 2.0 --max-params 7B --inference-tokens 2T
    ```

    Where the model will serve tokens, the least cost is that of training and serving together, and
    the answer has each.

    Parameters
    ----------
    fit
        A file that `scalingfit fit -o` wrote.
    loss
        Losses to reach, with commas between them.
    """
    if terms.lifetime:
        raise InputError(
            "--lifetime says what a budget pays for, and there is none here: the least cost of a "
            "loss is always that of training and serving",
            remedy="leave --lifetime out; --inference-tokens 2T says how many tokens are served.",
        )
    post = loaded_fit(fit)
    found = post.cheapest(numbers("--loss", loss), costs=hardware.costs(), **terms.options())
    return Reply(found, [found], warned=far_beyond(found) or not post.verdict.ok)


def loaded_fit(path: Path) -> Posterior:
    """Read a fit; where its verdict is not ok, recall it: its notes were said when it was made."""
    post = sf.load(path)
    if not post.verdict.ok:
        codes = listed(dict.fromkeys(note.code for note in post.verdict.notes))
        warn(f"{path} was saved with the verdict {post.verdict.status!r}: {codes}")
    return post


def far_beyond(answer: Result) -> bool:
    """Whether an answer lies so far beyond the runs that it is a warning."""
    return any(note.code == "far_beyond_runs" for note in answer.notes)


def _inputs(texts: tuple[str, ...], given: Collection[str] = ()) -> dict[str, list[float] | str]:
    """What ``--input`` says, besides the inputs that other options gave."""
    found: dict[str, list[float] | str] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise InputError(f"--input {text!r} names no input", remedy="write --input U=1e11.")
        if (name := name.strip()) in {*found, *given}:
            raise InputError(
                f"{name} is given twice",
                remedy=f"write --input {name}=1e9,1e10 for several values.",
            )
        word = values.strip() == "critical"  # of a batch size
        found[name] = "critical" if word else numbers(f"--input {name}", values)
    return found
