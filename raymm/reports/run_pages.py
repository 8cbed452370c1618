"""The pages of a finished run in a tracking store: its report, its valuation, and its lowest samples with media."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from raymm.reports.lowest_samples import write_lowest
from raymm.reports.pages.answer import answer_of
from raymm.reports.run_page import write_run_page
from raymm.reports.valuation_page import write_valuation_page
from raymm.storage import layout
from raymm.tracking.base import NullTracker

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.reports.diagnostics.finding import Finding
    from raymm.tracking.base import Tracker
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["record_pages"]

log = logging.getLogger(__name__)


def record_pages(tracker: Tracker, run: Run, result: Result, dataset: Dataset, findings: Sequence[Finding]) -> None:
    """Write and record `report.html`, `valuation.html` and `samples/`; what fails is said and stops nothing."""
    if isinstance(tracker, NullTracker):
        return
    try:
        _record_pages(tracker, run, result, dataset, findings)
    except Exception as cause:  # the run is done; its pages can be made later
        log.warning("%s: its pages are not recorded (%s); `raymm report` makes them", run.path, cause, exc_info=cause)


def _record_pages(tracker: Tracker, run: Run, result: Result, dataset: Dataset, findings: Sequence[Finding]) -> None:
    answer, classes = answer_of(run, dataset), dataset.schema.classes
    tracker.log_artifact(write_run_page(run, result, dataset, findings, answer=answer))
    page = run.path / layout.VALUATION_PAGE
    write_valuation_page(page, answer.table, classes)
    tracker.log_artifact(page)
    for name, lowest in write_lowest(run.path, answer.table, dataset, classes).items():
        for medium in lowest.media:
            tracker.log_artifact(medium, f"{layout.SAMPLES}/{name}")
        tracker.log_table(lowest.table, layout.SAMPLES)
