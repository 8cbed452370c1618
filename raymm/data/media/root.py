"""Where the files of a collection are found: below a folder, or in an archive that gives them out one by one."""

import tempfile
from abc import ABC, abstractmethod
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

__all__ = ["Archive", "MediaRoot"]

KEPT = 64
"""Files of an archive that lie unpacked at a time; a sample names fewer."""


class MediaRoot(Protocol):
    """A folder, or what stands for one: `root / file` is the path of a file."""

    def __truediv__(self, file: str, /) -> Path:
        """Where a file lies; it need not be there."""


class Archive(ABC):
    """Files within other files: each is written to a temporary folder when its path is asked for, the last ones stay.

    The folder goes when the archive does.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._unpacked: OrderedDict[str, Path] = OrderedDict()
        self._count = 0

    @abstractmethod
    def content(self, file: str) -> bytes | None:
        """The bytes of a file; None where there is none of this name."""

    @abstractmethod
    def size(self, file: str) -> int | None:
        """Bytes of a file; None where there is none of this name."""

    def __truediv__(self, file: str) -> Path:
        if file in self._unpacked:
            self._unpacked.move_to_end(file)
            return self._unpacked[file]
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="raymm-")
        content = self.content(file)
        path = Path(self._folder.name) / f"{self._count:08x}{PurePosixPath(file).suffix.lower()}"
        self._count += 1
        if content is None:
            return path
        path.write_bytes(content)
        self._unpacked[file] = path
        if len(self._unpacked) > KEPT:
            self._unpacked.popitem(last=False)[1].unlink(missing_ok=True)
        return path

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_folder": None, "_unpacked": OrderedDict()}
