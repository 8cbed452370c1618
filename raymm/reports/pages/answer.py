"""What a run answers, before it is a page: how each modality is used, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from raymm.reports.pages.usage import usages
from raymm.reports.pages.verdict import CHANCE, MEAN, above_chance, headline, verdict
from raymm.valuation.table_file import read_test_table

if TYPE_CHECKING:
    from collections.abc import Collection

    from raymm.data.dataset import Dataset
    from raymm.reports.pages.usage import Usage
    from raymm.reports.pages.verdict import Sentence
    from raymm.training.run import Run
    from raymm.valuation.table import ValuationTable

__all__ = ["Answer", "answer_of"]


@dataclass(frozen=True)
class Answer:
    """What the test table of a run says.

    Attributes
    ----------
    table
        The test table; modalities that the model does not read are missing in it.
    found
        The usage of each modality, in the order of the table.
    headline, sentences
        The verdict.
    above_chance
        Whether all modalities together are shown to be above chance, or in a regression better than the mean of the
        training labels; None where that cannot be told.
    """

    table: ValuationTable
    found: tuple[Usage, ...]
    headline: str
    sentences: tuple[Sentence, ...]
    above_chance: bool | None = None

    @property
    def bad(self) -> bool:
        """Whether a sentence says what is not good."""
        return any(sentence.tone == "bad" for sentence in self.sentences)


def answer_of(run: Run, dataset: Dataset | None = None) -> Answer:
    """Read the test table of a finished run and answer by it, and by its data set where that is here."""
    table = read_test_table(run.path)
    table = _as_read(table, run.config.model.modalities)
    found = usages(table, run.config.model.modalities, dataset.untrained if dataset else ())
    sentences = verdict(table, found, run.config.training.selection)
    above = above_chance(table, run.config.training.selection)
    said = headline(found, above, CHANCE if table.shows_right else MEAN)
    return Answer(table, tuple(found), said, tuple(sentences), above)


def _as_read(table: ValuationTable, read: Collection[str] | None) -> ValuationTable:
    """The table as if no sample had the modalities that a model does not read: nothing is told of them."""
    if read is None:
        return table
    reads = np.array([name in read for name in table.info.modalities])
    return replace(table, phi=np.where(reads, table.phi, np.nan))
