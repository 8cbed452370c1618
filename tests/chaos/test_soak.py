"""A small form of `make soak`: what a process takes up does not grow with epochs or with resumes."""

import pytest

from tests.chaos.soak import Measured, grown, growth, soak


def test_nothing_grows(tmp_path):
    """Memory needs more epochs than these to tell growth from noise; `make soak` looks at it."""
    for kind, series in soak(tmp_path, 12, 8).items():
        assert len(series) == {"epochs": 12, "resumes": 8}[kind]
        assert [name for name in grown(growth(series)) if name != "memory"] == []
        last = series[len(series) // 2 :]
        assert len({one.descriptors for one in last}) == len({one.threads for one in last}) == 1
        assert max(one.files for one in last) <= min(one.files for one in last) + 8  # the best epoch is kept as well


@pytest.mark.parametrize("name", ["memory", "descriptors", "threads", "files", "bytes"])
def test_growth_is_seen(name):
    """A descriptor, a thread or a file more every tenth step, or 100 KB; and noise is none."""
    rates = {"memory": 100_000, "bytes": 100_000}
    flat = {"memory": 10**9, "descriptors": 9, "threads": 4, "files": 30, "bytes": 10**6}
    noisy = [Measured(**{**flat, name: flat[name] + step % 3}) for step in range(60)]
    assert grown(growth(noisy)) == []
    rising = [
        Measured(**{**flat, name: flat[name] + rates.get(name, 0) * step + step // 10 + step % 3})
        for step in range(60)
    ]
    assert grown(growth(rising)) == [name]
