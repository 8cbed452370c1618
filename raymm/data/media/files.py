"""The media files of one sample: checked before they are opened, each decoded once for all its modalities."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.data.media.problem import MediaError, refuse_pointer
from raymm.data.media.root import MediaRoot

if TYPE_CHECKING:
    from raymm.data.media.geometry import Picture
    from raymm.data.media.video import Shown

__all__ = ["SampleFiles"]

Source = tuple[str, int | None]


class SampleFiles:
    """Files of a sample below a media root.

    Parameters
    ----------
    media_root
        Folder that paths are relative to.
    wanted
        Triples `(file, stream, times)`: the times (in seconds) of all frames of each video stream that will be asked
        for; a stream of None is the first.
    """

    def __init__(self, media_root: MediaRoot, wanted: Iterable[tuple[str, int | None, Sequence[float]]] = ()) -> None:
        self._root = media_root
        self._times: dict[Source, set[float]] = {}
        for file, stream, times in wanted:
            self._times.setdefault((file, stream), set()).update(times)
        self._remarks: list[str] = []
        self._decoded: dict[Source, tuple[dict[float, Picture], Shown]] = {}

    def path(self, file: str) -> Path:
        """Where a file lies; raises `MediaError` when it is not there, empty, or only points to what it should be."""
        path = self._root / file
        if not path.is_file():
            raise MediaError(f"there is no file {file} in the media root")
        if not path.stat().st_size:
            raise MediaError("is an empty file (zero bytes)")
        refuse_pointer(path)
        return path

    def frames(self, file: str, times: Sequence[float], stream: int | None = None) -> "list[Picture]":
        """What a video shows at some times that are among the wanted ones."""
        pictures = self._read(file, stream)[0]
        return [pictures[time] for time in times]

    def video_seconds(self, file: str, stream: int | None = None) -> float:
        """How long a video is, or at least is; decodes it where `frames` was not called before."""
        return self._read(file, stream)[1].seconds

    def remark(self, what: str) -> None:
        """Have something counted and said of the value that is being decoded."""
        self._remarks.append(what)

    def take_remarks(self) -> list[str]:
        """What was remarked since the last call."""
        taken, self._remarks = self._remarks, []
        return taken

    def _read(self, file: str, stream: int | None) -> "tuple[dict[float, Picture], Shown]":
        if (file, stream) not in self._decoded:
            from raymm.data.media.video import read_frames

            every = sorted(self._times[file, stream])
            shown = read_frames(self.path(file), every, stream)
            self._decoded[file, stream] = dict(zip(every, shown.pictures, strict=True)), shown
        return self._decoded[file, stream]
