"""UCF-101 (Soomro et al., 2012), with optical flow that is computed or lies in TV-L1 folders."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from raymm.data.media.flow_pictures import first_x_picture
from raymm.data.sources.base import Absent, Entry, Listing, Source, SourceSettings, Split
from raymm.data.sources.files import VIDEO, Files
from raymm.data.sources.lists import LineError, Lists
from raymm.errors import Problems

__all__ = ["Ucf101"]

LIST_FOLDERS = ("ucfTrainTestlist/", "")
FLOW_FOLDERS = ("tvl1_flow", "ucf101_tvl1_flow", "flow")


class Ucf101Settings(SourceSettings):
    """Which of the official splits, and which flow."""

    fold: int = Field(default=1, ge=1, le=3, description="official split: trainlist01.txt and testlist01.txt, ...")
    flow: Literal["computed", "tvl1"] = Field(
        default="computed", description="flow by raymm from the videos, or as it lies in tvl1_flow/"
    )


class Ucf101(Source):
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
    recordings = "groups"

    def kinds(self) -> dict[str, str]:
        """Flow is of the kind that its setting says."""
        flow = "flow_pictures" if self.settings.flow == "tvl1" else "flow"
        return {**super().kinds(), "flow": flow}

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """Clips are found by their name, whatever the folder of their class is called."""
        lists = Lists(root, problems)
        find = {name: self._finder(name, root, problems) for name in names}
        entries = []
        for split, clip, label in self._lines(lists):
            cells = {name: find[name](clip) for name in names}
            entries.append(Entry(clip, split, label, cells, clip.rpartition("_c")[0] or clip))
        return Listing(entries, self._classes(lists))

    def _finder(self, name: str, root: Path, problems: Problems) -> Callable[[str], str | Absent]:
        """What finds the file of a modality by the name of a clip."""
        if name == "flow" and self.settings.flow == "tvl1":
            return _FlowFolders(root, problems).find
        return Files(root, ("UCF-101", "videos"), VIDEO, f"the videos, for {name}", problems).find

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


class _FlowFolders:
    """Folders of flow pictures by the name of the clip, whatever lies between; capitals do not matter."""

    def __init__(self, root: Path, problems: Problems) -> None:
        self._root = root
        self._found: dict[str, list[str]] = {}
        there = [folder for folder in FLOW_FOLDERS if (root / folder).is_dir()]
        if not there:
            problems.add(f"there is no folder {' or '.join(FLOW_FOLDERS)}: the pictures of the flow")
        for folder in there:
            self._add(folder)

    def _add(self, folder: str) -> None:
        for above, folders, _ in os.walk(self._root / folder):
            folders.sort()
            for name in [name for name in folders if name.lower().startswith("v_")]:
                self._found.setdefault(name.lower(), []).append(os.path.join(above, name))  # noqa: PTH118  (many)
                folders.remove(name)

    def find(self, name: str) -> str | Absent:
        """The first picture of x of a clip."""
        for folder in self._found.get(name.lower(), ()):
            first = first_x_picture(Path(folder), self._root)
            if first is not None:
                return first.relative_to(self._root).as_posix()
        return Absent(f"{FLOW_FOLDERS[0]}/{name}/flow_x_00001.jpg")


def _clip(line: str) -> tuple[str, str]:
    """Name and class of a line such as `Bowling/v_Bowling_g08_c01.avi 12`."""
    label, slash, file = line.split(maxsplit=1)[0].partition("/")
    if not slash or not label or not file:
        raise LineError("is not of the form CLASS/CLIP.avi, with the number of the class behind it or not")
    return Path(file).stem, label


def _class(line: str) -> str:
    fields = line.split()
    if len(fields) != 2 or not fields[0].isdecimal():
        raise LineError("is not of the form NUMBER CLASS")
    return fields[1]
