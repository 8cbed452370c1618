"""Sizes and times for people."""

__all__ = ["size_text", "time_text"]


def size_text(count: int) -> str:
    """Bytes for people.

    >>> size_text(512), size_text(20_500_000)
    ('512 B', '20.5 MB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def time_text(seconds: float) -> str:
    """A time for people.

    >>> time_text(0.2), time_text(90), time_text(9000)
    ('1 s', '90 s', '2.5 h')
    """
    if seconds < 300:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
