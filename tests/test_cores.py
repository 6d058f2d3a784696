import os

import jax
import pytest

from scalingfit._cores import core_count
from scalingfit.inference import sampler, workplaces


def test_cores_that_are_not_ours_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    assert core_count() == 3
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2, raising=False)
    assert core_count() == 2
    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert core_count() == 128


@pytest.mark.parametrize(("cores", "places"), [(1, 1), (2, 3), (16, 17)])
def test_on_a_cpu_one_group_more_than_cores_is_at_work(
    monkeypatch: pytest.MonkeyPatch, cores: int, places: int
) -> None:
    """Of one device; more devices than cores have a place each, as batches test."""
    device = jax.local_devices()[0]
    monkeypatch.setattr(sampler, "core_count", lambda: cores)
    monkeypatch.setattr(jax, "local_devices", lambda: [device])
    expected = places if device.platform == "cpu" else 1
    assert workplaces() == [device] * expected
