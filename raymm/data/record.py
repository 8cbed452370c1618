"""One sample of a manifest, before anything of it is decoded."""

from dataclasses import dataclass
from typing import Any

__all__ = ["LONGEST_ID", "Record", "shortened"]

LONGEST_ID = 1_000
"""Characters of a sample's id, in manifests and in data sets."""

SHOWN = 40
"""Characters of a longer one that a message shows."""


def shortened(text: str) -> str:
    """An id, a split or a path as messages name it; of one that is longer than an id may be, how it begins."""
    return text if len(text) <= LONGEST_ID else f"{text[:SHOWN]}..."


@dataclass(frozen=True)
class Record:
    """One sample as the manifest has it: where each modality comes from (a path, a text or numbers).

    The label is an int, a row of bools, or a tuple of floats (`raymm.tasks`). The group is empty where there is none.
    """

    sample_id: str
    split: str
    label: Any
    source: str
    cells: dict[str, Any]
    group: str = ""
