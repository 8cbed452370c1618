"""Cut a text into words and symbols, in any script and without a dictionary.

A word is a run of letters, digits and the marks on them. Where a script writes no blanks between words, each
character is a unit of its own. Punctuation marks, emoji and other symbols are units too: flags, families and skin
tones each stay one, and of a run of one symbol three are kept.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import lru_cache

__all__ = ["Unit", "composed", "quarter_words", "units_of"]


class Unit(Enum):
    """What a unit is."""

    WORD = "word"
    IDEOGRAPH = "character of Chinese or Japanese"
    LETTER = "character of another script without blanks"
    SYMBOL = "symbol"
    MARK = "belongs to the unit before"
    JOINER = "joins two symbols"
    FLAG = "half of a flag"
    NOTHING = "seen by nobody"
    BLANK = "between units"


IDEOGRAPHS = (
    *((0x2E80, 0x2FFF), (0x3005, 0x3007), (0x3041, 0x30FF), (0x31F0, 0x4DBF), (0x4E00, 0x9FFF)),
    *((0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1AFF0, 0x1B16F), (0x20000, 0x3FFFF)),
)
"""Code points of Han and kana."""

LETTERS = (
    *((0x0E00, 0x0EFF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF)),
    *((0x1A20, 0x1AAF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
)
"""Code points of other scripts that write no blanks between words: Thai, Lao, Tibetan, Burmese, Khmer, Tai."""

QUARTERS = {Unit.WORD: 4, Unit.IDEOGRAPH: 2, Unit.LETTER: 1}
"""Quarters of a word that a unit is, about: a Chinese word has nearly two characters, a Thai one four."""

SKIN_TONES = (0x1F3FB, 0x1F3FF)
FLAG_LETTERS = (0x1F1E6, 0x1F1FF)
ZERO_WIDTH_JOINER = "\N{ZERO WIDTH JOINER}"

LONGEST_RUN = 3
"""Symbols of a run that are kept: `!!!!!` is `!!!`."""

MOST_MARKS = 30
"""Marks on one letter that are kept."""

APOSTROPHE = re.compile(r"(?<=\w)['\N{RIGHT SINGLE QUOTATION MARK}](?=\w)")
LETTER_APOSTROPHE = "\N{MODIFIER LETTER APOSTROPHE}"


def composed(text: str) -> str:
    r"""A text in the composed form (NFC).

    Of a run of marks on one letter that no script writes, 30 are kept, as many as the form for streams of UAX 15 has:
    sorting them takes the square of their number.

    >>> composed("Cafe\u0301"), len(composed("a" + "\u0300\u0327" * 1000))
    ('Café', 30)
    """
    if len(text) <= MOST_MARKS or text.isascii():
        return unicodedata.normalize("NFC", text)
    kept, run = [], 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run <= MOST_MARKS:
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def quarter_words(kind: Unit) -> int:
    """Quarters of a word that a unit counts; 0 for a symbol."""
    return QUARTERS.get(kind, 0)


def units_of(text: str) -> Iterator[tuple[str, Unit]]:
    r"""Words and symbols in order, in small letters and in the composed form (NFC).

    Examples
    --------
    >>> [unit for unit, _ in units_of("Cafe\u0301, don't!!!!!")]
    ['café', ',', 'donʼt', '!!!']
    >>> [(unit, kind.name) for unit, kind in units_of("東京 ไทย")]
    [('東', 'IDEOGRAPH'), ('京', 'IDEOGRAPH'), ('ไ', 'LETTER'), ('ท', 'LETTER'), ('ย', 'LETTER')]
    """
    unit: list[str] = []
    kind, joining = Unit.BLANK, False
    for char in APOSTROPHE.sub(LETTER_APOSTROPHE, composed(text.lower())):
        own = _kind(char)
        if own is Unit.NOTHING or (own is Unit.MARK and not unit):
            continue
        if own is Unit.JOINER:
            joining = kind is Unit.SYMBOL
        elif own is Unit.MARK or _continues(unit, kind, char, own, joining):
            unit.append(char)
            joining = False
        elif not _repeats(unit, kind, char):
            if unit:
                yield "".join(unit), Unit.SYMBOL if kind is Unit.FLAG else kind
            unit, kind, joining = ([], Unit.BLANK, False) if own is Unit.BLANK else ([char], own, False)
    if unit:
        yield "".join(unit), Unit.SYMBOL if kind is Unit.FLAG else kind


def _continues(unit: Sequence[str], kind: Unit, char: str, own: Unit, joining: bool) -> bool:
    """Whether a character belongs to the unit before it."""
    if own is Unit.WORD:
        return kind is Unit.WORD
    if own is Unit.FLAG:
        return kind is Unit.FLAG and len(unit) == 1
    same = kind is Unit.SYMBOL and own is Unit.SYMBOL
    return same and (joining or (unit[-1] == char and len(unit) < LONGEST_RUN))


def _repeats(unit: Sequence[str], kind: Unit, char: str) -> bool:
    """Whether a character is one more of a long run."""
    return kind is Unit.SYMBOL and unit == [char] * LONGEST_RUN


@lru_cache(maxsize=65_536)
def _kind(char: str) -> Unit:
    code, category = ord(char), unicodedata.category(char)
    tests = {
        Unit.JOINER: char == ZERO_WIDTH_JOINER,
        Unit.MARK: category[0] == "M" or _within(code, SKIN_TONES),
        Unit.NOTHING: category == "Cf",
        Unit.BLANK: category[0] == "Z" or category == "Cc",
        Unit.FLAG: _within(code, FLAG_LETTERS),
        Unit.SYMBOL: not (char.isalnum() or char == "_"),
        Unit.IDEOGRAPH: _within(code, *IDEOGRAPHS),
        Unit.LETTER: _within(code, *LETTERS),
    }
    return next((kind for kind, met in tests.items() if met), Unit.WORD)


def _within(code: int, *ranges: tuple[int, int]) -> bool:
    return any(first <= code <= last for first, last in ranges)
