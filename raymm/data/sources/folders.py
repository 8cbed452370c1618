"""Folders of pictures of a source, one a clip: frames that were taken from a video, or its flow."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from raymm.data.media.flow_pictures import PAIRS, first_x_picture, is_flow
from raymm.data.media.picture_files import SUFFIXES, numbered
from raymm.data.sources.base import Absent
from raymm.errors import Problems

__all__ = ["PictureFolders", "flow_folders", "frame_folders"]

FLOW_FOLDERS = ("tvl1_flow", "ucf101_tvl1_flow", "flow")
FRAME_FOLDERS = ("Image-01-FPS", "visual", "frames", "train_img", "test_img", "train", "val", "test")
"""Where pictures lie of which one a second was taken, under the names of published preparations."""

VIDEO_SUFFIXES = (".mp4", ".avi", ".flv")
"""A folder may be called after the file that it was made of."""

First = Callable[[Path, Path], Path | None]


def first_frame(folder: Path, root: Path) -> Path | None:
    """The first picture of a folder that is no flow."""
    del root
    pictures = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not is_flow(path))
    return next(iter(numbered(pictures)), None)


class PictureFolders:
    """Folders of clips below some folders, whatever lies between.

    Parameters
    ----------
    root, folders, what, problems
        As of `Files`.
    first
        `(folder, root) -> path`: the picture that stands for a clip, or None where the folder has none.
    ignore_case
        Whether a clip is also found under its name in other capitals; never where names are ids of YouTube.
    """

    def __init__(
        self,
        root: Path,
        folders: Sequence[str],
        what: str,
        problems: Problems,
        first: First = first_frame,
        ignore_case: bool = False,
    ) -> None:
        self._root, self._first, self._ignore_case = root, first, ignore_case
        self._expected = folders[0]
        self._found: dict[str, list[str]] = {}
        there = [folder for folder in folders if (root / folder).is_dir()]
        if not there:
            problems.add(f"there is no folder {' or '.join(folders)}: {what}")
        for folder in there:
            self._add(folder)

    def find(self, *names: str) -> str | Absent:
        """The first picture of the first of some clips that there is, relative to the root."""
        for name in names:
            for folder in self._found.get(self._key(name), ()):
                first = self._first(Path(folder), self._root)
                if first is not None:
                    return first.relative_to(self._root).as_posix()
        return Absent(f"{self._expected}/{names[0]}/ with pictures")

    def _add(self, folder: str) -> None:
        """Note each folder that holds pictures; one that is called `u` or `flow_x` by the name of the one above."""
        for above, folders, files in os.walk(self._root / folder):
            folders.sort()
            if any(file.lower().endswith(tuple(SUFFIXES)) for file in files):
                path = Path(above)
                path = path.parent if path.name in {*PAIRS, *PAIRS.values()} else path
                name = path.stem if path.suffix.lower() in VIDEO_SUFFIXES else path.name
                known = self._found.setdefault(self._key(name), [])
                known += [] if str(path) in known else [str(path)]

    def _key(self, name: str) -> str:
        return name.lower() if self._ignore_case else name


def flow_folders(root: Path, problems: Problems, ignore_case: bool = False) -> PictureFolders:
    """Folders of flow that was saved as pictures (TV-L1)."""
    return PictureFolders(root, FLOW_FOLDERS, "the pictures of the flow", problems, first_x_picture, ignore_case)


def frame_folders(root: Path, problems: Problems, ignore_case: bool = False) -> PictureFolders:
    """Folders of frames."""
    return PictureFolders(root, FRAME_FOLDERS, "the pictures of the clips", problems, ignore_case=ignore_case)
