"""The report on samples that cannot be used: as JSON for programs, as CSV for people."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from raymm.counts import counted
from raymm.storage import data_layout
from raymm.storage.atomic import write_bytes, write_json

__all__ = ["BadValue", "bad_line", "by_file", "problem_lines", "write_quarantine"]

ALONE = 5
"""Samples with the same problem that are still listed one by one."""


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


def problem_lines(bad: Sequence[BadValue]) -> list[str]:
    """A line for each bad value; what is wrong with many samples in the same way is one line that names the first.

    Examples
    --------
    >>> problem_lines([BadValue(f"s{n}", f"s{n}.wav", "audio", f"there is no file s{n}.wav") for n in range(800)])
    ["800 samples: audio: there is no file ...: 's0' (s0.wav), 's1' (s1.wav), 's2' (s2.wav) and 797 more"]
    """
    groups: dict[tuple[str, str], list[BadValue]] = {}
    for item in bad:
        problem = item.problem.replace(item.file, "...") if item.file else item.problem
        groups.setdefault((item.modality, problem), []).append(item)
    lines = []
    for (modality, problem), items in groups.items():
        if len(items) <= ALONE:
            lines += [item.line() for item in items]
            continue
        names = [f"'{item.sample_id}'" + (f" ({item.file})" if item.file else "") for item in items[:3]]
        what = f"{modality}: {problem}" if modality else problem
        lines.append(f"{counted(len(items), 'sample')}: {what}: {', '.join(names)} and {len(items) - 3} more")
    return lines


def by_file(bad: Sequence[BadValue]) -> tuple[BadValue, ...]:
    """What is wrong with a file in the same way for several modalities, said once."""
    names: dict[BadValue, list[str]] = {}
    for one in bad:
        names.setdefault(replace(one, modality=""), []).append(one.modality)
    return tuple(replace(one, modality=", ".join(filter(None, of))) for one, of in names.items())


def bad_line(bad: BadValue) -> str:
    """What is wrong with a sample, after the file, or else the sample.

    >>> bad_line(BadValue("a.mp4", "a.mp4", "rgb", "is an empty file (zero bytes)"))
    'a.mp4: rgb: is an empty file (zero bytes)'
    """
    what = f" {bad.modality}:" if bad.modality else ""
    sample = "" if bad.file in {"", bad.sample_id} else f"sample '{bad.sample_id}': "
    return f"{sample}{bad.file or bad.sample_id}:{what} {bad.problem}"


def write_quarantine(out: Path, bad: Sequence[BadValue], about: Mapping[str, Any]) -> None:
    """Write OUT/report.json and OUT/quarantine.csv."""
    write_json(out / data_layout.DATA_REPORT, {**about, "problems": [asdict(item) for item in bad]})
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(BadValue)])
    writer.writeheader()
    writer.writerows(asdict(item) for item in bad)
    write_bytes(out / data_layout.QUARANTINE, text.getvalue().encode())
