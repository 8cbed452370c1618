"""Something that is done every so many seconds, from a thread, while a block runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["beside"]


@contextmanager
def beside(do: Callable[[], object], seconds: float, name: str) -> Iterator[None]:
    """Call `do` every `seconds` until the block ends; a call that has begun then is waited for.

    What it raises ends the thread, not the block.

    >>> calls = []
    >>> with beside(lambda: calls.append(1), 0.01, "example"):
    ...     while not calls:
    ...         pass
    """
    done = threading.Event()

    def follow() -> None:
        while not done.wait(seconds):
            do()

    thread = threading.Thread(target=follow, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
