"""One sample of a manifest, before anything of it is decoded."""

from dataclasses import dataclass
from typing import Any

__all__ = ["LONGEST_ID", "Record"]

LONGEST_ID = 1_000
"""Characters of a sample's id, in manifests and in data sets."""


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
