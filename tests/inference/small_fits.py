"""Quick fits, and how the draws of two are compared."""

from typing import Any

import numpy as np
from arviz_stats.base import array_stats

QUANTILES = (0.05, 0.5, 0.95)


def assert_same_distribution(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> None:
    """Means, and shares below quantiles, within five Monte-Carlo standard errors.

    Some two thousand are compared in all: by chance one of them lies beyond four in one round of
    ten, and beyond five in one of a thousand. Of logarithms, where there are. Errors of shares are
    binomial; those of the quantiles themselves are ill known from some hundred draws.
    """
    for name in one:
        if not np.ptp(one[name]):  # pinned
            assert one[name].flat[0] == two[name].flat[0]
            continue
        pair = one[name], two[name]
        if all(np.all(draws > 0) for draws in pair):
            pair = np.log(one[name]), np.log(two[name])
        errors = [array_stats.mcse(draws, method="mean") for draws in pair]
        assert abs(pair[0].mean() - pair[1].mean()) < 5 * np.hypot(*errors), name
        for level in QUANTILES:
            sizes = [array_stats.ess(draws, method="quantile", prob=level) for draws in pair]
            error = np.sqrt(level * (1 - level) * np.sum(1 / np.array(sizes)))
            share = np.mean(pair[0] <= np.quantile(pair[1], level))
            assert abs(share - level) < 5 * error, (name, level)


QUICK: dict[str, Any] = {"law_error": None, "draws": 200, "warmup": 50, "retries": 0}
