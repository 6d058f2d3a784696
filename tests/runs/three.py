"""Three runs, as records."""

import json
from typing import Any

from scalingfit.runs import read

N, D, L = [1e8, 2e8, 4e8], [2e9, 4e9, 9e9], [3.4, 3.1, 2.8]
RECORDS = [{"params": n, "tokens": d, "loss": x} for n, d, x in zip(N, D, L, strict=True)]
DIGEST = read(RECORDS).digest


def written(path: Any, content: Any) -> Any:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
