"""How runs scatter, and what it changes: Chinchilla's digitised runs under every noise model.

    SCALINGFIT_DATA=FOLDER python -m benchmarks.noises [PART ...]

writes ``benchmarks/noises.md``; the named parts replace the old ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import scalingfit as sf
from benchmarks.comparison import write
from benchmarks.speed.problem import environment, markdown
from benchmarks.tables import epoch
from scalingfit._text import interval
from scalingfit.inference import Sampling
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.runs import Runs

REPORT = Path(__file__).with_suffix(".md")
NOISES = ("student_t", "normal", "laplace", "outlier_mixture", "scatter_with_loss", "error_in_n")
BUDGET = 5.76e23
"""FLOP, of Chinchilla itself."""

SPARING: Sampling = {"draws": 500, "retries": 0}
"""How laws with their error are sampled: each of six noise models takes ten times as long."""

GOLDEN = {
    "all": {
        "student_t": "17.5 [12.0, 25.5]",
        "normal": "2.07 [1.11, 3.67]",
        "laplace": "6.2 [3.8, 10.5]",
        "outlier_mixture": "19.9 [14.1, 26.9]",
        "scatter_with_loss": "18.6 [12.0, 28.4]",
        "error_in_n": "24.6",
    },
    "without": {
        "student_t": "18.6 [13.2, 26.5]",
        "normal": "14.3 [10.2, 19.9]",
        "laplace": "17.5 [11.8, 25.7]",
        "outlier_mixture": "17.1 [11.8, 25.3]",
        "scatter_with_loss": "16.5 [11.2, 24.5]",
        "error_in_n": "24.5 [17.2, 34.0]",
    },
}
"""D*/N* by independent code (NumPyro's NUTS; a number without interval is of greatest likelihood),
the law held to be exact."""

HEAD = f"""# How runs scatter, and what it changes

Made by `python -m benchmarks.noises`: `scalingfit.compare` of Chinchilla's law under each noise
model, on the 245 runs that were read off the figure of Hoffmann et al. 2022, and without the five
that Besiroglu et al. 2024 leave out. D\\*/N\\* is the best tokens per parameter at {BUDGET:g}
FLOP, median [5 %, 95 %]; *by other code* the same by NUTS in NumPyro, or by greatest likelihood.
elpd is the expected log predictive density of runs left out, diff to the best with its standard
error.

The answer hangs on the noise as long as outliers are among the runs and the law is taken to be
exact: normal scatter follows them. Held-out scores then tell it apart by hundreds of nats. They
support the default: of the models of scatter alone none is better than Student's t, and the mixture
and scatter that goes with the loss are as good. Error in N is better by 24 ± 6 nats: D was reckoned
here as C / 6 N, so an error in N moves both. Its term may stand for anything that scatters runs
away from the optimum.

With the error of the law the choice of noise matters less. At {BUDGET:g} FLOP, far beyond the runs,
the medians of all noise models lie within a factor of three with the outliers and are the same
without them, and every interval contains them. Scores rise by tens of nats and more, and error in N
is still first, but no longer by twice the standard error. Normal scatter alone loses thousands of
nats to a few outliers where they are among the runs: the error makes the scatter small, and what is
left out is then impossible under it. Laws with their error have {SPARING["draws"]} draws of each
chain here, and no second attempt; some fits would need one, as the verdicts say.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=[*PARTS])
    for name in parser.parse_args().parts:
        text = part(*PARTS[name])
        print(text, flush=True)
        write(REPORT, HEAD, {name: text}, [*PARTS])


def every() -> Runs:
    """All that was read off the figure, five outliers among them."""
    return sf.datasets.read("epoch_chinchilla")


def part(
    title: str, runs: Callable[[], Runs], golden: dict[str, str], law_error: LawError | None
) -> str:
    """The part of the report on one table."""
    sparing: Sampling = {} if law_error is None else SPARING
    found = sf.compare(runs(), "chinchilla", NOISES, law_error=law_error, future=False, **sparing)
    said = found.answers(BUDGET)
    head = ["noise", "D\\*/N\\*", "by other code", "elpd", "diff", "se", "verdict"]
    lines = []
    for name, candidate in found.candidates.items():
        noise = candidate.posterior.model.noise.name
        low, middle, high = said.each[name].quantiles("tokens_per_param")[:, 0].tolist()
        difference, error = candidate.difference, candidate.difference_se
        lines.append(
            [
                f"`{noise}`",
                interval("", low, middle, high),
                golden.get(noise, "-"),
                f"{candidate.loo.elpd:.1f}",
                *(f"{number:.1f}" for number in (difference, error)),
                candidate.posterior.verdict.status,
            ]
        )
    table = markdown(head, lines)
    return f"## {title}\n\n{table}\n\n{said.conclusion}\n\n{found.conclusion}\n\n{environment()}\n"


ALL, FEWER = "All 245 runs", "Without the five of the highest losses"
PARTS: dict[str, tuple[str, Callable[[], Runs], dict[str, str], LawError | None]] = {
    "all-exact": (f"{ALL}, the law exact", every, GOLDEN["all"], None),
    "without-exact": (f"{FEWER}, the law exact", epoch, GOLDEN["without"], None),
    "all-error": (f"{ALL}, the law with its error", every, {}, LAW_ERROR),
    "without-error": (f"{FEWER}, the law with its error", epoch, {}, LAW_ERROR),
}
"""By name: each table, and each way to take the law."""

if __name__ == "__main__":
    main()
