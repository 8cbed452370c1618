"""Samples that were given, as records to decode; what is wrong with one leaves the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.data.asked.files import modalities_of
from raymm.data.media.files import SampleFiles
from raymm.data.media.problem import MediaError
from raymm.data.media.suffixes import holds
from raymm.data.media_root import missing_files
from raymm.data.quarantine import BadValue
from raymm.data.record import Record

if TYPE_CHECKING:
    from raymm.data.asked.forms import Asked
    from raymm.data.schema import Schema

__all__ = ["Checked", "records_of"]

Checked = tuple[list[Record], list[BadValue]]
"""Records of samples whose files are there, and what is wrong with the others."""


def records_of(asked: Sequence[Asked], schema: Schema, *, text_files: bool = True) -> Checked:
    """Records of samples that were given; one is called after its file, else by its number from 0 on.

    Without `text_files`, a text that ends in `.txt` is a text like any other.
    """
    good: list[Record] = []
    bad: list[BadValue] = []
    for number, one in enumerate(asked):
        first = _first_file(one, schema)
        cells = dict.fromkeys(schema.names) | {**one.cells}
        record = Record(first or str(number), "test", None, first, cells)
        try:
            record = replace(record, cells=_with_file(one, record.cells, schema))
        except MediaError as cause:
            bad.append(BadValue(record.sample_id, one.file or "", "", str(cause)))
            continue
        record, wrong = _with_texts(record, schema) if text_files else (record, list[BadValue]())
        wrong += missing_files([record], {spec.name: spec for spec in schema.modalities}, Path())
        bad += wrong
        good += [] if wrong else [record]
    return good, bad


def _first_file(one: Asked, schema: Schema) -> str:
    """The file that a sample is called after; empty where it has none."""
    cells = [one.cells.get(spec.name) for spec in schema.modalities if not spec.from_text]
    return next((cell for cell in (one.file, *cells) if isinstance(cell, str)), "")


def _with_file(one: Asked, cells: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Cells of a sample, with those that its file gives."""
    if one.file is None:
        return {**cells}
    names = modalities_of(one.file, [spec for spec in schema.modalities if spec.name not in one.cells], Path())
    return {**cells, **dict.fromkeys(names, one.file)}


def _with_texts(record: Record, schema: Schema) -> tuple[Record, list[BadValue]]:
    """The record with the content of its .txt files in the place of their names."""
    texts: dict[str, str | None] = {}
    bad = []
    for spec in schema.modalities:
        cell = record.cells[spec.name]
        if spec.from_text and isinstance(cell, str) and holds(cell, "text") and "\n" not in cell:
            try:
                texts[spec.name] = _text_in(cell)
            except MediaError as cause:
                bad.append(BadValue(record.sample_id, cell, spec.name, str(cause)))
    return replace(record, cells={**record.cells, **texts}), bad


def _text_in(file: str) -> str | None:
    """The text of a file; None of an empty one, as of an empty cell of a manifest."""
    try:
        return SampleFiles(Path()).path(file).read_text(encoding="utf-8-sig").strip() or None
    except UnicodeDecodeError as cause:
        raise MediaError(f"is no text in UTF-8 ({cause})") from cause
