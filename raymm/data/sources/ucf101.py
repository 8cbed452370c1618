"""UCF-101 (Soomro et al., 2012), with optical flow that is computed or lies in TV-L1 folders."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from raymm.data.sources.av_clips import Clips, ClipSettings, ClipSource
from raymm.data.sources.base import Entry, Listing, Split
from raymm.data.sources.lists import LineError, Lists
from raymm.errors import Problems

__all__ = ["Ucf101"]

LIST_FOLDERS = ("ucfTrainTestlist/", "")


class Ucf101Settings(ClipSettings):
    """Which of the official splits."""

    fold: int = Field(default=1, ge=1, le=3, description="official split: trainlist01.txt and testlist01.txt, ...")


class Ucf101(ClipSource):
    """Videos of 101 human actions, pictures and flow."""

    Settings = Ucf101Settings
    title = "UCF-101"
    layout: ClassVar[tuple[str, ...]] = (
        "UCF-101/CLASS/v_CLASS_g01_c01.avi",
        "ucfTrainTestlist/ with classInd.txt, trainlist01.txt and testlist01.txt (or 02, 03: fold)",
        "with flow=tvl1: tvl1_flow/u/CLIP/ and tvl1_flow/v/CLIP/, or tvl1_flow/CLIP/ with flow_x_... and flow_y_...",
    )
    splits = "three official train and test splits (fold=1 to 3); val taken from train by group"
    classes = "101"
    trap = (
        "clips of one group (g01) are cut from one video: splits of one's own that tear groups apart are far too good"
    )
    modalities: ClassVar[Mapping[str, str]] = {"rgb": "rgb", "flow": "flow"}
    further: ClassVar[Mapping[str, str]] = {}
    sets: ClassVar[Sequence[str]] = ()
    recordings = "groups"

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """Clips are found by their name, whatever the folder of their class is called."""
        lists = Lists(root, problems)
        find = Clips(root, self.settings, problems, ("UCF-101", "videos"), ignore_case=True).finders(names)
        entries = []
        for split, clip, label in self._lines(lists):
            cells = {name: find[name](clip) for name in names}
            entries.append(Entry(clip, split, label, cells, clip.rpartition("_c")[0] or clip))
        return Listing(entries, self._classes(lists))

    def _lines(self, lists: Lists) -> list[tuple[Split, str, str]]:
        """Split, name and class of each clip."""
        found: list[tuple[Split, str, str]] = []
        splits: tuple[Split, Split] = ("train", "test")
        for split in splits:
            name = f"{split}list{self.settings.fold:02d}.txt"
            path = lists.find(
                [f"{folder}{name}" for folder in LIST_FOLDERS], f"the official list of the {split} split"
            )
            found += [(split, clip, label) for clip, label in (lists.lines(path, _clip) if path else ())]
        return found

    def _classes(self, lists: Lists) -> list[str]:
        """Classes in the order of classInd.txt; as they are sorted, where it is not there."""
        path = lists.find([f"{folder}classInd.txt" for folder in LIST_FOLDERS], "", required=False)
        return lists.lines(path, _class) if path else []


def _clip(line: str) -> tuple[str, str]:
    """Name and class of a line such as `Bowling/v_Bowling_g08_c01.avi 12`."""
    label, slash, file = line.split(maxsplit=1)[0].partition("/")
    if not slash or not label or not Path(file).stem:
        raise LineError("is not of the form CLASS/CLIP.avi, with the number of the class behind it or not")
    return Path(file).stem, label


def _class(line: str) -> str:
    fields = line.split()
    if len(fields) != 2 or not fields[0].isdecimal():
        raise LineError("is not of the form NUMBER CLASS")
    return fields[1]
