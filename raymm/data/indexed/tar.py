"""Tar archives in the manner of WebDataset: the files of a sample share their name up to the first dot.

    train-000000.tar
        000123.wav, 000123.jpg, 000123.txt, 000123.json, 000123.cls

`cls` is the label; `json` may have `label`, `id`, `split`, `group`, texts and lists of numbers; `txt` is a text; any
other file is a modality by its suffix, or by what stands before that (`000123.left.jpg` is `left`, `000123.title.txt`
a text of that name). Archives are read by offset, so they are not compressed.
"""

import glob
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import pyarrow as pa

from raymm.data.arrow_file import read_arrow
from raymm.data.indexed.base import Kept
from raymm.data.indexed.records import Loaded, RecordSource
from raymm.data.kind_guessing import HELD
from raymm.data.labels import name_some
from raymm.data.media.root import Archive
from raymm.data.media.suffixes import SUFFIXES
from raymm.data.splits import split_called
from raymm.data.tabular.read import Table
from raymm.errors import DataError, Problems

__all__ = ["TarArchives"]

MEMBERS = "members"
"""The table of files that an index keeps."""

BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
LABEL, ABOUT, TEXT = ".cls", ".json", ".txt"
NAMES = {"array": "vector"}
"""What a modality is called whose files have a suffix only, where that is not its kind."""

DRAWN = "{}: neither names of archives nor .json files say a split; splits are drawn"

WORD = re.compile(r"[a-z]+", re.IGNORECASE)


@dataclass(frozen=True)
class _Member:
    """A file in an archive: which archive, what it is called, where its bytes begin and how many they are."""

    shard: int
    name: str
    offset: int
    size: int

    @property
    def key(self) -> tuple[int, str]:
        """Files of one sample have one."""
        folder, _, name = self.name.rpartition("/")
        return self.shard, f"{folder}/{name.partition('.')[0]}".removeprefix("/")

    @property
    def rest(self) -> str:
        """What follows the name of the sample, from the first dot on, in small letters."""
        name = self.name.rpartition("/")[2]
        return name[len(name.partition(".")[0]) :].lower()


class TarArchives(RecordSource):
    """`where` is an archive, a folder of them, or a pattern (`train-{000..009}.tar`, `clips/*.tar`)."""

    kind: ClassVar[str] = "tar"

    @classmethod
    def accepts(cls, where: str) -> bool:
        """Archives, whether they are there or not; folders that hold some."""
        path = Path(where)
        return where.endswith(".tar") or (path.is_dir() and any(path.glob("*.tar")))

    def load(self, kept: Kept | None) -> Loaded:
        """A row a sample, in the order of the archives."""
        shards = _shards(self.where)
        identity = {"archives": [[shard.name, shard.stat().st_size] for shard in shards]}
        self.refuse_other_files(identity, kept)
        members = _members(shards) if kept is None else _read_members(Path(kept.where))
        root = _Members(shards, members)
        columns = _columns(members, shards, root, self.where)
        return Loaded(
            Table(pa.table(columns), () if "split" in columns else (DRAWN.format(self.where),), root.called),
            root,
            {MEMBERS: _to_table(members)} if kept is None else {},
            identity,
        )


class _Members(Archive):
    """Files of archives, by names such as `train-000000.tar/000123.wav`."""

    def __init__(self, shards: Sequence[Path], members: Sequence[_Member]) -> None:
        super().__init__()
        self._shards = list(shards)
        self._members = {self.name_of(member): member for member in members}
        self.called = {name: member.name for name, member in self._members.items()}

    def name_of(self, member: _Member) -> str:
        """The name of a file among all archives."""
        return f"{self._shards[member.shard].name}/{member.name}"

    def content(self, file: str) -> bytes | None:
        """The bytes of a file."""
        member = self._members.get(file)
        if member is None:
            return None
        with self._shards[member.shard].open("rb") as archive:
            archive.seek(member.offset)
            return archive.read(member.size)

    def size(self, file: str) -> int | None:
        """How many there are."""
        member = self._members.get(file)
        return None if member is None else member.size


def _shards(where: str) -> list[Path]:
    """The archives of a path or pattern, in the order of their names."""
    path = Path(where)
    if path.is_dir():
        return sorted(path.glob("*.tar"))
    names = list(_braces(where))
    found = [file for name in names for file in (sorted(glob.glob(name)) if glob.has_magic(name) else [name])]  # noqa: PTH207  (whole paths)
    missing = [name for name in found if not Path(name).is_file()]
    if missing or not found:
        raise DataError(f"{where}: there is no archive {missing[0] if missing else 'of this pattern'}")
    shards = [Path(name) for name in found]
    names_only = [shard.name for shard in shards]
    if len(set(names_only)) < len(names_only):
        raise DataError(f"{where}: two archives have the same name; give them names of their own")
    return shards


def _braces(where: str) -> Iterator[str]:
    """A pattern with `{000..012}` as the names that it stands for.

    >>> list(_braces("a-{08..10}.tar"))
    ['a-08.tar', 'a-09.tar', 'a-10.tar']
    """
    match = BRACES.search(where)
    if match is None:
        yield where
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        yield from _braces(f"{where[: match.start()]}{number:0{len(first)}d}{where[match.end() :]}")


