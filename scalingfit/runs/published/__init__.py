"""Published tables of training runs: where they come from and which column is what.

The numbers are not part of this package. Each entry pins the source by address and sha256, and
the tidy CSV made from it (columns ``params``, ``tokens``, ``flops``, ``loss``, ...) by sha256.
Where the source is itself a CSV, `Published.tidy` makes the tidy columns from it; pickles and
notebooks are never opened.
"""

from scalingfit.runs.published.curves import CURVES
from scalingfit.runs.published.entry import Options, Published, ReadOption
from scalingfit.runs.published.language_models import LANGUAGE_MODELS

__all__ = ["PUBLISHED", "Options", "Published", "ReadOption"]

PUBLISHED = (*LANGUAGE_MODELS, *CURVES)
"""All of them, those of language models first."""
