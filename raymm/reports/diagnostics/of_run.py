"""The findings of a run: its facts from its settings and data, its findings as epochs end and at the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.methods.registry import get_method
from raymm.reports.chance import chance_by_modality
from raymm.reports.diagnostics import diagnose, no_difference_from
from raymm.reports.diagnostics.evidence import Evidence, Facts
from raymm.reports.diagnostics.finding import finding_tags, log_line
from raymm.training.result import read_result
from raymm.valuation.table_file import read_test_table

if TYPE_CHECKING:
    import numpy.typing as npt

    from raymm.data.dataset import Dataset
    from raymm.reports.diagnostics.finding import Finding
    from raymm.tracking.base import Tracker
    from raymm.training.run import Run

__all__ = ["FindingLog", "evidence_of", "facts_of", "findings_against", "findings_of"]

log = logging.getLogger(__name__)


def findings_of(run: Run, dataset: Dataset, history: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Findings of a run after the epochs of its history."""
    return diagnose(evidence_of(run, dataset, history))


def evidence_of(run: Run, dataset: Dataset, history: Sequence[Mapping[str, Any]]) -> Evidence:
    """What the signatures read of a run after the epochs of its history."""
    return Evidence(facts_of(run, dataset), history)


def findings_against(run: Run, baseline: Run) -> list[Finding]:
    """Whether a finished run is not shown to differ from another, by their test tables.

    Raises
    ------
    CheckpointError
        When one of the runs has not come to its end.
    DataError
        When they are not of the same test samples.
    """
    for each in (run, baseline):
        read_result(each.path)  # compares the checksums of all files
    own, other = (read_test_table(each.path) for each in (run, baseline))
    return no_difference_from(own, other, baseline.name)


@dataclass
class FindingLog:
    """Follows a run: logs a finding when it first holds, and keeps the tags of a tracker up to date."""

    tracker: Tracker
    facts: Facts
    epochs: int = 0
    told: set[tuple[str, str]] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)

    def __call__(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Look at every epoch that is new."""
        for done in range(self.epochs + 1, len(history) + 1):
            self._look(Evidence(self.facts, history[:done]))
        self.epochs = max(self.epochs, len(history))

    def _look(self, evidence: Evidence) -> None:
        findings = diagnose(evidence)
        new = [finding for finding in findings if finding.key not in self.told]
        for finding in new:
            log.warning("epoch %d: %s", evidence.done, log_line(finding))
        self.told |= {finding.key for finding in new}
        tags = finding_tags(findings, {name for name, _ in self.told})
        if tags != self.tags:
            self.tracker.log_tags(tags)
            self.tags = tags


def facts_of(run: Run, dataset: Dataset) -> Facts:
    """What the signatures are told of a run."""
    config, rows = run.config, dataset.rows("val")
    present = dataset.as_read(config.model.modalities).present[rows]
    names, columns = _judged(run, dataset)
    accompanied = _accompanied(present)[:, columns].sum(axis=0)
    present = present[:, columns]
    needs = get_method(config.method.name).needs
    resamples = needs != "nothing"
    return Facts(
        modalities=names,
        validation=dict(zip(names, present.sum(axis=0).tolist(), strict=True)),
        accompanied=dict(zip(names, accompanied.tolist(), strict=True)),
        samples=len(rows),
        chance=chance_by_modality(dataset.schema.task, dataset.label[rows], present, names),
        epochs=config.training.epochs,
        reference=max(config.method.warmup if resamples else 0, 0 if run.start is None else run.start.epoch),
        resamples=resamples,
        in_place=needs == "state",
        method=config.method.name,
        training=len(dataset.rows("train")),
        labels=_label_counts(dataset),
    )


def _label_counts(dataset: Dataset) -> dict[str, tuple[int, int]]:
    """Training and validation samples of each class, or with each label; none where labels are numbers."""
    task, classes = dataset.schema.task, dataset.schema.classes
    if not task.categorical:
        return {}
    train, val = (
        task.class_counts(dataset.label[dataset.rows(split)], len(classes)).tolist() for split in ("train", "val")
    )
    return dict(zip(classes, zip(train, val, strict=True), strict=True))


def _judged(run: Run, dataset: Dataset) -> tuple[tuple[str, ...], list[int]]:
    """The modalities that the model of a run reads and was trained on, in schema order, with their columns."""
    names, read = dataset.schema.names, run.config.model.modalities
    columns = [
        at for at, name in enumerate(names) if name not in dataset.untrained and (read is None or name in read)
    ]
    return tuple(names[at] for at in columns), columns


def _accompanied(present: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which samples have each modality and another, bool [N, n]."""
    several: npt.NDArray[np.bool_] = present & (present.sum(axis=1) > 1)[:, None]
    return several
