"""The error of a batch that cannot be valued, and the words for what somebody's own code raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from raymm.counts import counted
from raymm.errors import RaymmError, in_one_line
from raymm.valuation.conformance import ModelError
from raymm.valuation.structure import described

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["BatchError", "own_code"]


class BatchError(RaymmError):
    """A batch that cannot be valued, in words; the values before it are kept.

    Attributes
    ----------
    batch
        Its number; the first is 0.
    values
        The table of the batches before it; None where it is the first.
    """

    def __init__(self, batch: int, words: str, values: ValuationTable | None = None) -> None:
        kept = (
            ""
            if values is None
            else f"; the values of {counted(len(values), 'sample')} before it are in error.values"
        )
        super().__init__(f"batch {batch} (the first is 0): {words}{kept}")
        self.batch, self.values = batch, values


@contextmanager
def own_code(what: str, given: Any = None) -> Iterator[None]:
    """Say what somebody's own code raised, where, and what it was called with.

    Raises
    ------
    ModelError
        In the place of any exception that is not raymm's own.
    """
    try:
        yield
    except RaymmError:
        raise
    except Exception as cause:
        on = "" if given is None else f", called with {described(given)}"
        raise ModelError(f"in {what}{on}: {in_one_line(cause)}") from cause
