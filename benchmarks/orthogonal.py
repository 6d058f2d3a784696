"""What E, alpha and beta mean beside an error of the law: as sampled, and nearest to the sum.

    SCALINGFIT_DATA=FOLDER python -m benchmarks.orthogonal

writes ``benchmarks/orthogonal.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

import scalingfit as sf
from benchmarks.speed.problem import environment, markdown
from benchmarks.tables import epoch
from scalingfit.inference import Posterior

type Floats = NDArray[np.float64]

REPORT = Path(__file__).with_suffix(".md")
STEPS = 100
CLOSE = 1e-9
"""Of a step, in log units of each parameter and term."""

HEAD = """# What parameters mean beside an error

Made by `python -m benchmarks.orthogonal`: Chinchilla's law on the 240 runs that Besiroglu et al.
2024 keep. With an error, the truth of a draw is law times exp(error), and many laws have such a
sum: a floor that is too low can be made up for by an error that is positive where losses are small.
There are two ways to say which law is meant.

- *As sampled*, the default: the law that, with an error of the declared prior, makes the sum. It is
  what remains when a smooth error, small between runs and growing with the distance, is taken off.
  The error's prior decides how much of the truth is law and how much is error, and both may be
  large and nearly cancel at the runs, so E, alpha and beta are wide. They are meant to hold beyond
  the runs too: E is the floor that is approached if the error stays as it is.
- *Nearest*: the law that is closest to the sum, by least squares of log loss over the runs. What is
  left of the error is then orthogonal to the slopes of the law in its parameters (Plumlee 2017, J.
  Am. Stat. Assoc. 112, 1274). E, alpha and beta are those that a fit by least squares would give to
  such runs without scatter: they describe the runs that there are, other runs would have others,
  and E is no more than the floor of the best description. Narrow intervals say that the description
  is certain, not that it goes on.

Nearest laws are found draw by draw from the sampled ones, as in projected calibration (Xie & Xu
2021, J. Am. Stat. Assoc. 116, 1965). Plumlee samples with a prior of the error that is orthogonal
from the outset; the sum is then the same but for the prior. Forecasts and best sizes are of the
sum, and do not depend on how it is parted. The law that is taken to be exact lies elsewhere than
the nearest, because Student-t scatter counts runs that the law misses by much as outliers, and
least squares does not: under normal scatter it is nearer.
"""


def main() -> None:
    runs = epoch()
    exact, post = sf.fit(runs, law_error=None), sf.fit(runs)
    near, left = nearest(post)
    found = {
        "law exact": values(exact.law),
        "law exact, normal scatter": values(sf.fit(runs, noise="normal", law_error=None).law),
        "with error, as sampled": values(post.law),
        "with error, nearest to the sum": near,
    }
    REPORT.write_text(report(found, sizes(post), left), encoding="utf-8")


def values(law: Any) -> dict[str, Floats]:
    """What is compared, of every draw: parameters, a = beta / (alpha + beta), and the two terms."""
    E, alpha, beta, A, B = (np.ravel(getattr(law, n)) for n in ("E", "alpha", "beta", "A", "B"))
    return {
        "E": E,
        "alpha": alpha,
        "beta": beta,
        "a": beta / (alpha + beta),
        "A / N^alpha at 1e9": A * 1e9**-alpha,
        "B / D^beta at 2e10": B * 2e10**-beta,
    }


def nearest(post: Posterior) -> tuple[dict[str, Floats], Floats]:
    """The law nearest to each draw of the sum over the runs, and how far it is from it, (draw,).

    By Gauss-Newton steps with Levenberg's damping, all draws at once, in the logarithms of the
    floor, the exponents, and the terms at the geometric mean of the runs.
    """
    runs, law = post.runs, post.law
    n, d = np.log(runs.N), np.log(runs.D)
    x, y = n - n.mean(), d - d.mean()
    truth = sums(post)
    drawn: Any = law
    at = np.stack(
        [
            np.log(drawn.E),
            np.log(drawn.alpha),
            np.log(drawn.beta),
            np.log(drawn.A) - drawn.alpha * n.mean(),
            np.log(drawn.B) - drawn.beta * d.mean(),
        ],
        axis=-1,
    ).reshape(-1, 5)

    def parts(at: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        E, alpha, beta, u, v = np.exp(at).T[..., None]
        return E, alpha * x, beta * y, u * np.exp(-alpha * x), v * np.exp(-beta * y)

    def miss(at: Floats) -> Floats:
        E, _, _, u, v = parts(at)
        return np.asarray(truth - np.log(E + u + v))

    damping, residual = np.full(len(at), 1e-3), miss(at)
    for _ in range(STEPS):
        E, ax, by, u, v = parts(at)
        slopes = np.stack([E + 0 * u, -ax * u, -by * v, u, v], axis=-1) / (E + u + v)[..., None]
        bend = np.einsum("drp,drq->dpq", slopes, slopes)
        bend[:, range(5), range(5)] *= 1 + damping[:, None]
        downhill = np.einsum("drp,dr->dp", slopes, residual)
        step = np.linalg.solve(bend, downhill[..., None])[..., 0]
        tried = miss(at + step)
        better = (tried**2).sum(axis=1) <= (residual**2).sum(axis=1)
        at = np.where(better[:, None], at + step, at)
        residual = np.where(better[:, None], tried, residual)
        damping = np.where(better, damping / 5, damping * 4)
        if np.all(np.abs(step[better]) < CLOSE):
            break
    E, alpha, beta, u, v = np.exp(at).T
    A, B = u * np.exp(alpha * n.mean()), v * np.exp(beta * d.mean())
    found = sf.law("chinchilla")(E=E, alpha=alpha, beta=beta, A=A, B=B)
    return values(found), np.sqrt(np.mean(residual**2, axis=1))


def sums(post: Posterior) -> Floats:
    """Log loss of the law with its error at the runs, (draw, run)."""
    with jax.enable_x64(True):
        loss = post.law_with_error.expand(1).loss(N=post.runs.N, D=post.runs.D)
    return np.log(np.asarray(loss)).reshape(-1, len(post.runs))


def sizes(post: Posterior) -> Floats:
    """Root mean square of the error as sampled, over the runs, (draw,)."""
    with jax.enable_x64(True):
        loss = post.law.expand(1).loss(N=post.runs.N, D=post.runs.D)
    exact = np.log(np.asarray(loss)).reshape(-1, len(post.runs))
    return np.asarray(np.sqrt(np.mean((sums(post) - exact) ** 2, axis=1)))


def report(found: dict[str, dict[str, Floats]], sampled: Floats, left: Floats) -> str:
    """The page."""

    def cell(draws: Floats) -> str:
        low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
        return f"{middle:.3g} [{low:.3g}, {high:.3g}]"

    names = [*next(iter(found.values()))]
    rows = [[title, *(cell(each[name]) for name in names)] for title, each in found.items()]
    errors = (
        f"Root mean square of the error over the runs, in percent: {cell(100 * sampled)} as "
        f"sampled, {cell(100 * left)} of what is left beside the nearest law."
    )
    table = markdown(["", *names], rows)
    return (
        "\n".join([HEAD, "Medians and 90 % intervals.\n", table, "", errors, "", environment()])
        + "\n"
    )


if __name__ == "__main__":
    main()
