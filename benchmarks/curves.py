"""Learning curves extrapolated by six laws and by their stack, beside published scores.

    SCALINGFIT_DATA=FOLDER python -m benchmarks.curves [LAW ...] [--draws 250]

writes ``benchmarks/curves.md``. Forecasts of a law are kept in ``benchmarks/out/curves``, so that
laws may be added one by one.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

import scalingfit as sf
from benchmarks.speed.problem import environment
from scalingfit._errors import InputError
from scalingfit.inference import Limits
from scalingfit.runs import Runs

REPORT = Path(__file__).with_suffix(".md")
KEPT = Path(__file__).parent / "out" / "curves"
LAWS = ("power_m1", "power", "power_m3", "power_m4", "broken", "broken_twice")

type Floats = NDArray[np.float64]
type Forecasts = Mapping[str, NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Domain:
    """Curves that are scored and stacked together.

    Attributes
    ----------
    title : str
    source : str
        The table they are in.
    prefix : str
        What the names of its curves begin with.
    language : bool
        Whether the published column on language counts them.
    """

    title: str
    source: str
    prefix: str = ""
    language: bool = False


DOMAINS = (
    Domain("IC", "alabdulmohsin_curves", "IC|"),
    Domain("NMT", "alabdulmohsin_curves", "NMT|", language=True),
    Domain("LM", "alabdulmohsin_curves", "LM|", language=True),
    Domain("BB", "alabdulmohsin_curves", "BB|", language=True),
    Domain("nanoGPT", "nanogpt_bench_width", language=True),
    Domain("double descent", "double_descent_curves"),
    Domain("schedules", "multipower_lr_curves"),
)
SOURCES = tuple(dict.fromkeys(domain.source for domain in DOMAINS))

HEAD = """# Learning curves, extrapolated

Made by `python -m benchmarks.curves`, which calls `scalingfit.backtest(runs, law, split="split",
by=...)` with every curve cut where its source cut it, and Student-t scatter on log loss:

- IC (images), NMT, LM and BB (language): 92 curves against examples seen (Alabdulmohsin et al.
  2022, arXiv 2209.06640), without the rows that the file repeats.
- nanoGPT: 24 curves of 7 points against embedding width, six to fit and one to forecast (Kadra et
  al. 2023; split of Lee et al. 2025, arXiv 2505.23032).
- double descent: 16 curves that are not monotone (Nakkiran et al. 2020, arXiv 1912.02292; the first
  half to fit, split of Lee et al. 2025).
- schedules: three model sizes, trained under nine schedules of the learning rate (Luo et al. 2025,
  arXiv 2503.12811). The source splits whole schedules, so a table is one size, and its law in the
  step alone knows nothing of the rate that the source's own law is made for.

RMSLE of a curve is the root mean square of log(median forecast / observed) over its test points;
log score is the mean log predictive density of its test points, of the loss divided by its largest
training value. Both are averaged over curves. *90 %* is the mean share of a curve's test points
inside 90 % intervals of a new point.

Every curve has a fit of its own, of 4 chains of 250 draws; none is sampled again (`draws=250,
retries=0, limits=Limits(ess=100)`).

*stacked* mixes the laws with one set of weights per domain. The weights maximise the log score of
the last third of the training points, given the first two thirds, over the domain's curves; no test
point takes part. Its forecast is the weighted mean of the laws' median log forecasts. A law needs
two runs more than it has parameters, so it may leave short curves out, and is then not stacked.
"""

PUBLISHED = """## Beside published numbers

| RMSLE, log likelihood | IC | | language | | double descent | |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| M4, point fit | 0.0415 | | | | | |
| BNSL, point fit | 0.0406 | | 0.0223 | | 0.0468 | |
| MCMC (M4) | 0.0422 | 3.024 | 0.0235 | 2.216 | | |
| MCMC (BNSL) | 0.0645 | 2.921 | | | 0.0494 | 1.250 |
| LC-PFN | 0.0428 | 2.429 | 0.0398 | 1.519 | 0.0706 | 1.321 |
| NSL-PFN | 0.0280 | 3.330 | 0.0194 | 2.773 | 0.0335 | 2.565 |

As Lee et al. 2025 (arXiv 2505.23032) report them, read from a summary of their tables, not from the
paper itself. *Language* is the mean over NMT, LM, BB and nanoGPT; whether over all curves, as
ours, or over the four means was not seen. The published MCMC took 155 seconds a curve.

What is the same: the curves and their split, the RMSLE of a curve, the mean over curves, losses
divided by their largest training value. What differs or could not be checked:

- Their log likelihood is of a normal density whose scale, and whether of the loss or of its
  logarithm, was not seen. Ours is of the loss, with Student-t scatter. RMSLE compares, log scores
  do so only roughly.
- We drop the rows that the file repeats (all in LM). Whether they do was not seen.
- M1 to M4 were fitted by others by least squares with a search over starts; ours are medians of
  posterior forecasts under the default priors of these laws.
