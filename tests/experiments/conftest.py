"""The posterior of an isoFLOP grid."""

from typing import Any

import pytest

from tests.posteriors import grid, posterior_of


@pytest.fixture(scope="session")
def posterior() -> Any:
    return posterior_of(grid())
