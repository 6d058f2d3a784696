"""Tables of runs in words: what was understood, and what a design cannot tell apart."""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from scalingfit._messages import PYTHON, Face
from scalingfit._text import listed
from scalingfit.runs.findings.doubts import compute_ratio
from scalingfit.runs.findings.finding import Finding, Labels
from scalingfit.runs.provenance import Dropped, Origin, Provenance
from scalingfit.runs.values import FloatArray

CORRELATED = 0.995
"""|corr(log N, log D)| beyond which one exponent cannot be told from the other."""

SAME = 0.05
"""Relative spread below which values count as one: a budget line, a ratio, a size."""


def describe(
    columns: Mapping[str, FloatArray],
    labels: Labels,
    provenance: Provenance,
    found: Iterable[Finding] = (),
    face: Face = PYTHON,
) -> str:
    """Write the runs and their ranges; which column came from where; and what is doubtful."""
    count = len(columns["L"])
    unit = provenance.get("loss_unit")
    ranges = ", ".join(f"{name} {_range(values)}" for name, values in columns.items())
    source = f" from {provenance['source']}" if "source" in provenance else ""
    measured = f"; L in {unit}" if unit else ""
    first = f"{count} run{'s' if count != 1 else ''}{source}: {ranges}{measured}"
    parts = [_origin(name, origin) for name, origin in provenance.get("columns", {}).items()]
    parts += [f"{name} = {rule}" for name, rule in provenance.get("derived", {}).items()]
    ratio = compute_ratio(columns, provenance)
    if ratio is not None:
        parts.append(f"C / (6 N D) is {_range(ratio)}")
    said = [", ".join(parts)] if parts else []
    said += provenance.get("notes", [])
    if provenance.get("dropped"):
        said.append(_dropped(provenance["dropped"]))
    if labels:
        said.append(f"labels {listed(labels)}")
    lines = ["; ".join(said)] if said else []
    lines += provenance.get("kept", [])
    about = provenance.get("dataset", {})
    lines += about.get("notes", [])
    if about.get("views"):
        lines.append(f"views: {listed(about['views'])}")
    lines += [finding.sentence.spelled(face) for finding in found]
    return "\n  ".join([first, *lines])


def design_warnings(columns: Mapping[str, FloatArray]) -> list[str]:
    """Say what the runs cannot tell apart, whatever the law, and what to do about it."""
    return _weak_axes(columns["N"], columns["D"]) if {"N", "D"} <= columns.keys() else []


def _weak_axes(N: FloatArray, D: FloatArray) -> list[str]:
    warnings = []
    distinct = {"N": len(np.unique(N)), "D": len(np.unique(D))}
    for name, count in distinct.items():
        if count < 3:
            warnings.append(
                f"Only {count} distinct value{'s' if count > 1 else ''} of {name}: a power law in "
                f"{name} has a scale, an exponent and a floor, so vary {name} over at least 3."
            )
    if min(distinct.values()) == 1:
        return warnings
    if _spread(N * D) < SAME:
        return [
            *warnings,
            "All runs spend the same compute N D, so N and D are tied and their exponents cannot "
            "be told apart: add runs at a second budget.",
        ]
    if _spread(D / N) < SAME:
        return [
            *warnings,
            f"All runs have the same tokens per parameter (D/N {np.median(D / N):.3g}), so the two "
            "exponents cannot be told apart: add runs with more or fewer tokens per parameter.",
        ]
    correlation = float(np.corrcoef(np.log(N), np.log(D))[0, 1])
    if abs(correlation) > CORRELATED:
        warnings.append(
            f"log N and log D are almost the same axis (correlation {correlation:.4f}), so the two "
            "exponents are hard to tell apart: add runs off that line."
        )
    return warnings


def _spread(values: FloatArray) -> float:
    return float(values.max() / values.min() - 1)


def _range(values: FloatArray) -> str:
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low} to {high}"


def _origin(name: str, origin: Origin) -> str:
    factor = "" if origin["factor"] == 1 else f" x {origin['factor']:g}"
    return f"{name} = {origin['column']}{factor}"


def _dropped(dropped: list[Dropped]) -> str:
    counts = Counter(_why(row) for row in dropped)
    detail = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return f"{len(dropped)} row{'s' if len(dropped) != 1 else ''} dropped ({detail})"


def _why(row: Dropped) -> str:
    if str(row["reason"]).startswith("run is"):
        return f"whose {row['reason']}"
    return f"where {row['column']} {row['reason']}" if row["column"] else str(row["reason"])
