"""Pieces of the file of a valuation table as they are read, and what no table has: nulls, bits of another length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import compute

from raymm.data.record import LONGEST_ID
from raymm.errors import DataError
from raymm.valuation.table_columns import bytes_of, longest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from raymm.valuation.table import TableInfo

__all__ = ["Pieces"]


class Pieces:
    """Pieces of a file one after the other, and what is wrong with any of them.

    Attributes
    ----------
    with_source
        How many rows so far had a source.
    widest
        Letters of the longest text with which a column is an array of texts of one length.
    """

    def __init__(self, path: Path, info: TableInfo, widest: float) -> None:
        n = len(info.modalities)
        self.with_source = 0
        self.widest = widest
        self._rows = 0
        self._path = path
        self._bits, bits = ("outcomes", 2**n) if info.method == "exact" else ("alone", n)
        self._bytes = bytes_of(bits)
        self._nulls = dict.fromkeys(("sample_id", "split", "label", "prediction", self._bits), 0)
        self._as_long = True

    def checked(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
        """The pieces.

        Raises
        ------
        DataError
            After the last one, when a value is null that every row has, or packed bits have another length than they
            must.
        """
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            self._look(rows)
            self._check_ids(rows.column("sample_id"))
            self._rows += len(rows)
            if not self._wrong():
                yield rows
        if wrong := self._wrong():
            raise DataError(f"{self._path}: not a whole valuation table: {'; '.join(wrong)}; value the split again")

    def _look(self, rows: pa.Table) -> None:
        for name in self._nulls:
            self._nulls[name] += rows.column(name).null_count
        bits = rows.column(self._bits).combine_chunks()
        lengths = compute.binary_length(bits.dictionary).take(bits.indices)
        self._as_long &= not compute.any(compute.not_equal(lengths, self._bytes)).as_py()
        if "source" in rows.column_names:
            self.with_source += len(rows) - rows.column("source").null_count

    def _check_ids(self, ids: pa.ChunkedArray) -> None:
        if longest(ids) <= LONGEST_ID:
            return
        for row, one in enumerate(ids, self._rows):
            if (length := len(one.as_py() or "")) > LONGEST_ID:
                raise DataError(
                    f"{self._path}: row {row}: its sample_id has {length} characters, at most {LONGEST_ID} are "
                    "allowed; value the split again"
                )

    def _wrong(self) -> list[str]:
        nulls = [f"'{name}' is null in {count} rows" for name, count in self._nulls.items() if count]
        return nulls or ([] if self._as_long else [f"'{self._bits}' must have {self._bytes} bytes in every row"])
