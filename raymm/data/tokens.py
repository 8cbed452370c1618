"""The built-in tokenizers: no vocabulary, no download.

A text becomes the ids of its words and of their parts, hashed into buckets (the "hashing trick", Weinberger et al.,
ICML 2009; subwords after Bojanowski et al., TACL 2017). Id 0 pads.

Version 2 keeps the words and symbols of `raymm.data.words`, in order: up to `max_tokens` words, and as many symbols.
Behind them, as far as there is room, stand the letter trigrams of the words, and pairs of characters where a script
writes no blanks. Version 1, of data sets that 0.1.0 made, counts words and trigrams alike, so that 64 ids are about
11 words of English, and has no symbols.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice, pairwise

import numpy as np
import numpy.typing as npt

from raymm.data.words import Unit, quarter_words, units_of

__all__ = ["NEWEST", "is_cut", "kept_words", "row_length", "tokenize", "word_count"]

NEWEST = 2
"""Version of the tokenizer."""

IDS_A_WORD = 5
"""Room for a word in a row of ids: for itself, a symbol, and three of its parts."""

UNSPACED = (Unit.IDEOGRAPH, Unit.LETTER)

_WORD = re.compile(r"\w+")


def row_length(max_tokens: int, version: int = NEWEST) -> int:
    """Ids in a row."""
    return max_tokens if version == 1 else IDS_A_WORD * max_tokens


def tokenize(texts: Sequence[str], max_tokens: int, buckets: int, version: int = NEWEST) -> npt.NDArray[np.int64]:
    """Token ids int64 [len(texts), row_length], in 1..buckets-1, padded with 0.

    Parameters
    ----------
    max_tokens
        Words that are kept (of version 1: ids).

    Examples
    --------
    >>> tokenize(["a fox", "A fox!"], 2, 100).tolist()
    [[46, 75, 14, 28, 75, 47, 0, 0, 0, 0], [46, 75, 24, 14, 28, 75, 47, 0, 0, 0]]
    """
    length = row_length(max_tokens, version)
    out = np.zeros((len(texts), length), np.int64)
    for row, text in enumerate(texts):
        ids = _ids_of_version_1(text, buckets)[:length] if version == 1 else _ids(text, max_tokens, buckets)
        out[row, : len(ids)] = ids
    return out


def word_count(text: str) -> int:
    """Words of a text, rounded up; a character of a script without blanks is a half or a quarter of one.

    >>> word_count("One, two."), word_count("東京大学")
    (2, 2)
    """
    return -(-sum(quarter_words(kind) for _, kind in units_of(text)) // 4)


def kept_words(text: str, max_tokens: int, version: int = NEWEST) -> list[str]:
    """The words and symbols of a text whose ids stand in its row, in order, without their parts.

    >>> kept_words("A fox, a hen.", 3), kept_words("A fox, a hen.", 9, version=1)
    (['a', 'fox', ',', 'a'], ['a', 'fox', 'a', 'hen'])
    """
    if version != 1:
        return [unit for unit, _ in _kept(text, max_tokens)]
    kept, room = [], max_tokens
    for word in _WORD.findall(text.lower()):
        if room <= 0:
            break
        kept.append(word)
        room -= 1 + len(word)  # a word of n letters has n trigrams, with the marks at its ends
    return kept


def is_cut(text: str, max_tokens: int) -> bool:
    """Whether a text has more words or symbols than are kept.

    >>> is_cut("one two", 2), is_cut("one two three", 2)
    (False, True)
    """
    return sum(1 for _ in _kept(text, max_tokens)) < sum(1 for _ in units_of(text))


def _kept(text: str, max_tokens: int) -> Iterator[tuple[str, Unit]]:
    """The units that fit: words up to `max_tokens`, symbols as well."""
    quarters, symbols = 4 * max_tokens, max_tokens
    for unit, kind in units_of(text):
        if kind is Unit.SYMBOL:
            symbols -= 1
            if symbols >= 0:
                yield unit, kind
            continue
        quarters -= quarter_words(kind)
        if quarters < 0:
            return
        yield unit, kind


@lru_cache(maxsize=65_536)
def _ids(text: str, max_tokens: int, buckets: int) -> tuple[int, ...]:
    units = list(_kept(text, max_tokens))
    pieces = chain((unit for unit, _ in units), _parts(units))
    return tuple(_bucket(piece, buckets) for piece in islice(pieces, row_length(max_tokens)))


def _parts(units: Sequence[tuple[str, Unit]]) -> Iterator[str]:
    """Trigrams of words, and pairs of characters that stand side by side in a script without blanks."""
    for unit, kind in units:
        if kind is Unit.WORD:
            yield from _trigrams(unit)
    for (first, kind), (second, following) in pairwise(units):
        if kind in UNSPACED and following in UNSPACED:
            yield first + second


@lru_cache(maxsize=65_536)
def _ids_of_version_1(text: str, buckets: int) -> tuple[int, ...]:
    words = _WORD.findall(text.lower())
    return tuple(_bucket(piece, buckets) for word in words for piece in (word, *_trigrams(word)))


def _trigrams(word: str) -> Iterator[str]:
    marked = f"<{word}>"
    return (marked[start : start + 3] for start in range(len(marked) - 2))


def _bucket(piece: str, buckets: int) -> int:
    return 1 + zlib.crc32(piece.encode(errors="surrogatepass")) % (buckets - 1)
