"""Samples that stand in a manifest without labels, as records to decode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from raymm.data.kinds.base import kind_of
from raymm.data.manifest_rows import read_rows
from raymm.data.outside import resolved_files
from raymm.data.record import Record
from raymm.data.sample_ids import name_samples
from raymm.data.tabular.embedded import Embedded
from raymm.data.tabular.read import Table, read_table
from raymm.errors import DataError, Problems

if TYPE_CHECKING:
    from raymm.data.schema import Schema

__all__ = ["records_of_manifest"]


def records_of_manifest(path: Path, schema: Schema, media_root: Path, allow_outside: bool = False) -> list[Record]:
    """Records of a manifest, which needs no labels and may lack modalities.

    Parameters
    ----------
    media_root
        Folder that its paths are relative to.

    Raises
    ------
    DataError
        When it cannot be read, has none of the modalities, or names files outside of the media root.
    """
    classes = {spec.name: kind_of("text") if spec.from_text else type(spec) for spec in schema.modalities}
    table = read_table(path, Embedded(["file", *(name for name, kind in classes.items() if kind.is_media)], None))
    columns = table.columns
    specs = {
        name: kind
        for name, kind in classes.items()
        if name in columns.column_names or (kind.is_media and "file" in columns.column_names)
    }
    if not specs:
        raise DataError(f"{path}: has no column of a modality of the model, which are {', '.join(schema.names)}")
    columns = columns.drop_columns([name for name in ("label", "split", "group") if name in columns.column_names])
    columns = columns.append_column("label", pa.nulls(len(columns), pa.string()))
    rows = read_rows(path, specs, table=Table(columns, table.notes, table.names))
    ids, problems = name_samples(rows), Problems(str(path))
    resolved_files(rows, ids, media_root, allow_outside, problems)
    problems.raise_if_any(DataError)
    return [
        Record(
            sample_id,
            "test",
            None,
            source,
            {name: rows.cells[name][row] if name in specs else None for name in classes},
        )
        for row, (sample_id, source) in enumerate(zip(ids, rows.sources, strict=True))
    ]
