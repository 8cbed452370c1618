"""How many there are of something, in words."""

from __future__ import annotations

import re

__all__ = ["counted"]


def counted(number: float, one: str, several: str = "") -> str:
    """A number of things, thousands of whole ones with commas; `several` where its plural is none of the usual ones.

    Examples
    --------
    >>> counted(1, "seed"), counted(1200, "run"), counted(2, "class"), counted(0, "modality"), counted(0.5, "GPU")
    ('1 seed', '1,200 runs', '2 classes', '0 modalities', '0.5 GPUs')
    >>> counted(12, "epoch"), counted(3, "batch")
    ('12 epochs', '3 batches')
    >>> import numpy as np
    >>> counted(np.int64(1_234_567), "row"), counted(1e3, "CPU")
    ('1,234,567 rows', '1000 CPUs')
    >>> counted(2, "sample that is there", "samples that are there")
    '2 samples that are there'
    """
    return f"{number:{'g' if isinstance(number, float) else ','}} {one if number == 1 else several or _plural(one)}"


def _plural(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "tch", "sh")) else f"{word}s"
