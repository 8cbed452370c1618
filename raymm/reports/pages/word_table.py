"""Tables of a page: heads in words with what they mean, and cells of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Head", "WordTable"]


@dataclass(frozen=True)
class Head:
    """The head of a column: a word or two, and a sentence on what stands below; numbers are aligned at the right."""

    text: str
    means: str = ""
    number: bool = True


@dataclass(frozen=True)
class WordTable:
    """A table; the first cell of a row is its head.

    Attributes
    ----------
    caption
        What it is, in a sentence.
    heads, rows
        A row has as many cells as there are heads.
    note
        What is left out, or how to read it; may be empty.
    """

    caption: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def records(self) -> list[dict[str, str]]:
        """The rows by the texts of the heads."""
        return [dict(zip((head.text for head in self.heads), row, strict=True)) for row in self.rows]
