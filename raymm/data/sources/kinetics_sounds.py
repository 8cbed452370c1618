"""Kinetics-Sounds (Arandjelovic and Zisserman, ICCV 2017), by the lists that papers on imbalance share."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from raymm.data.sources.av_clips import Clips, ClipSource, youtube_id
from raymm.data.sources.base import Entry, Listing
from raymm.data.sources.lists import LineError, Lists, is_whole
from raymm.errors import Problems

__all__ = ["KineticsSounds"]

LISTS = {
    "train": ("my_train.txt", "train_1fps_path.txt", "train.txt"),
    "val": ("my_val.txt", "val_1fps_path.txt", "val.txt"),
    "test": ("my_test.txt", "test_1fps_path.txt", "test.txt"),
}
FOLDERS = ("videos", "train", "val", "test")
SECONDS = 10


class KineticsSounds(ClipSource):
    """Clips of Kinetics-400 of classes that are seen and heard."""

    title = "Kinetics-Sounds"
    layout: ClassVar[tuple[str, ...]] = (
        "my_train.txt and my_test.txt (ID_START,10,CLASS) or train_1fps_path.txt and test_1fps_path.txt (PATH CLASS)",
        "videos/, train/, val/ or test/ with ID_START.mp4 or ID_000START_000END.mp4, in folders of classes or not",
        "or, with rgb=pictures, train/ID_START/ and test/ID_START/ with pictures and ID_START.wav",
    )
    splits = "published train and test; val where there is a list, else taken from train by video"
    classes = "31, numbers in the published lists"
    trap = (
        "dead links: report how many clips are left; authors' subsets differ, so numbers of two papers do not compare"
    )

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """Lines are a name (or path) first and the number of the class last."""
        lists = Lists(root, problems)
        find = Clips(root, self.settings, problems, FOLDERS).finders(names)
        entries = []
        for split, files in LISTS.items():
            path = lists.find(files, f"the list of the {split} split", required=split != "val")
            for name, label in lists.lines(path, _parse) if path else ():
                cells = {modality: find[modality](*_stems(name)) for modality in names}
                entries.append(Entry(name, split, label, cells, youtube_id(name)))  # type: ignore[arg-type]
        classes = sorted({entry.label for entry in entries}, key=int)
        return Listing(entries, classes)


def _parse(line: str) -> tuple[str, str]:
    fields = [field for field in re.split(r"[,\s]+", line) if field]
    if len(fields) < 2 or not is_whole(fields[-1]) or not Path(fields[0]).name:
        raise LineError("is not of the form ID_START,10,CLASS or PATH CLASS, with the number of a class")
    return Path(fields[0]).name, str(int(fields[-1]))


def _stems(name: str) -> tuple[str, ...]:
    """What a clip may be called: as in the list, or as Kinetics names its files.

    >>> _stems("-3Mwkq-7TV4_2")
    ('-3Mwkq-7TV4_2', '-3Mwkq-7TV4_000002_000012')
    """
    video, _, start = name.rpartition("_")
    if not video or not is_whole(start):
        return (name,)
    return name, f"{video}_{int(start):06d}_{int(start) + SECONDS:06d}"