def _members(shards: Sequence[Path]) -> list[_Member]:
    """All files of all archives; raises `DataError` where one cannot be read."""
    found = []
    for number, shard in enumerate(shards):
        try:
            with tarfile.open(shard, "r:") as archive:
                found += [
                    _Member(number, info.name.removeprefix("./"), info.offset_data, info.size)
                    for info in archive
                    if info.isfile() and not PurePosixPath(info.name).name.startswith(".")
                ]
        except (tarfile.TarError, OSError, EOFError) as cause:
            raise DataError(
                f"{shard}: is no tar archive that can be read ({cause}); a compressed one must be unpacked"
            ) from cause
        end = max((member.offset + member.size for member in found if member.shard == number), default=0)
        if end > shard.stat().st_size:
            raise DataError(f"{shard}: ends within a file; it was cut off, bring back a good copy of it")
    return found


def _columns(members: Sequence[_Member], shards: Sequence[Path], root: _Members, where: str) -> dict[str, Any]:
    """Columns of a manifest, a row a sample."""
    samples: dict[tuple[int, str], list[_Member]] = {}
    for member in members:
        samples.setdefault(member.key, []).append(member)
    problems = Problems(where)
    ids = _ids(list(samples), shards)
    rows = [_row(sample_id, own, root, problems) for sample_id, own in zip(ids, samples.values(), strict=True)]
    if not rows:
        problems.add("its archives hold no files")
    problems.raise_if_any(DataError)
    names = dict.fromkeys(name for row in rows for name in row)
    columns: dict[str, Any] = {}
    for name in names:
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowException, TypeError) as cause:
            problems.add(f"'{name}' is of several types in its samples ({' '.join(str(cause).split())})")
    problems.raise_if_any(DataError)
    splits = _splits_of([shard.name for shard in shards], where) if "split" not in columns else []
    if splits:
        columns["split"] = pa.array([splits[shard] for shard, _ in samples])
    return columns


def _splits_of(names: Sequence[str], where: str) -> list[str]:
    """The split that the name of each archive says: at its beginning, or as a word if archives of several do.

    Empty where they say none.

    Raises
    ------
    DataError
        When some say one and some do not.

    Examples
    --------
    >>> _splits_of(["train-000.tar", "dev-000.tar"], "a"), _splits_of(["cc-train-0.tar", "cc-test-0.tar"], "a")
    (['train', 'val'], ['train', 'test'])
    >>> _splits_of(["my-test-0.tar", "my-test-1.tar"], "a")
    []
    """
    words = [[split_called(word) for word in WORD.findall(name)] for name in names]
    begins = [next(iter(own), "") for own in words]
    within = [next(filter(None, own), "") for own in words]
    if all(begins) or not (any(begins) or len(set(within) - {""}) > 1):
        return begins if all(begins) else []
    if all(within):
        return within
    told = next(name for name, split in zip(names, within, strict=True) if split)
    untold = [name for name, split in zip(names, within, strict=True) if not split]
    raise DataError(
        f"{where}: the name of {told} says a split, that of {name_some(untold)} does not; name all so, give a "
        'pattern of those to be read, or write "split" into the .json of each sample'
    )


def _ids(keys: Sequence[tuple[int, str]], shards: Sequence[Path]) -> list[str]:
    """What samples are called: what their files have in common; where that stands twice, after their archive."""
    names = [name for _, name in keys]
    if len(set(names)) == len(names):
        return names
    return [f"{shards[shard].stem}/{name}" for shard, name in keys]


def _row(sample_id: str, members: Sequence[_Member], root: _Members, problems: Problems) -> dict[str, Any]:
    """The cells of a sample."""
    row: dict[str, Any] = {"sample_id": sample_id}
    for member in members:
        place = root.name_of(member)
        if member.rest in {LABEL, ABOUT, TEXT}:
            row |= _told(member.rest, root.content(place) or b"", place, problems)
            continue
        name = _name(member.rest)
        if name in row:
            problems.add(f"{place}: '{row[name]}' is '{name}' of this sample already; name files KEY.NAME.SUFFIX")
        text = member.rest.endswith(TEXT)
        row |= _told(TEXT, root.content(place) or b"", place, problems, name) if text else {name: place}
    return row


def _told(kind: str, content: bytes, place: str, problems: Problems, name: str = "text") -> dict[str, Any]:
    """What a label, a text or JSON says."""
    try:
        text = content.decode()
        found = json.loads(text) if kind == ABOUT else None
    except ValueError as cause:
        problems.add(f"{place}: cannot be read ({cause})")
        return {}
    if kind != ABOUT:
        return {"label": text.strip()} if kind == LABEL else {name: text}
    if not isinstance(found, dict):
        problems.add(f"{place}: is no mapping")
        return {}
    kept = {str(key): value for key, value in found.items() if isinstance(value, str | int | float | list)}
    return {"sample_id" if key == "id" else key: value for key, value in kept.items()}


def _name(rest: str) -> str:
    """What a modality is called by the rest of a file's name.

    >>> _name(".left.jpg"), _name(".jpg"), _name(".wav"), _name(".npy")
    ('left', 'image', 'audio', 'vector')
    """
    parts = rest.strip(".").split(".")
    if len(parts) > 1:
        return re.sub(r"[^a-z0-9_]", "_", parts[0])
    kind = next((kind for kind, held in HELD.items() if rest in SUFFIXES[held]), parts[0])
    return NAMES.get(kind, kind)


def _to_table(members: Sequence[_Member]) -> pa.Table:
    names = ("shard", "name", "offset", "size")
    return pa.table({name: [getattr(member, name) for member in members] for name in names})


def _read_members(index: Path) -> list[_Member]:
    return [_Member(**row) for row in read_arrow(index / f"{MEMBERS}.arrow").to_pylist()]
