"""Signals that a test sends, also where whoever started it has them ignored."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["heard"]


@contextmanager
def heard(number: int) -> Iterator[None]:
    """A signal acts as it does by itself: a shell ignores SIGINT, and nohup SIGHUP, for what they start."""
    before = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)
