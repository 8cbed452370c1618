"""The findings of a study's runs, looked for again in what they have saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.errors import RaymmError
from raymm.reports.diagnostics import diagnose
from raymm.reports.diagnostics.of_run import evidence_of
from raymm.study.signatures import StudyFindings
from raymm.training.run import open_run

if TYPE_CHECKING:
    from pathlib import Path

    from raymm.data.dataset import Dataset
    from raymm.study.results import StudyResults
    from raymm.training.run import Run

__all__ = ["read_findings"]


def read_findings(results: StudyResults) -> StudyFindings:
    """Look for failure signatures in the finished runs, by their folders and data sets, each of which is opened once.

    A run whose folder or data set cannot be opened is not looked at.
    """
    found, unread, short = [], [], 0
    opened: dict[tuple[Path, str], Dataset | RaymmError] = {}
    for record in results.runs:
        try:
            run = open_run(record.path)
            evidence = evidence_of(run, _dataset(run, opened), record.history)
        except RaymmError as cause:
            unread.append(" ".join(str(cause).split()))
            continue
        short += not evidence.judged
        found.append((record, tuple(diagnose(evidence))))
    return StudyFindings(tuple(found), short, tuple(unread))


def _dataset(run: Run, opened: dict[tuple[Path, str], Dataset | RaymmError]) -> Dataset:
    """The data set of a run; raises again why it could not be opened."""
    key = run.data, run.digest
    if key not in opened:
        try:
            opened[key] = run.dataset()
        except RaymmError as cause:
            opened[key] = cause
    found = opened[key]
    if isinstance(found, RaymmError):
        raise found
    return found
