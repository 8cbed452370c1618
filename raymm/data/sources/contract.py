"""Whether a source, which may be of another package, returns what a source must return."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from raymm.data.sources.base import Absent, Entry, Listing
from raymm.errors import ConfigError, Problems

__all__ = ["checked"]

SPLITS = ("train", "val", "test")
SHOWN = 10
"""Entries that a message names."""


def checked(found: object, name: str, names: Sequence[str]) -> Listing:
    """What a source returned, when it is a listing with cells of the modalities `names`.

    Raises
    ------
    ConfigError
        Naming the source, and the entries that are not as they must be.
    """
    problems = Problems(f"source {name}")
    if not isinstance(found, Listing):
        problems.add(f"read returns a {type(found).__name__}; return a raymm.data.sources.Listing")
        problems.raise_if_any(ConfigError)
        raise TypeError
    wrong = (trouble for entry in found.entries if (trouble := _trouble(entry, names)))
    problems.extend(islice(wrong, SHOWN))
    problems.raise_if_any(ConfigError)
    return found


def _trouble(entry: Any, names: Sequence[str]) -> str:
    """What is wrong with an entry; empty when nothing is."""
    if not isinstance(entry, Entry):
        return f"an entry is a {type(entry).__name__}; make it a raymm.data.sources.Entry"
    texts: dict[str, Any] = {"sample_id": entry.sample_id, "label": entry.label, "recording": entry.recording}
    for field, value in texts.items():
        if not isinstance(value, str) or not value.strip():
            return f"sample {entry.sample_id!r}: its {field} is {value!r}; it must be a text that is not empty"
    if entry.split not in SPLITS:
        return f"sample '{entry.sample_id}': its split is {entry.split!r}; it must be one of {', '.join(SPLITS)}"
    cells: Any = entry.cells
    if not isinstance(cells, Mapping) or set(cells) != set(names):
        return f"sample '{entry.sample_id}': its cells are {cells!r}; one is needed for each of {', '.join(names)}"
    for modality, cell in cells.items():
        if not isinstance(cell, str | Absent):
            return f"sample '{entry.sample_id}': its cell {modality} is {cell!r}; it must be a text or Absent"
    return ""
