"""What a signal means: SIGTERM and SIGHUP end a command as Ctrl-C does, with what was committed kept.

A scheduler of jobs, a container and a closed terminal send these. They raise an exception, so the blocks that the
command is in are left in order: the run's record is closed as KILLED, locks are released, temporary folders removed.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

__all__ = ["Stopped", "exit_code_of", "stoppable"]

HANDLED = (signal.SIGTERM, signal.SIGHUP)
AGAIN = 0.05
"""Seconds after which a signal is raised once more that came where Python drops what its handler raises."""


class Stopped(KeyboardInterrupt):
    """The process was asked to end by a signal other than SIGINT.

    Attributes
    ----------
    number
        The signal.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` within the block when a signal asks the process to end.

    A signal that the process ignores, as SIGHUP under `nohup`, stays ignored. One that comes while an object is
    deleted or a process is forked, where Python drops the exception, is raised once more. Outside of the main thread,
    which alone may handle signals, nothing changes.
    """
    before: dict[signal.Signals, Any] = {}
    received: list[signal.Signals] = []

    def stop(number: int, frame: object) -> None:
        del frame
        received.append(signal.Signals(number))
        raise Stopped(received[0])

    in_main = threading.current_thread() is threading.main_thread()
    if in_main:
        handled = [number for number in HANDLED if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, stop) for number in handled}
    try:
        with _raised_again() if in_main else nullcontext():
            yield
    except KeyboardInterrupt as cause:
        if received and not isinstance(cause, Stopped):  # Ray raises a new exception where it waits for a result
            raise _renamed(cause, received[0]) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def _raised_again() -> Iterator[None]:
    """Raise within the block, and a little later, an interrupt that Python could only have written about."""
    before, main, left = sys.unraisablehook, threading.get_ident(), threading.Event()

    def again(number: signal.Signals) -> None:
        if not left.is_set():
            signal.pthread_kill(main, number)

    def hook(dropped: "sys.UnraisableHookArgs") -> None:
        if not isinstance(dropped.exc_value, KeyboardInterrupt):
            before(dropped)
            return
        timer = threading.Timer(AGAIN, again, [signal.Signals(exit_code_of(dropped.exc_value) - 128)])
        timer.daemon = True
        timer.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        left.set()
        sys.unraisablehook = before


def exit_code_of(cause: BaseException) -> int:
    """The exit code of a process that a signal ended, as a shell gives it: 128 and the number of the signal.

    >>> exit_code_of(Stopped(signal.SIGTERM)), exit_code_of(KeyboardInterrupt())
    (143, 130)
    """
    return 128 + (cause.number if isinstance(cause, Stopped) else signal.SIGINT)


def _renamed(cause: KeyboardInterrupt, number: signal.Signals) -> Stopped:
    stopped = Stopped(number).with_traceback(cause.__traceback__)
    stopped.args = cause.args
    return stopped
