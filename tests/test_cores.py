import os

import pytest

from scalingfit._cores import core_count
from scalingfit.inference.sampler import workplaces


def test_cores_that_are_not_ours_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    assert core_count() == len(workplaces()) == 3
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2, raising=False)
    assert core_count() == len(workplaces()) == 2
    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert core_count() == len(workplaces()) == 128
