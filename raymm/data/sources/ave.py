"""AVE (Tian et al., ECCV 2018)."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from raymm.data.sources.av_clips import Clips, ClipSource, youtube_id
from raymm.data.sources.base import Entry, Listing, Split
from raymm.data.sources.lists import LineError, Lists
from raymm.errors import Problems

__all__ = ["Ave"]

LISTS: dict[Split, str] = {"train": "trainSet.txt", "val": "valSet.txt", "test": "testSet.txt"}
HEADER = "Category&VideoID"


class Ave(ClipSource):
    """Videos of ten seconds, each with an event that is seen and heard, of 28 categories."""

    title = "AVE"
    layout: ClassVar[tuple[str, ...]] = (
        "trainSet.txt, valSet.txt and testSet.txt (Category&VideoID&Quality&StartTime&EndTime)",
        "AVE/ with VideoID.mp4; or visual/VideoID/ and audio/VideoID.wav (rgb=pictures)",
    )
    splits = "published train, val and test"
    classes = "28"
    trap = (
        "a video is labelled as a whole, though its event covers a part of it; of several events of a video the "
        "first one is its label"
    )

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """A sample is a video; the times of its event are not used."""
        lists = Lists(root, problems)
        find = Clips(root, self.settings, problems, ("AVE", "video", "videos")).finders(names)
        entries = []
        for split, file in LISTS.items():
            path = lists.find((file,), f"the list of the {split} split")
            for label, video in lists.lines(path, _parse) if path else ():
                if label:
                    cells = {name: find[name](video) for name in names}
                    entries.append(Entry(video, split, label, cells, youtube_id(video)))
        return Listing(entries)


def _parse(line: str) -> tuple[str, str]:
    """Category and video; of the header, which one file has, nothing."""
    if line.startswith(HEADER):
        return "", ""
    fields = [field.strip() for field in line.split("&")]
    if len(fields) != 5 or not all(fields):
        raise LineError("is not of the form Category&VideoID&Quality&StartTime&EndTime")
    return fields[0], fields[1]