- Luo et al.'s law of the schedule reaches an RMSE of 0.0047, 0.0059 and 0.0073 nats on the test
  schedules of the three sizes, with a term for the learning rate that no law here has.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("laws", nargs="*", default=list(LAWS))
    parser.add_argument("--draws", type=int, default=250)
    asked = parser.parse_args()
    for source in SOURCES:
        runs = curves(source)
        inner = within(runs)
        for law in asked.laws:
            forecast(source, "test", runs, law, asked.draws)
            forecast(source, "inner", inner, law, asked.draws)
        REPORT.write_text(report(), encoding="utf-8")


@functools.cache
def curves(source: str) -> Runs:
    """Its rows, with the input X and the labels "curve" and "split"."""
    runs = sf.datasets.load(source)
    if source != "multipower_lr_curves":
        return relabelled(runs, runs["X"], runs.labels["curve_id"], runs.labels["split"])
    size = np.array([f"{params / 1e6:.0f}M" for params in runs["N"]], object)
    return relabelled(runs, runs["S"], size, runs.labels["split"])


def relabelled(runs: Runs, x: Floats, curve: NDArray[Any], split: NDArray[Any]) -> Runs:
    return Runs.from_columns({"X": x, "L": runs["L"]}, labels={"curve": curve, "split": split})


