"""What a store is told about a run beside its parameters and metrics: what to show of it first, and its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

__all__ = ["DataInput", "View"]


@dataclass(frozen=True)
class _Saved:
    """A record that is kept as JSON; fields of a later version are left out."""

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> Self:
        """The record of its saved fields."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in saved.items() if name in known})


@dataclass(frozen=True)
class View(_Saved):
    """What people should see first of runs of one kind.

    Attributes
    ----------
    columns
        Of the table of runs, in order: `metrics.NAME` or `params.NAME`.
    curves
        Metrics that are drawn over the epochs in one chart, by its title.
    bars
        Final metrics that are drawn as bars in one chart, by its title.
    """

    columns: tuple[str, ...] = ()
    curves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bars: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def joined(self, other: View) -> View:
        """The view with what only the other has after it."""
        return View(
            _union(self.columns, other.columns),
            _union_by_title(self.curves, other.curves),
            _union_by_title(self.bars, other.bars),
        )


@dataclass(frozen=True)
class DataInput(_Saved):
    """A data set that a run reads.

    Attributes
    ----------
    name, digest
        The digest has at most 36 characters.
    source
        Where it lies: a path.
    columns
        What each of its columns holds, by its name: `text`, or a numpy type with a shape, as in `float32[16, 64]`.
    rows
        Samples by the name of the split.
    """

    name: str
    digest: str
    source: str
    columns: Mapping[str, str]
    rows: Mapping[str, int]


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*one, *other]))


def _union_by_title(
    one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    return {title: _union(tuple(one.get(title, ())), tuple(other.get(title, ()))) for title in {**one, **other}}
