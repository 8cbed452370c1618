"""nvGesture (Molchanov et al., CVPR 2016): gestures in a car, in colour and depth."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from raymm.data.sources.base import Absent, Entry, Listing, Source, Split
from raymm.data.sources.lists import LineError, Lists, is_whole
from raymm.errors import Problems

__all__ = ["NvGesture"]

FPS = 30
SENSORS = {"rgb": "color", "flow": "color", "depth": "depth"}
"""The sensor that each modality is read from, as the lists call it."""

SUBJECT = re.compile(r"subject(\d+)")


def _names(split: str) -> tuple[str, ...]:
    stem = f"nvgesture_{split}_correct"
    return tuple(f"{stem}{end}.lst" for end in ("_cvpr2016_v2", "_cvpr2016", "_v2", ""))


@dataclass(frozen=True)
class _Line:
    """A gesture: its folder, its number, and file and first frame of each sensor."""

    folder: str
    label: int
    sensors: Mapping[str, tuple[str, int]]


class NvGesture(Source):
    """Gestures of 25 classes by 20 people, about 80 frames each, cut out of longer videos by the lists."""

    title = "nvGesture"
    layout: ClassVar[tuple[str, ...]] = (
        "nvgesture_train_correct_cvpr2016_v2.lst and nvgesture_test_correct_cvpr2016_v2.lst (or without v2)",
        "Video_data/class_01/subject1_r0/ with sk_color.avi and sk_depth.avi",
    )
    splits = "published train and test, apart by person; val taken from train by person (a valid list is used)"
    classes = "25"
    trap = "a gesture is a part of its video, which the lists name: whoever reads from the first frame on misses it"
    modalities: ClassVar[Mapping[str, str]] = {"rgb": "rgb", "depth": "rgb"}
    further: ClassVar[Mapping[str, str]] = {"flow": "flow"}
    sets: ClassVar[Sequence[str]] = (
        *("rgb.fps=3", "rgb.frames=8", "depth.fps=3", "depth.frames=8"),
        *("flow.fps=6", "flow.frames=16"),
    )
    recordings = "people"
    by_class = False

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """A cell is a video and the second at which the gesture begins."""
        lists = Lists(root, problems)
        if not (root / "Video_data").is_dir():
            problems.add("there is no folder Video_data: the videos")
        entries = []
        splits: dict[Split, str] = {"train": "train", "val": "valid", "test": "test"}
        for split, called in splits.items():
            path = lists.find(_names(called), f"the list of the {split} split", required=split != "val")
            for line in lists.lines(path, _parse) if path else ():
                cells = {name: _cell(root, line, SENSORS[name]) for name in names}
                label, person = f"{line.label:02d}", SUBJECT.search(line.folder)
                entries.append(
                    Entry(line.folder.replace("/", "-"), split, label, cells, person[0] if person else line.folder)
                )
        return Listing(entries)


def _cell(root: Path, line: _Line, sensor: str) -> str | Absent:
    """The video of a sensor from the second at which the gesture begins; `Absent` where it is not there."""
    if sensor not in line.sensors:
        return Absent(f"{line.folder} with a sensor {sensor} in its list")
    file, first = line.sensors[sensor]
    path = f"Video_data/{line.folder}/{file}.avi"
    return f"{path}#t={first / FPS:.6f}" if os.path.isfile(root / path) else Absent(path)  # noqa: PTH113  (a name may be too long)


def _parse(text: str) -> _Line:
    fields = [word.split(":") for word in text.split()]
    about = {field[0]: field[1] for field in fields if len(field) == 2}
    sensors = {field[0]: (field[1], int(field[2])) for field in fields if len(field) == 4 and is_whole(field[2])}
    folder = about.get("path", "").removeprefix("./").removeprefix("Video_data/").strip("/")
    if not folder or not is_whole(about.get("label", "")) or not sensors:
        raise LineError("is not of the form path:./Video_data/class_01/subject1_r0 color:sk_color:138:218 label:1")
    return _Line(folder, int(about["label"]), sensors)
