"""A manifest whose media are decoded while training: for collections that are too large for decoded frames."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from raymm.config.base import Settings
from raymm.data.indexed.base import Kept
from raymm.data.indexed.records import Loaded, RecordSettings, RecordSource
from raymm.data.tabular.read import read_table

__all__ = ["ManifestSource"]

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".arrow", ".feather")


class ManifestSettings(RecordSettings):
    """What a manifest needs beside what it says."""

    media_root: str | None = Field(default=None, description="folder that paths are relative to; else the manifest's")
    allow_outside: bool = Field(default=False, description="also read what paths lead to outside of that folder")

    @field_validator("media_root")
    @classmethod
    def _is_whole(cls, folder: str | None) -> str | None:
        return folder and str(Path(folder).absolute())


class ManifestSource(RecordSource):
    """`where` is the file of the manifest."""

    kind: ClassVar[str] = "manifest"
    Settings: ClassVar[type[Settings]] = ManifestSettings
    movable: ClassVar[frozenset[str]] = frozenset({"media_root"})

    @classmethod
    def accepts(cls, where: str) -> bool:
        """Tables, by their suffix."""
        path = Path(where.removesuffix(".gz"))
        return path.suffix.lower() in SUFFIXES and Path(where).is_file()

    def load(self, kept: Kept | None) -> Loaded:
        """Its columns, and the folder of the media."""
        del kept
        root = Path(self.settings.media_root or Path(self.where).parent)
        return Loaded(read_table(Path(self.where)), root)
