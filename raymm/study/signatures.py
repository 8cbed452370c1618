"""The failure signatures that hold in a study's runs (`raymm.reports.diagnostics`): of which arms, in how many."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raymm.counts import counted
from raymm.reports.diagnostics import SIGNATURES

if TYPE_CHECKING:
    from raymm.reports.diagnostics.finding import Finding
    from raymm.study.results import RunRecord

__all__ = ["Signature", "StudyFindings", "findings_text", "signatures_of"]

HOW = (
    "Failure signatures that hold at the end of runs, read from validation (`docs/diagnostics.md`). Each is of one "
    "run, and one that is not there proves nothing."
)

FEW = 3
"""Arms that are named even where they are all."""

Place = tuple[str, str]
"""Data set and arm."""

Held = tuple["RunRecord", "Finding"]
"""A finding, and the run in which it holds."""


@dataclass(frozen=True)
class StudyFindings:
    """The findings of the runs of a study.

    Attributes
    ----------
    found
        Each run that was looked at, with its findings in the order of the signatures.
    short
        How many of them have too few epochs for what is read from their history.
    unread
        Why each of the other runs was not looked at.
    """

    found: tuple[tuple[RunRecord, tuple[Finding, ...]], ...] = ()
    short: int = 0
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signature:
    """One signature over all runs: a title, advice, a sentence for each data set, and the rows of its table."""

    title: str
    advice: str
    sentences: tuple[str, ...]
    rows: list[list[str]]


def findings_text(findings: StudyFindings) -> str:
    """What was looked for in which runs, and that nothing was found where that is so."""
    looked = len(findings.found)
    said = [HOW] if looked else []
    if looked and not any(of_run for _, of_run in findings.found):
        said.append(f"None holds at the end of {_of_runs(looked)}.")
    if findings.short:
        have = "has" if findings.short == 1 else "have"
        said.append(f"{counted(findings.short, 'run')} {have} too few epochs for most of them.")
    if findings.unread:
        more = " (and other causes)" if len(set(findings.unread)) > 1 else ""
        said.append(f"Not looked for in {counted(len(findings.unread), 'run')}: {findings.unread[0]}{more}.")
    return " ".join(said)


def _of_runs(looked: int) -> str:
    return f"any of the {looked} runs" if looked > 1 else "the run"


def signatures_of(findings: StudyFindings) -> list[Signature]:
    """The signatures that hold in a run, in the order in which they are told."""
    held: dict[str, list[Held]] = {signature.__name__: [] for signature in SIGNATURES}
    for record, of_run in findings.found:
        for finding in of_run:
            held[finding.name].append((record, finding))
    runs = Counter((record.data, record.arm) for record, _ in findings.found)
    return [_signature(of_name, runs) for of_name in held.values() if of_name]


def _signature(held: Sequence[Held], runs: Mapping[Place, int]) -> Signature:
    """One signature, where it holds.

    Parameters
    ----------
    runs
        How many runs were looked at, by data set and arm.
    """
    by_subject: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for record, finding in held:
        by_subject[record.data, finding.subject][record.arm] += 1
    examples = [_example(held, data) for data in dict.fromkeys(record.data for record, _ in held)]
    record, first = examples[0]
    return Signature(
        f"{first.name} ({first.severity}): in {_count(held)} of {counted(sum(runs.values()), 'run')}",
        f"To try, as it is said of {record.arm} on {record.data}: {first.advice}.",
        tuple(f"{of.arm} on {of.data}, seed {of.seed}: {finding.sentence}." for of, finding in examples),
        [_row(data, subject, arms, runs) for (data, subject), arms in by_subject.items()],
    )


def _example(held: Sequence[Held], data: str) -> Held:
    """On a data set, the lowest seed of the arm and subject with the most runs; of equals, of the first."""
    here = [(record, finding) for record, finding in held if record.data == data]
    counts = Counter((record.arm, finding.subject) for record, finding in here)
    most = counts.most_common(1)[0][0]
    return min((one for one in here if (one[0].arm, one[1].subject) == most), key=lambda one: one[0].seed)


def _row(data: str, subject: str, arms: Mapping[str, int], runs: Mapping[Place, int]) -> list[str]:
    """Data set, what the finding is about, its runs, and its arms: those of the most runs first."""
    every = {arm: count for (of, arm), count in runs.items() if of == data}
    groups: dict[str, list[str]] = defaultdict(list)
    for arm in sorted(arms, key=lambda name: -arms[name] / every[name]):
        groups[f"{arms[arm]} of {every[arm]}"].append(arm)
    said = [f"{part}: {_names(names, len(every))}" for part, names in groups.items()]
    return [data, subject, f"{sum(arms.values())} of {sum(every.values())}", "; ".join(said)]


def _names(arms: Sequence[str], every: int) -> str:
    """Names of arms; how many they are where they are all of several."""
    return f"all {every} arms" if len(arms) == every > FEW else ", ".join(arms)


def _count(held: Sequence[Held]) -> int:
    """In how many runs it holds."""
    return len({(record.data, record.arm, record.seed) for record, _ in held})
