"""One sample of a manifest, before anything of it is decoded."""

from dataclasses import dataclass
from typing import Any

__all__ = ["LONGEST_ID", "Record", "shown_id"]

LONGEST_ID = 1_000
"""Characters of a sample's id, in manifests and in data sets."""

SHOWN = 40
"""Characters of a longer one that a message shows."""


def shown_id(sample_id: str) -> str:
    """An id as messages name it; of one that is too long, how it begins."""
    return sample_id if len(sample_id) <= LONGEST_ID else f"{sample_id[:SHOWN]}..."


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
