"""`raymm.compare`: finished runs against each other, paired by data set and seed, with a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raymm.api.places_of_pages import refuse_report
from raymm.api.public import public
from raymm.api.shown import Placed, place_of
from raymm.api.study_result import StudyResult
from raymm.study.compare import compare_runs
from raymm.study.report import write_study_report

__all__ = ["compare"]


@public
def compare(
    runs: Sequence[str | Path | Placed],
    *,
    out: str | Path = "comparison",
    metric: str | None = None,
    reference: str | None = None,
) -> StudyResult:
    """Compare finished runs: which arm is better, by how much, and whether that is shown.

    Parameters
    ----------
    runs
        Their folders, or what `raymm.train` returned. Runs become arms by what differs in their settings, and are
        paired by data set and seed.
    out
        Folder of the report: a new one, or that of an earlier comparison.
    metric
        What is compared on test; default: what the runs picked their epochs by.
    reference
        Arm that costs are relative to; default: joint, or the first run's.

    Raises
    ------
    CheckpointError
        When a folder is no finished run, or the runs cannot be compared; with all problems.
    ConfigError
        When there is no such metric or arm, or `out` is a run, study, sweep or data set.

    Examples
    --------
    >>> import raymm
    >>> raymm.compare([])
    Traceback (most recent call last):
    raymm.errors.CheckpointError: no runs to compare
    """
    folder = Path(out)
    refuse_report("compare", folder)
    results = compare_runs([Path(place_of(run)) for run in runs], metric=metric, reference=reference)
    return StudyResult(folder, results, write_study_report(results, folder))
