"""VGGSound (Chen et al., ICASSP 2020)."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from raymm.data.sources.av_clips import Clips, ClipSource, youtube_id
from raymm.data.sources.base import Entry, Listing, Split
from raymm.data.sources.lists import LineError, Lists, is_whole
from raymm.errors import Problems

__all__ = ["VggSound"]

FOLDERS = ("video", "videos", "train", "test", "train-videos", "test-videos")
SPLITS: dict[str, Split] = {"train": "train", "val": "val", "test": "test"}


class VggSound(ClipSource):
    """Clips of ten seconds from YouTube, each of one of 309 sounds whose source is seen."""

    title = "VGGSound"
    layout: ClassVar[tuple[str, ...]] = (
        "vggsound.csv (YouTube ID, start second, label, train or test)",
        "video/ (or videos/, train/, test/) with ID_000START.mp4 or ID_START.mp4",
        "or, with rgb=pictures, such folders of pictures and audio/ID_START.wav",
    )
    splits = "published train and test; val taken from train by video"
    classes = "309"
    trap = "many links are dead: report how many clips are left; labels are noisy"

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """Clips are called by the id and the second at which they start."""
        lists = Lists(root, problems)
        find = Clips(root, self.settings, problems, FOLDERS).finders(names)
        path = lists.find(("vggsound.csv",), "the list of all clips (YouTube ID, start second, label, split)")
        entries = []
        for video, start, label, split in lists.rows(path, _parse) if path else ():
            if not video:  # the header
                continue
            cells = {name: find[name](f"{video}_{start:06d}", f"{video}_{start}") for name in names}
            entries.append(Entry(f"{video}_{start:06d}", split, label, cells, youtube_id(video)))
        return Listing(entries)


def _parse(row: list[str]) -> tuple[str, int, str, Split]:
    """Id, start, label and split; no id for a header."""
    fields = [field.strip() for field in row]
    if [field.lower() for field in fields[:1]] == ["youtube id"]:
        return "", 0, "", "train"
    if len(fields) != 4 or not is_whole(fields[1]) or fields[3] not in SPLITS or not fields[0] or not fields[2]:
        raise LineError("is not of the form ID,START,LABEL,SPLIT with a whole second and the split train or test")
    return fields[0], int(fields[1]), fields[2], SPLITS[fields[3]]
