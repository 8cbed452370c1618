"""glibc's thresholds for giving freed memory back to the system, raised in processes that raymm starts."""

import ctypes
import os

__all__ = ["tune_malloc"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of `mallopt` (glibc, malloc.h)."""

KEPT, LARGEST = 256 * 2**20, 32 * 2**20
"""Bytes of free memory that a process keeps, and the largest that glibc lets come from the heap."""


OF_THE_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
"""Variables with which a user may have set the same thresholds."""


def tune_malloc() -> bool:
    """Keep freed memory for the next block instead of handing it back and fetching it again, page by page.

    Fusing coalition after coalition otherwise spends up to a third of its time on page faults, more where cores fetch
    pages at the same time (`bench.actors`). For processes that raymm starts; as a library it leaves the allocator
    alone. What the environment says of the same thresholds goes before.

    Returns
    -------
    Whether it was set; not where the C library is another one.
    """
    if any(name in os.environ for name in OF_THE_USER):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, KEPT)) and bool(mallopt(_MMAP_THRESHOLD, LARGEST))
