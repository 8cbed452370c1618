"""Freed memory is kept where the C library can be told to, and the user's own settings stay."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from raymm import allocator as memory

PAGES = """
import resource, sys
import numpy as np
from raymm.allocator import tune_malloc

done = sys.argv[1] == "keep" and tune_malloc()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for turn in range(20):
    if turn == 10:
        before = faults()
    blocks = [np.ones(2**20) for _ in range(4)]
    del blocks
print(done, faults() - before)
"""


def pages(how, **environment):
    done = subprocess.run(
        [sys.executable, "-c", PAGES, how],
        env={"PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    answer, count = done.stdout.split()
    return answer == "True", int(count)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc is told what to do with freed memory, no other")
def test_blocks_are_not_fetched_again_page_by_page():
    kept, few = pages("keep")
    _, many = pages("leave", MALLOC_MMAP_THRESHOLD_="65536")
    assert kept
    assert few < 0.1 * many


@pytest.mark.parametrize("name", memory.OF_THE_USER)
def test_what_the_user_has_set_stays(monkeypatch, name):
    monkeypatch.setenv(name, "1048576")
    assert memory.tune_malloc() is False


def test_another_c_library_is_left_alone(monkeypatch):
    for name in memory.OF_THE_USER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory.tune_malloc() is False
