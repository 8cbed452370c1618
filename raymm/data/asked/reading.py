"""Decode the samples that a model is asked about, a few at a time: the good ones as columns, the others by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.data.asked.forms import samples_of
from raymm.data.asked.manifest import records_of_manifest
from raymm.data.asked.records import records_of
from raymm.data.decode import read_sample
from raymm.data.media.text_embeddings import Encoders, embed_texts
from raymm.data.quarantine import BadValue

if TYPE_CHECKING:
    from raymm.data.kinds.base import Value
    from raymm.data.record import Record
    from raymm.data.schema import Schema

__all__ = ["Question", "Read", "question_of", "read_question"]

AT_ONCE = 64
"""Samples that are decoded before the model is run on them."""


@dataclass(frozen=True)
class Question:
    """What is asked: samples whose files are there, the folder of the files, and what is wrong with other samples."""

    records: Sequence[Record]
    root: Path
    bad: Sequence[BadValue] = ()


@dataclass(frozen=True)
class Read:
    """Some samples that were read: their names, values by modality, and what was wrong with others."""

    names: list[str]
    columns: dict[str, list[Value]]
    bad: list[BadValue]
    remarks: Counter[tuple[str, str]]


def question_of(
    given: Any, schema: Schema, manifest: Path | None, media_root: Path | None, allow_outside: bool
) -> Question:
    """What is asked by samples, or by a manifest; errors as `samples_of` and `records_of_manifest`."""
    if manifest is not None:
        root = manifest.parent if media_root is None else media_root
        return Question(records_of_manifest(manifest, schema, root, allow_outside), root)
    records, bad = records_of(samples_of(given, schema), schema)
    return Question(records, Path(), bad)


def read_question(question: Question, schema: Schema, encoders: Encoders) -> Iterator[Read]:
    """Decode every sample as `raymm prepare` does, some at a time."""
    for start in range(0, len(question.records), AT_ONCE):
        read = Read([], {name: [] for name in schema.names}, [], Counter())
        for record in embed_texts(question.records[start : start + AT_ONCE], encoders):
            values, wrong, remarks = read_sample(record, schema, question.root)
            read.bad.extend(wrong)
            if wrong:
                continue
            read.names.append(record.sample_id)
            read.remarks.update(remarks)
            for name, value in values.items():
                read.columns[name].append(value)
        yield read
