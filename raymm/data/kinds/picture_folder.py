"""What kinds have in common that read the frames of a clip from the pictures in a folder."""

import math
import posixpath
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from raymm.data.kinds.frames import FrameSpec
from raymm.data.kinds.inputs import Probe
from raymm.data.media.problem import MediaError
from raymm.data.media.root import MediaRoot
from raymm.data.media.suffixes import holds

__all__ = ["PictureFolderSpec"]

LOOKED_AT = 200
"""Clips of which the pictures are counted for the window."""

LONGEST = 10.0


class PictureFolderSpec(FrameSpec):
    """Frames from the pictures of a folder; a cell is the path of the first one.

    Pictures lie `picture_rate` a second; `fps` of them are taken.
    """

    is_timed: ClassVar[bool] = False

    picture_rate: float = Field(gt=0, description="pictures a second")

    @classmethod
    def settable(cls) -> set[str]:
        """A folder has no streams."""
        return super().settable() - {"stream"}

    @classmethod
    def file_of(cls, cell: Any) -> str:
        """The first picture."""
        return cell if isinstance(cell, str) else ""

    def files_of(self, cell: Any, media_root: MediaRoot) -> list[str]:
        """The pictures that are taken; the first one where they cannot be listed, or are in an archive."""
        if not isinstance(media_root, Path) or not isinstance(cell, str):
            return super().files_of(cell, media_root)
        return _listed(self.taken, cell, media_root) or [cell]

    @classmethod
    def folders_of(cls, cell: Any) -> list[str]:
        """That of the first picture."""
        return [posixpath.dirname(cell)] if isinstance(cell, str) else []

    @classmethod
    def unnamed_files(cls, cell: Any, media_root: Path) -> list[str]:
        """All pictures of the clip."""
        return _listed(cls.pictures_from, cell, media_root)

    @abstractmethod
    def taken(self, first: Path, root: Path) -> list[Path]:
        """The pictures that are read of a clip, of a media root."""

    @classmethod
    def reads(cls, file: str) -> bool:
        return holds(file, "picture")

    @classmethod
    def probe(cls, probe: Probe) -> dict[str, Any]:
        """As many frames as cover the window of the other modalities, or else the longest of the first clips."""
        fields = {name: field.default for name, field in cls.model_fields.items()} | {**probe.settings}
        fps, rate = fields["fps"], fields["picture_rate"]
        if not all(isinstance(number, int | float) and number > 0 for number in (fps, rate)):
            return {}
        seconds = probe.seconds or cls._longest(probe, rate)
        return {} if seconds is None else {"frames": max(1, math.ceil(fps * seconds - 1e-6))}

    @classmethod
    @abstractmethod
    def pictures_from(cls, first: Path, root: Path) -> list[Path]:
        """Pictures of a clip from the first one on, of a media root."""

    @classmethod
    def _longest(cls, probe: Probe, rate: float) -> float | None:
        """Seconds of the longest of the first clips, up to ten; None where none can be counted."""
        if not isinstance(probe.media_root, Path):  # an archive, which has no folders
            return None
        counts = []
        for cell in probe.cells[:LOOKED_AT]:
            try:
                counts.append(len(cls.pictures_from(probe.media_root / cell, probe.media_root)))
            except (OSError, MediaError):
                continue
        longest = max(counts, default=0) / rate
        return min(LONGEST, math.ceil(longest * 10 - 1e-6) / 10) or None

    def indices(self, later: float) -> Sequence[int]:
        """Number of the picture that is current in each interval, at a part (0 to 1) of it."""
        return [math.floor((number + later) * self.picture_rate / self.fps + 1e-6) for number in range(self.frames)]

    @staticmethod
    def root_of(path: Path, cell: str) -> Path:
        """The media root, from a path below it."""
        return path.parents[len(Path(cell).parts) - 1 - Path(cell).is_absolute()]


def _listed(pictures: Callable[[Path, Path], list[Path]], cell: str, media_root: Path) -> list[str]:
    """Pictures of a clip that begins with a cell, relative to the media root; empty where none can be listed."""
    first = media_root / cell
    try:
        found = pictures(first, PictureFolderSpec.root_of(first, cell))
    except (OSError, MediaError):
        return []
    inside = first.is_relative_to(media_root)  # a whole path may be allowed to lead out of it
    return [(path.relative_to(media_root) if inside else path).as_posix() for path in found]
