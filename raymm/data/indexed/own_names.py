"""Names of modalities of items of one's own that may be mistakes: nothing else tells them apart from true ones."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any

__all__ = ["doubts_of_names"]

RARE = 0.05
"""Part of the items below which a modality is remarked."""

ALIKE = 0.8
"""Of `difflib`'s ratio: two names that differ by a letter or two."""


def doubts_of_names(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is remarkable about the keys of some items, each as a sentence.

    A key that is None wherever it stands is left out; a key that nearly no item has, or one that resembles another
    and never stands beside it, may be that other one, misspelt.

    Examples
    --------
    >>> doubts_of_names([{"audio": 1, "text": None}] * 30 + [{"adio": 1}])[0]
    "'text' is None in all of the first 31 items, so it is no modality; name it by modalities= if later ones have it"
    >>> doubts_of_names([{"audio": 1}] * 30 + [{"adio": 1}])
    ["'adio' is in 1 of the first 31 items, and 'audio' in 30, never both: is it misspelt?"]
    """
    count = len(items)
    names = list(dict.fromkeys(name for item in items for name in item))
    having = {name: {row for row, item in enumerate(items) if item.get(name) is not None} for name in names}
    found = [
        f"'{name}' is None in all of the first {count} items, so it is no modality; name it by modalities= if later "
        "ones have it"
        for name in names
        if not having[name]
    ]
    pairs = [pair for pair in combinations([name for name in names if having[name]], 2) if _alike(*pair, having)]
    for one, other in pairs:
        fewer, more = sorted((one, other), key=lambda name: len(having[name]))
        found.append(
            f"'{fewer}' is in {len(having[fewer])} of the first {count} items, and '{more}' in {len(having[more])}, "
            "never both: is it misspelt?"
        )
    told = {name for pair in pairs for name in pair}
    found += [
        f"'{name}' is in {len(rows)} of the first {count} items only, and is a modality; leave it out by modalities= "
        "if it is none"
        for name, rows in having.items()
        if rows and len(rows) < RARE * count and name not in told
    ]
    return found


def _alike(one: str, other: str, having: Mapping[str, set[int]]) -> bool:
    return not having[one] & having[other] and SequenceMatcher(None, one, other).ratio() >= ALIKE
