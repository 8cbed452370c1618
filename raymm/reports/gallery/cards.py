"""A sample as a card of the gallery: what it is, why it is shown, its contributions, and its media."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from raymm.errors import in_one_line
from raymm.reports.gallery.choose import Entry
from raymm.reports.gallery.media import Medium, Quality, draw
from raymm.reports.gallery.samples import displays_of
from raymm.reports.html import render
from raymm.reports.valuation_summary import class_text
from raymm.valuation.patterns import PATTERNS

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.data.display import Display
    from raymm.valuation.table import ValuationTable

__all__ = ["PATTERN_WORDS", "Cards", "Phi", "Shown"]

PATTERN_WORDS = {
    "hard": "neither it nor the others are right",
    "first breaks": "it breaks a right answer of the others",
    "second breaks": "the others break its right answer",
    "conflict": "it is right, the others are right, together they are wrong",
    "synergy": "only together they are right",
    "first carries": "it carries the answer",
    "second carries": "the others carry the answer",
    "redundancy": "it or the others are enough",
}
"""The patterns of `raymm.valuation.patterns` of a modality against all others, in words."""


TOLD = 24
"""Places in a list that a card tells of."""

MOST_REASONS = 3
"""Modalities of which a card says in words why it is shown; it is found by the filters for all of them."""


@dataclass(frozen=True)
class Phi:
    """A contribution and its bar: places in percent of the width of the graphic; None where it is missing.

    Attributes
    ----------
    side
        "negative", "low" (below the fair share) or "fair".
    """

    name: str
    value: float | None
    start: float = 0
    width: float = 0
    side: str = "fair"


@dataclass(frozen=True)
class Reason:
    """Why a sample is shown: its places in the lists of a modality, and how this modality and the others got on."""

    modality: str
    places: str
    pattern: str


@dataclass(frozen=True)
class Shown:
    """A modality of a sample: its media, or why there are none."""

    name: str
    kind: str
    media: Sequence[Medium] = ()
    trouble: str = ""


def _place_in_words(entry: Entry) -> str:
    if entry.listed == "lowest":
        return f"number {entry.rank} of the lowest"
    below, expected = entry.expected - entry.phi, entry.expected
    return f"number {entry.rank} of the most surprising, {below:.2f} below the {expected:.2f} that is expected"


class Cards:
    """Makes the cards of a table.

    Parameters
    ----------
    classes
        Names of the classes, by label.
    dataset, numbers
        Where the samples lie, and the number there of each row of the table; None where the data are not here.
    """

    def __init__(
        self,
        table: ValuationTable,
        classes: Sequence[str],
        dataset: Dataset | None,
        numbers: Mapping[int, int],
    ) -> None:
        self._table, self._classes, self._dataset, self._numbers = table, classes, dataset, numbers
        self._names = table.info.modalities

    def html(self, row: int, entries: Sequence[Entry], quality: Quality) -> str:
        """The card of a row of the table."""
        table = self._table
        return render(
            "gallery_card.html",
            name=str(table.sample_id[row]),
            source="" if table.source is None else str(table.source[row]),
            label=class_text(table, table.label[row], self._classes),
            prediction=class_text(table, table.prediction[row], self._classes),
            right=self.right(row),
            classes=self.classes(row),
            lacks=self.lacks(row),
            entries=entries,
            reasons=self.reasons(entries),
            phi=self.phi(row),
            fair_share=table.info.fair_share,
            fair_place=None if table.info.fair_share is None else self._place(table.info.fair_share),
            zero=self._place(0.0),
            shown=self._shown(row, quality),
        )

    def reasons(self, entries: Sequence[Entry]) -> list[Reason]:
        """The modalities in whose lists a sample stands highest, at most `MOST_REASONS`."""
        in_order = sorted(entries, key=lambda entry: entry.rank)
        by_modality: dict[int, list[Entry]] = {}
        for entry in [entry for entry in in_order if entry.rank <= TOLD] or in_order[:1]:
            by_modality.setdefault(entry.modality, []).append(entry)
        return [
            Reason(
                self._names[position],
                "; ".join(map(_place_in_words, found)),
                "" if found[0].pattern is None else PATTERN_WORDS[PATTERNS[found[0].pattern]],
            )
            for position, found in list(by_modality.items())[:MOST_REASONS]
        ]

    def right(self, row: int) -> bool | None:
        """Whether the answer is right; None where the task does not say."""
        if not self._table.shows_right:
            return None
        return bool(
            self._table.task.is_right(self._table.prediction[row : row + 1], self._table.label[row : row + 1])[0]
        )

    def classes(self, row: int) -> list[int]:
        """The classes of a sample; none of a task without them."""
        if not self._table.task.categorical:
            return []
        label = self._table.label[row : row + 1]
        return np.flatnonzero(self._table.task.class_membership(label, len(self._classes))[0]).tolist()

    def lacks(self, row: int) -> list[int]:
        """Positions of the modalities that a sample lacks."""
        return np.flatnonzero(np.isnan(self._table.phi[row])).tolist()

    def phi(self, row: int) -> list[Phi]:
        """The contributions with their bars."""
        return [
            self._phi(name, value) for name, value in zip(self._names, self._table.phi[row].tolist(), strict=True)
        ]

    def _phi(self, name: str, value: float) -> Phi:
        if np.isnan(value):
            return Phi(name, None)
        zero, place, fair = self._place(0.0), self._place(value), self._table.info.fair_share
        side = "negative" if value < 0 else "low" if fair is not None and value < fair else "fair"
        return Phi(name, value, round(min(zero, place), 2), round(abs(place - zero), 2), side)

    def _place(self, value: float) -> float:
        low, high = self._span
        return round(100 * (value - low) / (high - low), 2)

    @cached_property
    def _span(self) -> tuple[float, float]:
        """The same scale for all samples: all contributions, 0 and the fair share lie in it."""
        known = [0.0, self._table.info.fair_share or 0.0]
        if not np.isnan(self._table.phi).all():
            known += [float(np.nanmin(self._table.phi)), float(np.nanmax(self._table.phi))]
        low, high = min(known), max(known)
        return (low, high) if high > low else (low - 1, high + 1)

    def _shown(self, row: int, quality: Quality) -> list[Shown]:
        if self._dataset is None:
            return []
        if row not in self._numbers:
            return [Shown("", "", trouble="The data set has no such sample.")]
        displays = displays_of(self._dataset, self._numbers[row])
        kinds = {spec.name: spec.kind for spec in self._dataset.schema.modalities}
        return [_media(name, kinds[name], found, quality) for name, found in displays.items()]


def _media(name: str, kind: str, found: Sequence[Display] | str | None, quality: Quality) -> Shown:
    if found is None:
        return Shown(name, kind, trouble="missing")
    if isinstance(found, str):
        return Shown(name, kind, trouble=f"cannot be read: {found}")
    try:
        return Shown(name, kind, [draw(display, quality) for display in found])
    except Exception as cause:  # noqa: BLE001  (what a kind of another package shows)
        return Shown(name, kind, trouble=f"cannot be drawn: {in_one_line(cause)}")
