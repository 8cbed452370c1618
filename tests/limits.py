"""What a megabyte of any input may take: ten seconds of a processor of its own, and a gigabyte of memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["SECONDS", "within_limits"]

SECONDS = 20
"""Of processor time: beside others on the same cores, the same work takes up to twice as much."""
MIB = 1024
RESET_PEAK = "5"
"""What /proc/self/clear_refs takes to let the peak of memory begin anew."""
STATUS = Path("/proc/self/status")


def status(name: str) -> int:
    """A figure of this process in MiB; 0 where the system does not tell it."""
    found = STATUS.read_text().partition(f"{name}:")[2].split() if STATUS.exists() else []
    return int(found[0]) // 1024 if found else 0


@contextmanager
def within_limits() -> Iterator[None]:
    """The block keeps to both limits, whatever this process took before."""
    if STATUS.exists():
        Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    before, start = status("VmRSS"), time.process_time()
    yield
    seconds, taken = time.process_time() - start, status("VmHWM") - before
    assert seconds < SECONDS, f"{seconds:.1f} s"
    assert taken < MIB, f"{taken} MiB"
