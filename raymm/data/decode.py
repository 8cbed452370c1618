"""Read one sample of a manifest: every modality from its file, and everything that is wrong with it.

A video is decoded once, whatever number of modalities need its frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raymm.data.kinds.base import ModalitySpec, Value
from raymm.data.media.files import SampleFiles
from raymm.data.media.given_array import given_array
from raymm.data.media.problem import MediaError
from raymm.data.media.root import MediaRoot
from raymm.data.quarantine import BadValue
from raymm.data.schema import Schema

if TYPE_CHECKING:
    from raymm.data.record import Record

__all__ = ["read_sample"]


Remarks = list[tuple[str, str]]


def read_sample(
    record: Record, schema: Schema, media_root: MediaRoot
) -> tuple[dict[str, Value], list[BadValue], Remarks]:
    """The values of a sample, everything that is wrong with them, and what else there is to say, by modality."""
    values: dict[str, Value] = {}
    wrong: list[BadValue] = []
    remarks: Remarks = []
    files = _files_of(record, schema, media_root)
    for spec in schema.modalities:
        cell = record.cells[spec.name]
        file = cell if isinstance(cell, str) and not spec.from_text else ""
        try:
            value = None if cell is None else _value(spec, cell, files)
            troubles = [] if cell is None else _troubles(spec, value)
        except MediaError as cause:
            value, troubles = None, [str(cause)]
        values[spec.name] = value
        remarks += [(spec.name, remark) for remark in files.take_remarks()]
        wrong += [BadValue(record.sample_id, file, spec.name, trouble) for trouble in troubles]
    if not wrong and all(value is None for value in values.values()):
        wrong.append(BadValue(record.sample_id, record.source, "", "every modality is missing"))
    return values, wrong, remarks


def _value(spec: ModalitySpec, cell: Any, files: SampleFiles) -> Value:
    """The value of a cell; numbers in the place of a file are those that were decoded before."""
    if not spec.is_media or isinstance(cell, str):
        return spec.decode(cell, files)
    return given_array(cell)


def _troubles(spec: ModalitySpec, value: Value) -> list[str]:
    """What is wrong with a value that was decoded; only an empty cell is a missing modality."""
    return [f"decode of the kind '{spec.kind}' returns None"] if value is None else spec.check(value)


def _files_of(record: Record, schema: Schema, media_root: MediaRoot) -> SampleFiles:
    """The files of a sample, with the times of all frames that its modalities need of each."""
    framed = [spec for spec in schema.modalities if spec.frame_times and isinstance(record.cells[spec.name], str)]
    wanted = [(str(record.cells[spec.name]), getattr(spec, "stream", None), spec.frame_times) for spec in framed]
    return SampleFiles(media_root, wanted)
