"""A folder that Hugging Face datasets saved (`save_to_disk`): Arrow files are mapped, media decoded when read.

FOLDER/dataset_dict.json            {"splits": ["train", "test"]}, and a folder for each; or a single data set:
FOLDER/dataset_info.json            features: which columns are labels (with names), pictures, sound
FOLDER/state.json                   the Arrow files, in order
FOLDER/data-00000-of-00001.arrow    rows
"""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from raymm.config.base import Settings
from raymm.data.indexed.base import Kept
from raymm.data.indexed.records import Loaded, RecordSettings, RecordSource
from raymm.data.media.root import Archive
from raymm.data.splits import split_called
from raymm.data.tabular.columns import holds_files, plain
from raymm.data.tabular.read import Table
from raymm.errors import DataError

__all__ = ["HuggingFaceFolder"]

DICT, INFO, STATE = "dataset_dict.json", "dataset_info.json", "state.json"

SUFFIXES = {"Image": ".png", "Audio": ".wav", "Video": ".mp4"}
"""Of files without a name, by the type of their column; what they are is read from their content."""

LABELS = ("label", "labels")


class HuggingFaceSettings(RecordSettings):
    """Which column is the label."""

    label: str | None = Field(default=None, description="column of the label; else `label`, `labels`, or the classes")


class HuggingFaceFolder(RecordSource):
    """`where` is the folder."""

    kind: ClassVar[str] = "huggingface"
    Settings: ClassVar[type[Settings]] = HuggingFaceSettings

    @classmethod
    def accepts(cls, where: str) -> bool:
        """Folders with the files that `save_to_disk` writes."""
        folder = Path(where)
        return (folder / DICT).is_file() or (folder / STATE).is_file()

    def load(self, kept: Kept | None) -> Loaded:
        """Rows of all splits one after the other; files become names, labels the names of their classes."""
        parts = [_Part(folder, split) for folder, split in self._folders()]
        identity = {"files": [[file.name, _size(file)] for part in parts for file in part.files]}
        self.refuse_other_files(identity, kept)
        root = _Cells(parts)
        label = _label_of(parts[0], self.settings.label, self.where)
        tables = [self._named(part, label, root) for part in parts]
        columns = pa.concat_tables(tables, promote_options="default")
        return Loaded(Table(columns, names=root.called), root, identity=identity)

    def _folders(self) -> list[tuple[Path, str]]:
        folder = Path(self.where)
        if not (folder / DICT).is_file():
            return [(folder, "")]
        names = _read(folder / DICT).get("splits", [])
        return [(_within(folder, str(name), DICT), str(name)) for name in names]

    def _named(self, part: "_Part", label: str, root: "_Cells") -> pa.Table:
        """The columns of a part as those of a manifest."""
        columns: dict[str, Any] = {}
        for name in part.table.column_names:
            column = plain(part.table.column(name))
            if name == label:
                columns["label"] = _class_names(column, part.features.get(name), part.folder)
            elif holds_files(column.type):
                columns[name] = root.names_of(part, name)
            else:
                columns[name] = column
        if part.split:
            columns["split"] = pa.chunked_array([pa.array([part.split] * len(part.table), pa.string())])
        return pa.table(columns)


class _Part:
    """One saved data set: its features, its Arrow files, and their rows, mapped into memory."""

    def __init__(self, folder: Path, split: str) -> None:
        self.folder, self.split = folder, split_called(split) or split
        self.features: Mapping[str, Any] = _read(folder / INFO).get("features") or {}
        listed = _read(folder / STATE).get("_data_files", [])
        self.files = [_within(folder, str(entry["filename"]), STATE) for entry in listed]
        if not self.files:
            raise DataError(f"{folder / STATE}: names no Arrow files; save the data set again by save_to_disk")

    @cached_property
    def table(self) -> pa.Table:
        """All rows."""
        tables = []
        for file in self.files:
            try:
                with pa.memory_map(str(file)) as source:
                    tables.append(pa.ipc.open_stream(source).read_all())
            except (pa.ArrowException, OSError) as cause:
                raise DataError(f"{file}: cannot be read ({cause}); save the data set again") from cause
        return pa.concat_tables(tables)


