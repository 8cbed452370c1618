"""The names of files and folders of a data set, and of what lies beside one; as in `raymm.storage.layout`.

A data set:

    DATA/manifest.json                  schema, statistics, checksums; written last
    DATA/shards/part-00000.arrow        samples; `.part-00000.json` beside it says what it was made from
    DATA/groups.arrow                   what samples belong to (speakers, patients), where that is known
    DATA/views/<key>/<modality>.npy     cached features
    DATA/report.json, quarantine.csv    samples that could not be used

An index, of samples whose values stay where they are; that of a run or of a table lies beside it, RUN.data:

    INDEX/index.arrow                   ids, splits, labels; what is there of each sample
    INDEX/members.arrow                 of tar archives: where each file lies in them
    INDEX/manifest.json                 schema, statistics, where the samples lie, checksums; written last

Beside a data set lie media files that a manifest held itself, DATA.files/<sha256>.<suffix>, and what `--source` made
of published lists: DATA.source/manifest.csv, left_out.csv.
"""

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "DATA_REPORT",
    "QUARANTINE",
    "SHARD",
    "VIEWS",
    "embedded_folder",
    "groups_file",
    "index_file",
    "index_folder",
    "left_out_file",
    "shard_file",
    "shard_files",
    "shard_names",
    "sidecar_file",
    "sidecar_files",
    "source_manifest",
    "view_file",
    "view_folder",
]

SHARD = re.compile(r"shards/part-\d+\.arrow")
VIEWS = "views"
DATA_REPORT = "report.json"
QUARANTINE = "quarantine.csv"


def embedded_folder(data: Path) -> Path:
    """Where the media files lie that the manifest of a data set held itself."""
    return data.with_name(f"{data.name}.files")


def source_manifest(data: Path) -> Path:
    """The manifest of a data set that is made of the published lists of a source."""
    return data.with_name(f"{data.name}.source") / "manifest.csv"


def left_out_file(data: Path) -> Path:
    """The lines of published lists that are no sample, and why, beside the `source_manifest`."""
    return source_manifest(data).with_name("left_out.csv")


def shard_file(data: Path, number: int) -> Path:
    """The shard `number` of a data set."""
    return data / "shards" / f"part-{number:05d}.arrow"


def shard_files(data: Path) -> list[Path]:
    """The shards in the folder of a data set, in order, whether its manifest names them or not."""
    return sorted((data / "shards").glob("part-*.arrow"), key=lambda file: (len(file.name), file.name))


def shard_names(data: Path, files: Iterable[str] | None) -> list[str]:
    """Names of the shards among the files of a manifest, in order; without a manifest, of all that are there."""
    there = [file.relative_to(data).as_posix() for file in shard_files(data)] if files is None else files
    return sorted((name for name in there if SHARD.fullmatch(name)), key=lambda name: (len(name), name))


def groups_file(data: Path) -> Path:
    """What each row of a data set belongs to; there where some row belongs to something."""
    return data / "groups.arrow"


def index_file(folder: Path) -> Path:
    """The rows of an index."""
    return folder / "index.arrow"


def index_folder(out: Path) -> Path:
    """The index of samples that stay where they are, beside the run, the sweep or the table that is made of them."""
    return out.with_name(f"{out.name}.data")


def sidecar_file(shard: Path) -> Path:
    """The file beside a shard that says what the shard was made from; hidden, since it is no part of the data set."""
    return shard.with_name(f".{shard.stem}.json")


def sidecar_files(data: Path) -> list[Path]:
    """The files beside the shards of a data set, in order."""
    return sorted((data / "shards").glob(".part-*.json"))


def view_folder(data: Path, key: str) -> Path:
    """The folder of the cached features of a data set, for what the key stands for."""
    return data / VIEWS / key


def view_file(folder: Path, modality: str) -> Path:
    """The cached features of one modality, in a `view_folder`."""
    return folder / f"{modality}.npy"
