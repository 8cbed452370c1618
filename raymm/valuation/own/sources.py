"""The logit source of a batch, and those of some of its samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Bool, Float, Int64
from torch import Tensor

from raymm.valuation.logit_sources import CallableSource, LogitSource

__all__ = ["Opened", "RowsSource", "whole_only"]


@dataclass(frozen=True)
class Opened:
    """A batch whose encoders have run: the source of all samples, and of some by position."""

    whole: LogitSource
    some: Callable[[Int64[Tensor, " b"]], LogitSource]


class RowsSource(LogitSource):
    """Some samples of a batch that can only be run as a whole."""

    def __init__(self, whole: LogitSource, rows: Int64[Tensor, " b"]) -> None:
        self.whole, self.rows = whole, rows
        self.present, self.chunk, self.step = whole.present[rows], whole.chunk, whole.step

    def logits(self, masks: Bool[Tensor, "s n"]) -> Float[Tensor, "b s K"]:
        """The rows of the whole batch's logits."""
        return self.whole.logits(masks)[self.rows]


def whole_only(
    predict: Callable[[Bool[Tensor, "B n"]], Float[Tensor, "B K"]], present: Bool[Tensor, "B n"]
) -> Opened:
    """A batch whose logits come from one run of `predict(mask)` a coalition."""
    source = CallableSource(lambda _, mask: predict(mask), None, present)
    return Opened(source, lambda rows: source if len(rows) == len(present) else RowsSource(source, rows))