def within(runs: Runs) -> Runs:
    """The training points alone, with a split of their own."""
    train = runs.take(runs.labels["split"] == "train")
    split = np.full(len(train), "test", object)
    for curve in np.unique(train.labels["curve"]):
        rows = np.flatnonzero(train.labels["curve"] == curve)
        order = rows[np.argsort(train["X"][rows], kind="stable")]
        split[order[: -(-2 * len(order) // 3)]] = "train"
    return relabelled(train, train["X"], train.labels["curve"], split)


def kept(source: str, what: str, law: str) -> Path:
    return KEPT / source / f"{what}-{law}.npz"


def forecast(source: str, what: str, runs: Runs, law: str, draws: int) -> None:
    """Fit and forecast all curves by one law, and keep what the report needs."""
    path = kept(source, what, law)
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    try:
        found = sf.backtest(
            runs, law, split="split", by="curve", draws=draws, retries=0, limits=Limits(ess=100)
        )
    except InputError as error:  # every curve is too short
        said, nothing = str(error).splitlines()[1].strip(" -"), np.empty(0)
        print(source, law, what, said, flush=True)
        np.savez(
            path, seconds=0.0, messages=[said], observed=nothing, point=nothing, log_score=nothing,
            low=nothing, high=nothing, curve=np.empty(0, str),
        )  # fmt: skip
        return
    seconds = time.perf_counter() - start
    (record,) = found.records.values()
    print(source, law, what, f"{seconds:.0f} s", *found.messages, flush=True)
    low, high = record.ends[2]
    np.savez(
        path, seconds=seconds, messages=np.array(found.messages, str), observed=record.observed,
        point=record.point, log_score=record.log_score, low=low, high=high,
        curve=np.array([str(found.tables[at]) for at in record.table]),
    )  # fmt: skip


def load(domain: Domain, what: str, law: str) -> Forecasts:
    """The forecasts of one domain's curves."""
    with np.load(kept(domain.source, what, law)) as file:
        found = dict(file)
    inside = np.char.startswith(found["curve"], domain.prefix)
    names = ("curve", "observed", "point", "log_score", "low", "high")
    return {name: found[name][inside] for name in names}


def done(source: str) -> list[str]:
    """The laws whose forecasts of a table are kept."""
    return [law for law in LAWS if kept(source, "inner", law).is_file()]


def report() -> str:
    lines = ["| curves | | law | RMSLE | log score | 90 % | weight |"]
    lines += ["| --- | ---: | --- | ---: | ---: | ---: | ---: |"]
    language: dict[str, list[Scores]] = {}
    images: list[float] = []
    for domain in DOMAINS:
        laws = done(domain.source)
        if not laws:
            continue
        largest = largest_losses(domain)
        test = {law: load(domain, "test", law) for law in laws}
        inner = {law: load(domain, "inner", law) for law in laws}
        # A curve too short for a law is left out by it; only laws of all curves are stacked.
        whole = [
            law for law in laws
            if all(len(np.unique(one[law]["curve"])) == len(largest) for one in (test, inner))
        ]  # fmt: skip
        weight = weights({law: inner[law] for law in whole})
        test["stacked"] = stacked({law: test[law] for law in whole}, weight)
        for name, forecasts in test.items():
            if not len(forecasts["curve"]):
                lines.append(f"| {domain.title} | 0 | {name} | | | | |")
                continue
            scored = scores(forecasts, largest)
            share = f"{weight[name]:.2f}" if name in weight else ""
            lines.append(f"| {domain.title} | {len(scored.rmsle)} | {name} | {scored} | {share} |")
            if domain.title == "IC" and name in laws:
                images.append(scored.covered.mean())
            if domain.language:
                language.setdefault(name, []).append(scored)
    for name, parts in language.items():
        if len(parts) == sum(domain.language for domain in DOMAINS):
            together = Scores.together(parts)
            lines.append(f"| language, all four | {len(together.rmsle)} | {name} | {together} | |")
    text = [HEAD, *lines, "", trust(images), PUBLISHED, cost(), "", environment(), ""]
    return "\n".join(text)


def trust(images: list[float]) -> str:
    """What the table means for whoever uses such a forecast."""
    source = SOURCES[0]
    lost: list[str] = []
    for law in done(source):
        with np.load(kept(source, "test", law)) as file:
            said = [text for text in file["messages"].tolist() if text.endswith("not converge")]
        lost += [text.removesuffix(" fits did not converge") for text in said]
    return f"""## How far to trust it

Fits that did not converge are scored all the same. At the source's own split of the curves on
images and language these were: {", ".join(lost) or "none"}.
The last table counts the others.

The intervals are far too narrow: on images, those of 90 % held
{min(images):.0%} to {max(images):.0%} of the test points, by law.
Use the forecast as a point; for its error, see how far such forecasts missed on curves like yours
whose end is known (`scalingfit.backtest`), and not the interval.
"""


def cost() -> str:
    """Seconds a fit, what did not converge, and what was not tried."""
    lines = [
        "## What it cost",
        "",
        "| law | seconds a fit | what was said |",
        "| --- | ---: | --- |",
    ]
    for law in LAWS:
        seconds, count, said = 0.0, 0, []
        for source in SOURCES:
            if law not in done(source):
                said.append(f"{source}: not run")
                continue
            for what in ("test", "inner"):
                with np.load(kept(source, what, law)) as file:
                    seconds += float(file["seconds"])
                    count += len(np.unique(file["curve"]))
                    said += [f"{source}, {what}: {text}" for text in file["messages"].tolist()]
        lines.append(
            f"| {law} | {seconds / max(count, 1):.1f} | {'; '.join(said) or 'all passed'} |"
        )
    return "\n".join(lines)


def largest_losses(domain: Domain) -> dict[str, float]:
    """The largest training loss of every curve."""
    runs = curves(domain.source)
    train = runs.labels["split"] == "train"
    names = runs.labels["curve"].astype(str)
    inside = [name for name in np.unique(names) if name.startswith(domain.prefix)]
    return {str(name): float(runs["L"][train & (names == name)].max()) for name in inside}


def weights(inner: Mapping[str, Forecasts]) -> dict[str, float]:
    """Stacking weights: maximise the mean over curves of the mixture's mean log score."""
    curve = next(iter(inner.values()))["curve"]
    share = 1 / np.unique(curve, return_counts=True)[1][np.unique(curve, return_inverse=True)[1]]
    table = np.array([found["log_score"] for found in inner.values()])

    def loss(free: Floats) -> float:
        log_weight = np.log(softmax(free))[:, None]
        return -float(np.sum(share * logsumexp(log_weight + table, axis=0)))

    free = minimize(loss, np.zeros(len(inner)), bounds=[(-12, 12)] * len(inner)).x
    return dict(zip(inner, softmax(free).tolist(), strict=True))


def stacked(test: Mapping[str, Forecasts], weight: Mapping[str, float]) -> Forecasts:
    first = next(iter(test.values()))
    share = np.array([weight[law] for law in test])[:, None]
    points = np.log([found["point"] for found in test.values()])
    scored = np.array([found["log_score"] for found in test.values()])
    nothing = np.full(len(first["observed"]), np.nan)  # its intervals were not drawn
    return {
        "observed": first["observed"],
        "curve": first["curve"],
        "point": np.exp(np.sum(share * points, axis=0)),
        "log_score": logsumexp(np.log(share) + scored, axis=0),
        "low": nothing,
        "high": nothing,
    }


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of curves, each of shape (curve,)."""

    rmsle: Floats
    log_score: Floats
    covered: Floats

    @classmethod
    def together(cls, parts: list[Scores]) -> Scores:
        """The scores of several domains' curves."""
        columns = zip(*[dataclasses.astuple(part) for part in parts], strict=True)
        return cls(*[np.concatenate(column) for column in columns])

    def __str__(self) -> str:
        share = "" if np.isnan(self.covered).any() else f"{self.covered.mean():.0%}"
        return f"{self.rmsle.mean():.4f} | {self.log_score.mean():.3f} | {share}"


def scores(found: Forecasts, largest: Mapping[str, float]) -> Scores:
    names, curve = np.unique(found["curve"], return_inverse=True)
    counts = np.bincount(curve)

    def each(values: Floats) -> Floats:
        return np.bincount(curve, values) / counts

    observed = found["observed"]
    inside = (found["low"] <= observed) & (observed <= found["high"])
    return Scores(
        rmsle=np.sqrt(each(np.log(found["point"] / observed) ** 2)),
        log_score=each(found["log_score"]) + np.log([largest[str(name)] for name in names]),
        covered=each(np.where(np.isnan(found["low"]), np.nan, inside)),
    )


if __name__ == "__main__":
    main()
