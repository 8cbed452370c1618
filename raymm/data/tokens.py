"""The built-in tokenizer: no vocabulary, no download.

A text becomes the ids of its words and of the letter trigrams of each word, hashed into buckets (the
"hashing trick", Weinberger et al., ICML 2009; subwords after Bojanowski et al., TACL 2017). Id 0 pads.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["tokenize"]

_WORD = re.compile(r"\w+")


def tokenize(texts: Sequence[str], max_tokens: int, buckets: int) -> npt.NDArray[np.int64]:
    """Token ids int64 [len(texts), max_tokens], in 1..buckets-1, padded with 0 and cut at `max_tokens`."""
    out = np.zeros((len(texts), max_tokens), np.int64)
    for row, text in enumerate(texts):
        ids = _ids(text, buckets)[:max_tokens]
        out[row, : len(ids)] = ids
    return out


@lru_cache(maxsize=65_536)
def _ids(text: str, buckets: int) -> tuple[int, ...]:
    return tuple(1 + zlib.crc32(piece.encode()) % (buckets - 1) for piece in _pieces(text.lower()))


def _pieces(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        yield word
        marked = f"<{word}>"
        yield from (marked[start : start + 3] for start in range(len(marked) - 2))
