"""The media files of one sample: checked before they are opened, each decoded once for all its modalities."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from raymm.data.media.problem import MediaError

__all__ = ["SampleFiles"]


class SampleFiles:
    """Files of a sample below a media root.

    Parameters
    ----------
    media_root
        Folder that paths are relative to.
    wanted
        Pairs `(file, times)`: the times (in seconds) of all frames of each video that will be asked for.
    """

    def __init__(self, media_root: Path, wanted: Iterable[tuple[str, Sequence[float]]] = ()) -> None:
        self._root = media_root
        self._times: dict[str, set[float]] = {}
        for file, times in wanted:
            self._times.setdefault(file, set()).update(times)
        self._decoded: dict[str, dict[float, Any]] = {}

    def path(self, file: str) -> Path:
        """Where a file lies; raises `MediaError` when it is not there or empty."""
        path = self._root / file
        if not path.is_file():
            raise MediaError(f"there is no file {file} in the media root")
        if not path.stat().st_size:
            raise MediaError("is an empty file (zero bytes)")
        return path

    def frames(self, file: str, times: Sequence[float]) -> list[Any]:
        """Decoded frames (PyAV) of a video, nearest to some times that are among the wanted ones."""
        if file not in self._decoded:
            from raymm.data.media.video import frames_at

            every = sorted(self._times[file])
            self._decoded[file] = dict(zip(every, frames_at(self.path(file), every), strict=True))
        return [self._decoded[file][time] for time in times]
