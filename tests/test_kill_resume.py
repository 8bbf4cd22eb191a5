"""A few kills of the benchmark `tests.benchmarks.kill_resume`, and a short run of `tests.benchmarks.memory`."""

import pytest

from .benchmarks.kill_resume import OUTLIERS, kill_test
from .benchmarks.memory import growth


@pytest.mark.parametrize("outliers", OUTLIERS)
def test_runs_killed_at_random_moments_end_as_whole_ones_do(tmp_path, outliers):
    counts = kill_test(tmp_path, outliers, processes=1, kills=2, steps=30)
    assert counts["kills"] == 2 and counts["different"] == 0


def test_memory_does_not_grow_with_the_steps():
    assert growth(150, warm_up=50) < 20
