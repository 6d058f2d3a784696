"""Tables of a few runs: four as a frame and as text, and a grid."""

from typing import Any

import numpy as np
import pandas as pd

from scalingfit.runs import Runs, read

FRAME = pd.DataFrame(
    {
        "run": ["a", "b", "c", "d"],
        "params": [1.0e7, 1.0e8, 1.0e8, 1.0e9],
        "tokens": [1.0e9, 2.0e9, 4.0e9, 8.0e9],
        "loss": [4.0, 3.5, 3.3, 2.9],
    }
)
GOOD = "run,params,tokens,loss\na,1e7,1e9,4.0\nb,1e8,2e9,3.5\nc,1e8,4e9,3.3\nd,1e9,8e9,2.9\n"
DIGEST = read(FRAME).digest
RECORDS = FRAME.to_dict("records")


def grid(sizes: Any = (1e7, 1e8, 1e9), tokens: Any = (1e9, 1e10, 1e11), **more: Any) -> Any:
    N, D = (axis.ravel() for axis in np.meshgrid(sizes, tokens))
    columns = {"N": N, "D": D, "L": 1.7 + 400 / N**0.34 + 410 / D**0.28}
    return Runs.from_columns({**columns, **more})
