"""What samples are called that have no id in the manifest, and ids that stand twice."""

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from raymm.data.manifest_rows import Rows, refuse_long
from raymm.data.record import shortened
from raymm.errors import Problems

__all__ = ["name_samples", "refuse_repeated_ids"]


def name_samples(rows: Rows) -> list[str]:
    """The id of each row: its own, else the stem of its file, else the number of the row.

    Where two files have one stem, all are called by their path without the suffix; where that does not tell them
    apart either, by their whole cell (`views.npz#x[3]`); and files that a table holds itself by where they lie now.
    """
    stems = [source and _without_suffix(posixpath.basename(rows.called(source))) for source in rows.sources]
    for names in chain([stems], _longer_names(rows)):
        ids = [own.strip() or name for own, name in zip(rows.ids, names, strict=True)]
        if len(set(ids) - {""}) == sum(map(bool, ids)):
            return _numbered(ids)
    return _numbered([own.strip() or stem for own, stem in zip(rows.ids, stems, strict=True)])


def refuse_repeated_ids(rows: Rows, ids: Sequence[str], problems: Problems) -> None:
    """Name the ids that stand twice, and those that are too long to be one."""
    given = Counter(own.strip() for own in rows.ids)
    for sample_id, count in Counter(ids).items():
        if count > 1:
            cure = "" if given[sample_id] == count else "; its file stands so often: give each row a sample_id"
            problems.add(f"sample '{shortened(sample_id)}': its id appears {count} times{cure}")
    refuse_long("id", ids, problems)


def _without_suffix(path: str) -> str:
    """A path without the suffix of its file; a name that is a suffix only stays.

    >>> _without_suffix("a/b.c.wav"), _without_suffix("a.b/.wav")
    ('a/b.c', 'a.b/.wav')
    """
    above, slash, name = path.rpartition("/")
    stem, _, suffix = name.rpartition(".")
    return f"{above}{slash}{stem if stem and suffix else name}"


def _longer_names(rows: Rows) -> Iterator[list[str]]:
    """What rows are called where stems stand twice, one form after the other."""
    cells = [_cell(rows, row) for row in range(len(rows))]
    yield [_without_suffix(cell) for cell in cells]
    yield cells
    yield [_place(rows, source) for source in rows.sources]


def _place(rows: Rows, source: str) -> str:
    """Where a file lies that a table holds itself, or by which name it was written; of others the path."""
    place = posixpath.basename(source) if source in rows.embedded and posixpath.isabs(source) else source
    return _without_suffix(place)


def _cell(rows: Rows, row: int) -> str:
    """The cell that names the file of a row, as the manifest has it."""
    source = rows.sources[row]
    if not source:
        return ""
    cells = (rows.cells[name][row] for name in rows.specs)
    whole = next((cell for cell in cells if isinstance(cell, str) and cell.startswith(f"{source}#")), source)
    return rows.called(whole)


def _numbered(ids: Sequence[str]) -> list[str]:
    return [sample_id or f"row-{number:06d}" for number, sample_id in enumerate(ids, start=1)]
