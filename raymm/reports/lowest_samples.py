"""The samples with the lowest contribution of each modality, as tables with pictures and sound for a store."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.errors import in_one_line
from raymm.reports.gallery import QUALITIES, displays_of, draw, expected_phi, lowest_rows
from raymm.reports.gallery.samples import rows_in_data, unusable
from raymm.reports.valuation_summary import class_text
from raymm.storage import layout
from raymm.storage.atomic import write_bytes, write_json

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.reports.gallery import Medium
    from raymm.valuation.table import ValuationTable

__all__ = ["Lowest", "write_lowest"]

MOST = 48
"""Samples of all modalities together; of each at least `FEWEST`."""

FEWEST = 2
COLUMNS = ("rank", "sample", "label", "predicted", "phi", "expected phi", "source", "shown")
PICTURE = "picture"
SUFFIXES = {"audio/flac": "flac", "image/png": "png", "image/jpeg": "jpg"}


@dataclass(frozen=True)
class Lowest:
    """What was written of a modality: its table, and its media."""

    table: Path
    media: tuple[Path, ...]


def write_lowest(run: Path, table: ValuationTable, dataset: Dataset, classes: Sequence[str]) -> dict[str, Lowest]:
    """Write RUN/samples anew, by modality; nothing of one that no sample has, or the model does not read.

    A table is JSON of `columns` and `data`, lowest contribution first: "expected phi" is the mean of the modality
    over similar samples (`raymm.reports.gallery.choose`), "shown" what it shows in words, or why nothing; where every
    sample has a picture, the second column has these, in the form in which MLflow shows them.
    """
    folder = run / layout.SAMPLES
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names, expected = table.info.modalities, expected_phi(table)
    count = max(FEWEST, MOST // len(names))
    lowest = [lowest_rows(table.phi[:, position], count).tolist() for position in range(len(names))]
    why = unusable(dataset)
    numbers = {} if why else rows_in_data(table, sorted({row for rows in lowest for row in rows}), dataset)
    found = {}
    for position, (name, rows) in enumerate(zip(names, lowest, strict=True)):
        if not rows:
            continue
        shown = [_shown(dataset, numbers.get(row), name, why) for row in rows]
        files = [
            [_write(folder / name, rank, number, medium) for number, medium in enumerate(media, start=1)]
            for rank, (_, media) in enumerate(shown, start=1)
        ]
        phi = zip(table.phi[rows, position].tolist(), expected[rows, position].tolist(), strict=True)
        lines = [
            [rank, *_of_sample(table, row, classes), *map(_number, pair), *words]
            for rank, (row, pair, (words, _)) in enumerate(zip(rows, phi, shown, strict=True), start=1)
        ]
        path = folder / f"lowest-{name}.json"
        write_json(path, _with_pictures(lines, files, run))
        found[name] = Lowest(path, tuple(path for of_sample in files for path in of_sample))
    return found


def _of_sample(table: ValuationTable, row: int, classes: Sequence[str]) -> list[str]:
    """Its id, its label and the prediction."""
    answers = (class_text(table, labels[row], classes) for labels in (table.label, table.prediction))
    return [str(table.sample_id[row]), *answers]


def _number(value: float) -> float | None:
    return None if isnan(value) else round(value, 4)


def _with_pictures(lines: list[list[Any]], files: list[list[Path]], run: Path) -> dict[str, Any]:
    """The table, with a column of pictures where every sample has one: MLflow shows such columns only whole."""
    pictures = [next((path for path in paths if path.suffix != ".flac"), None) for paths in files]
    if not all(pictures):
        return {"columns": COLUMNS, "data": lines}
    places = [path.relative_to(run).as_posix() for path in pictures if path is not None]
    cells = [{"type": "image", "filepath": place, "compressed_filepath": place} for place in places]
    joined = [[rank, cell, *others] for (rank, *others), cell in zip(lines, cells, strict=True)]
    return {"columns": [COLUMNS[0], PICTURE, *COLUMNS[1:]], "data": joined}


def _shown(dataset: Dataset, number: int | None, name: str, why: str) -> tuple[list[str], list[Medium]]:
    """Of a sample the source and words of a modality, and what there is to see or hear of it.

    Parameters
    ----------
    number
        Of the sample in the data set; None where it has none, or, as `why` says, none can be read.
    """
    if number is None:
        return ["", why or "not in the data set"], []
    displays = displays_of(dataset, number, [name])[name]
    try:
        media = [] if displays is None or isinstance(displays, str) else [draw(d, QUALITIES[0]) for d in displays]
        words = displays if isinstance(displays, str) else "; ".join(filter(None, map(_words, media)))
    except Exception as cause:  # noqa: BLE001  (what a kind of another package shows)
        media, words = [], f"cannot be drawn: {in_one_line(cause)}"
    source = str(dataset.shards.sources(np.array([number]))[0])
    return [source, words], [medium for medium in media if medium.mime in SUFFIXES]


def _words(medium: Medium) -> str:
    return " ".join(medium.tokens) or medium.text or medium.caption or medium.alternative


def _write(folder: Path, rank: int, number: int, medium: Medium) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{rank:02d}-{number}.{SUFFIXES[medium.mime]}"
    write_bytes(path, medium.content)
    return path
