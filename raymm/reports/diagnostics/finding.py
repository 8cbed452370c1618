"""A finding: a failure that the numbers of a run show, in words, with what to try next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "finding_lines", "finding_tags", "findings_markdown", "log_line"]

TAG = "raymm.finding."
CLEARED = "no longer"
"""The tag of a finding that held in an earlier epoch, since a tag cannot be taken back."""


@dataclass(frozen=True)
class Finding:
    """What one signature found.

    Attributes
    ----------
    name
        Of the signature, as in `docs/diagnostics.md`.
    subject
        The modality that it is about, or "run".
    sentence
        What was found, with the numbers that it was read from.
    advice
        A setting or command to try next.
    severity
        "warning" where the result is likely worse for it, "note" where it says how to read the result.
    numbers
        The numbers of the sentence, by metric where it is one: as recorded, not rounded.
    """

    name: str
    subject: str
    sentence: str
    advice: str
    severity: Literal["warning", "note"]
    numbers: Mapping[str, float]

    @property
    def key(self) -> tuple[str, str]:
        """Signature and subject: what makes it the same finding in another epoch."""
        return self.name, self.subject


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """A line for each finding and one for its advice, for a terminal."""
    return [
        line for each in findings for line in (f"{each.severity}: {each.sentence} [{each.name}]", f"  {each.advice}")
    ]


def log_line(finding: Finding) -> str:
    """A finding as one line of a log."""
    return f"{finding.severity}: {finding.sentence} [{finding.name}]; {finding.advice}"


def findings_markdown(findings: Sequence[Finding]) -> str:
    """The findings as a list in Markdown; empty where there are none."""
    return "\n".join(f"- **{each.name}** ({each.severity}): {each.sentence}. {each.advice}." for each in findings)


def finding_tags(findings: Sequence[Finding], before: Iterable[str] = ()) -> dict[str, str]:
    """Tags of a tracking store, `raymm.finding.NAME`: what each finding is about.

    Parameters
    ----------
    before
        Names of signatures that were tagged in earlier epochs; those that do not hold are tagged so.
    """
    subjects: dict[str, list[str]] = {name: [] for name in before}
    for each in findings:
        subjects.setdefault(each.name, []).append(each.subject)
    return {f"{TAG}{name}": ", ".join(about) or CLEARED for name, about in subjects.items()}
