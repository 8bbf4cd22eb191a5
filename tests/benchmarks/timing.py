"""What all benchmarks share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def median_seconds(functions: dict[str, Callable[[], object]], repeats: int = 7) -> dict[str, float]:
    """Median wall seconds of each function; they take turns, so that a busy moment of the machine hits all."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
