"""The gallery of a page: cards within a budget of bytes, filters, and the further cards in files beside the page.

A page that is opened as a file cannot fetch data, but it can load scripts: further samples lie in PAGE.files/
gallery-1.js and so on, which hand their cards to the page when the reader asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from raymm.counts import counted
from raymm.reports.gallery.cards import PATTERN_WORDS, Cards
from raymm.reports.gallery.choose import FEWEST, choose
from raymm.reports.gallery.media import QUALITIES, Quality
from raymm.reports.gallery.samples import rows_in_data, unusable
from raymm.storage.atomic import write_bytes
from raymm.storage.layout import gallery_file, gallery_files
from raymm.valuation.patterns import PATTERNS

if TYPE_CHECKING:
    from pathlib import Path

    from raymm.data.dataset import Dataset
    from raymm.reports.gallery.choose import Entry
    from raymm.valuation.table import ValuationTable

__all__ = ["BUDGET", "INLINE", "MOST", "Filter", "Gallery", "gallery_section"]

INLINE = 24
"""Samples of a list (the lowest, or the surprising ones, of a modality) that are to stand in the page itself."""

LISTED = 96
"""Samples of a list, with those beside the page."""

MOST = 480
"""Samples in all."""

BUDGET = 4_000_000
"""Bytes of the cards in a page, which is at most 5 MB with all else."""

FILE_BYTES = 4_000_000
"""Bytes of cards in a file beside the page, about."""

TRIED = 8
"""Cards that are made to see how large they become."""


@dataclass(frozen=True)
class Filter:
    """A choice that a reader has: its name for the script, its label, and value and text of each option."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Gallery:
    """What the template `gallery.html` shows.

    Attributes
    ----------
    cards
        HTML of the cards in the page, made by the template `gallery_card.html`, which escapes what users write.
    filters, notes
        What can be chosen, and what a reader must know: what was cut, and why media are not there.
    files
        Addresses of the files beside the page, relative to it, with the samples in each.
    folder
        Name of the folder that they lie in.
    fewest
        Other samples that an expectation needs, for the explanation.
    """

    cards: Sequence[Markup]
    filters: Sequence[Filter]
    notes: Sequence[str]
    files: Sequence[tuple[str, int]]
    folder: str
    fewest: int = FEWEST


def gallery_section(
    dataset: Dataset | None,
    table: ValuationTable,
    page: Path,
    classes: Sequence[str] = (),
    *,
    missing: str = "",
    remarks: Sequence[str] = (),
    budget: int = BUDGET,
) -> Gallery:
    """The gallery of a valuation table for a page; writes PAGE.files/gallery-*.js beside it, and nothing else.

    Parameters
    ----------
    dataset
        Where the samples lie; None where the data are not here: the cards then have no media, and `missing` says why.
    page
        The HTML file that the gallery becomes a part of.
    classes
        Names of the classes, by label; left out, those of the table.
    remarks
        Sentences on what is shown, such as that the model met the samples with noise.
    budget
        Bytes of HTML that the cards in the page may have.
    """
    chosen, classes = choose(table, LISTED, MOST), classes or table.info.class_names
    if dataset is not None and (why := unusable(dataset)):
        dataset, missing = None, why
    numbers = {} if dataset is None else rows_in_data(table, list(chosen), dataset)
    cards = Cards(table, classes, dataset, numbers)
    inline = {row: entries for row, entries in chosen.items() if min(entry.rank for entry in entries) <= INLINE}
    quality = _quality(cards, inline, budget)
    kept, beside = _split(cards, chosen, len(inline), quality, budget)
    files = _write(page, beside)
    notes = [*remarks, *_notes(dataset, missing, quality, len(inline) - len(kept))]
    found = [Markup(card) for card in kept]  # noqa: S704  (made by a template, which escapes)
    return Gallery(found, _filters(table, cards, chosen, classes), notes, files, gallery_file(page, 1).parent.name)


def _quality(cards: Cards, inline: dict[int, list[Entry]], budget: int) -> Quality:
    """The best quality in which the cards of the page fit into the budget, as far as the first ones tell."""
    tried = list(inline.items())[:TRIED]
    for quality in QUALITIES[:-1]:
        sizes = [len(cards.html(row, entries, quality).encode()) for row, entries in tried]
        if sum(sizes) * len(inline) <= budget * len(sizes):
            return quality
    return QUALITIES[-1]


def _split(
    cards: Cards, chosen: dict[int, list[Entry]], inline: int, quality: Quality, budget: int
) -> tuple[list[str], list[str]]:
    """Cards of the page, and those beside it: from the first that is not meant to be in the page, or does not fit."""
    kept: list[str] = []
    beside: list[str] = []
    for row, entries in chosen.items():
        card = cards.html(row, entries, quality)
        budget -= len(card.encode())
        (kept if len(kept) < inline and budget >= 0 and not beside else beside).append(card)
    return kept, beside


def _write(page: Path, cards: list[str]) -> list[tuple[str, int]]:
    """Write the files beside a page, drop those of a gallery that was there before, and say where they lie."""
    files: list[list[str]] = []
    size = FILE_BYTES
    for card in cards:
        if size + len(card) > FILE_BYTES:
            files.append([])
            size = 0
        files[-1].append(card)
        size += len(card)
    paths = [gallery_file(page, number) for number in range(1, len(files) + 1)]
    for old in set(gallery_files(page)) - set(paths):
        old.unlink()
    for path, part in zip(paths, files, strict=True):
        write_bytes(path, f"raymmGallery({json.dumps(''.join(part))});\n".encode())
    return [(f"{quote(path.parent.name)}/{path.name}", len(part)) for path, part in zip(paths, files, strict=True)]


def _notes(dataset: Dataset | None, missing: str, quality: Quality, left: int) -> list[str]:
    notes = []
    if dataset is None:
        why = f" ({missing})" if missing else ""
        notes.append(f"The data are not here{why}, so that samples are shown without their media.")
    elif quality != QUALITIES[0]:
        notes.append(f"To keep the page small, {quality.words}.")
    if left > 0:
        forms = ("more sample that belongs here does", "more samples that belong here do")
        beside = "lies" if left == 1 else "lie"
        notes.append(f"{counted(left, *forms)} not fit into the page, and {beside} beside it.")
    return notes


def _filters(
    table: ValuationTable, cards: Cards, chosen: dict[int, list[Entry]], classes: Sequence[str]
) -> list[Filter]:
    """The filters that make a difference."""
    names, entries = table.info.modalities, [entry for found in chosen.values() for entry in found]
    seen = {
        "list": [("lowest", "lowest"), ("surprising", "most surprising")],
        "modality": [(str(position), name) for position, name in enumerate(names)],
        "class": [(str(k), classes[k]) for k in sorted({k for row in chosen for k in cards.classes(row)})],
        "pattern": [
            (str(number), PATTERN_WORDS[PATTERNS[number]])
            for number in sorted({entry.pattern for entry in entries if entry.pattern is not None})
        ],
        "answer": [("1", "right"), ("0", "wrong")] if table.shows_right else [],
        "lacks": [
            (" ".join(map(str, lacks)), f"lacks {', '.join(names[i] for i in lacks)}" if lacks else "has all")
            for lacks in sorted({tuple(cards.lacks(row)) for row in chosen})
        ],
    }
    labels = {"lacks": "modalities there", "class": "class of the label", "pattern": "pattern of the modality"}
    return [Filter(name, labels.get(name, name), options) for name, options in seen.items() if len(options) > 1]
