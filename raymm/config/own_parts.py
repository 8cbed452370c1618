"""Parts of methods that training calls: what somebody's own raises in one is said with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from raymm.errors import RaymmError, TrainingError, in_one_line, is_of_the_machine

__all__ = ["is_own", "own_part"]


def is_own(kind: type) -> bool:
    """Whether a class is none of raymm's.

    >>> is_own(RaymmError), is_own(dict)
    (False, True)
    """
    return not kind.__module__.startswith("raymm.")


@contextmanager
def own_part(kind: type, name: str, error: type[Exception] = TrainingError) -> Iterator[None]:
    """Inside, a part of a class is called; `error` says what one of somebody's own raises, and where.

    What raymm raises on purpose passes, and what says that memory is full or another process is lost.
    """
    try:
        yield
    except RaymmError:
        raise
    except Exception as cause:
        if not is_own(kind) or is_of_the_machine(cause):
            raise
        raise error(f"{kind.__name__}.{name} raises {in_one_line(cause)}; --debug shows the whole trace") from cause
