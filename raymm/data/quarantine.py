"""The report on samples that cannot be used: as JSON for programs, as CSV for people."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from raymm.storage import layout, write_bytes, write_json

__all__ = ["BadValue", "write_quarantine"]


@dataclass(frozen=True)
class BadValue:
    """What is wrong with one modality of one sample; `file` and `modality` may be empty."""

    sample_id: str
    file: str
    modality: str
    problem: str

    def line(self) -> str:
        """The problem in one line."""
        where = f" ({self.file})" if self.file else ""
        what = f" {self.modality}:" if self.modality else ""
        return f"sample '{self.sample_id}'{where}:{what} {self.problem}"


def write_quarantine(out: Path, bad: Sequence[BadValue], about: Mapping[str, Any]) -> None:
    """Write OUT/report.json and OUT/quarantine.csv."""
    write_json(out / layout.DATA_REPORT, {**about, "problems": [asdict(item) for item in bad]})
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(BadValue)])
    writer.writeheader()
    writer.writerows(asdict(item) for item in bad)
    write_bytes(out / layout.QUARANTINE, text.getvalue().encode())