class _Cells(Archive):
    """Files in the rows of Arrow tables, by names such as `train/00000012.image.png`."""

    def __init__(self, parts: list[_Part]) -> None:
        super().__init__()
        self._parts = {part.split: part for part in parts}
        self.called: dict[str, str] = {}

    def names_of(self, part: _Part, column: str) -> pa.ChunkedArray:
        """The name of each file of a column; null where there is none."""
        files = plain(part.table.column(column)).combine_chunks()
        suffix = SUFFIXES.get(str((part.features.get(column) or {}).get("_type")), "")
        own = dict(zip((field.name for field in files.type), files.flatten(), strict=True))  # null where a file is
        paths = own["path"].to_pylist() if "path" in own else [None] * len(files)
        there = own["bytes"].is_valid().to_pylist() if "bytes" in own else [False] * len(files)
        names: list[str | None] = []
        for row, (path, embedded) in enumerate(zip(paths, there, strict=True)):
            if not embedded:
                names.append(self._outside(part, column, row, path))
                continue
            name = f"{part.split or 'rows'}/{row:08d}.{column}{PurePosixPath(path or '').suffix.lower() or suffix}"
            self.called[name] = path or name
            names.append(name)
        return pa.chunked_array([pa.array(names, pa.string())])

    @staticmethod
    def _outside(part: _Part, column: str, row: int, path: str | None) -> None:
        if path is not None:
            raise DataError(
                f"{part.folder}, row {row}: '{column}' names the file {path} and does not hold it; save the data set "
                "with its files embedded (save_to_disk does that for files that are there)"
            )

    def content(self, file: str) -> bytes | None:
        """The bytes of a cell."""
        cell = self._cell(file)
        return None if cell is None else cell["bytes"].as_py()

    def size(self, file: str) -> int | None:
        """How many there are, without a copy of them."""
        cell = self._cell(file)
        return None if cell is None else len(cell["bytes"].as_buffer())

    def _cell(self, file: str) -> Any:
        if file not in self.called:
            return None
        folder, _, name = file.partition("/")
        row, column = name.split(".")[:2]
        part = self._parts["" if folder == "rows" else folder]
        return plain(part.table.column(column).slice(int(row), 1))[0]


def _label_of(part: _Part, given: str | None, where: str) -> str:
    """The column of the label."""
    names = part.table.column_names
    classes = [name for name, feature in part.features.items() if _type(feature) == "ClassLabel"]
    found = given or next((name for name in (*LABELS, *classes) if name in names), None)
    if found not in names:
        said = f"no column '{found}'" if found else "no column 'label', and none of classes"
        raise DataError(f"{where}: {said}; its columns are {', '.join(names)}: name one by label=COLUMN")
    return str(found)


def _class_names(column: pa.ChunkedArray, feature: Any, folder: Path) -> pa.ChunkedArray:
    """Numbers of classes as their names, also within lists."""
    many = _type(feature) in {"Sequence", "List", "LargeList"}
    inner = feature.get("feature") if many else feature
    if isinstance(feature, list) and feature:
        many, inner = True, feature[0]
    names = inner.get("names") if isinstance(inner, Mapping) and _type(inner) == "ClassLabel" else None
    if not names:
        return column
    cells = column.to_pylist()
    try:
        named = [_named(cell, names, many) for cell in cells]
    except IndexError:
        raise DataError(f"{folder}: a label is outside of the {len(names)} classes of {INFO}") from None
    kind = pa.list_(pa.string()) if many else pa.string()
    return pa.chunked_array([pa.array(named, kind)])


def _named(cell: Any, names: list[str], many: bool) -> Any:
    if cell is None or (not many and cell < 0):  # -1 is a label that is not given
        return None
    return [names[number] for number in cell] if many else names[cell]


def _within(folder: Path, name: str, listed: str) -> Path:
    """A file of a folder by its name in one of the lists; raises `DataError` where that leads out of it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise DataError(f"{folder / listed}: names {name!r}, which leaves the folder; save the data set again")
    return folder / name


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as cause:
        raise DataError(f"{file}: cannot be read ({cause.strerror}); save the data set again") from cause


def _type(feature: Any) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, Mapping) else ""


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as cause:
        raise DataError(f"{file}: cannot be read ({cause}); save the data set again by save_to_disk") from cause
    if not isinstance(found, dict):
        raise DataError(f"{file}: is no mapping; save the data set again by save_to_disk")
    return found
