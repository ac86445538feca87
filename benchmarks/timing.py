"""How long something takes: what benchmarks share.

Put here: taking times. Keep out: what is timed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter


def timed(work: Callable[[], object], repeats: int = 7) -> float:
    """Return the median time of some work, after one run to warm up [s]."""
    work()
    taken = []
    for _ in range(repeats):
        began = perf_counter()
        work()
        taken.append(perf_counter() - began)
    return statistics.median(taken)
