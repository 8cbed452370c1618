"""A limit for a whole call to a tracking server.

The time-out of a request counts from byte to byte, so a server that sends a byte a second is waited for without end.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Deadlines", "within"]

MOST_LATE = 3
"""Calls that may be late at the same time; each holds a thread and a connection until its answer ends."""

T = TypeVar("T")


class _Call(threading.Thread, Generic[T]):
    """A call in a thread that the end of the process does not wait for."""

    def __init__(self, function: Callable[[], T]) -> None:
        super().__init__(name="raymm-tracking", daemon=True)
        self._function = function
        self._returned: list[T] = []
        self._raised: BaseException | None = None

    def run(self) -> None:
        """Call, and keep what came of it."""
        try:
            self._returned.append(self._function())
        except BaseException as cause:  # noqa: BLE001  (it is raised where the outcome is asked for)
            self._raised = cause

    def outcome(self) -> T:
        """What the call returned; raises what it raised."""
        if self._raised is not None:
            raise self._raised
        return self._returned[0]


class Deadlines:
    """Calls of one tracker, each with its limit; a call that is late is left behind, and its outcome is not used."""

    def __init__(self) -> None:
        self._late: list[threading.Thread] = []

    def within(self, seconds: float, function: Callable[[], T]) -> T:
        """What `function` returns or raises.

        Raises
        ------
        TimeoutError
            When it takes longer than `seconds`, or is not called, because too many earlier calls are still late.
        """
        self._late = [call for call in self._late if call.is_alive()]
        if len(self._late) >= MOST_LATE:
            raise TimeoutError(f"{len(self._late)} earlier requests are still being answered")
        call = _Call(function)
        call.start()
        call.join(seconds)
        if call.is_alive():
            self._late.append(call)
            raise TimeoutError(f"no whole answer within {seconds:g} s")
        return call.outcome()


def within(seconds: float, function: Callable[[], T]) -> T:
    """A single call of `Deadlines`, with its errors."""
    return Deadlines().within(seconds, function)
