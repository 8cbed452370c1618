"""CREMA-D (Cao et al., IEEE Transactions on Affective Computing 2014)."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from raymm.data.sources.av_clips import Clips, ClipSettings, ClipSource
from raymm.data.sources.base import Entry, Listing, Split
from raymm.data.sources.files import SOUND, VIDEO, Files
from raymm.data.sources.lists import LineError, Lists
from raymm.errors import Problems
from raymm.seeds import derive

__all__ = ["CremaD"]

EMOTIONS = ("NEU", "HAP", "SAD", "FEA", "DIS", "ANG")
NAME = re.compile(rf"(?P<actor>\d{{4}})_[A-Z]{{3}}_(?P<emotion>{'|'.join(EMOTIONS)})_[A-Z]+")
LISTS: dict[Split, tuple[str, ...]] = {
    "train": ("train.csv", "annotations/train.csv"),
    "val": ("valid.csv", "val.csv", "annotations/valid.csv", "annotations/val.csv"),
    "test": ("test.csv", "annotations/test.csv"),
}
FOLDS = 5
PUBLISHED = (
    "the usual lists of CREMA-D have the same actors in train and test; --source-setting split=actors has none in two"
)


class CremaDSettings(ClipSettings):
    """Which split of CREMA-D."""

    split: Literal["published", "actors"] = Field(
        default="published", description="the usual lists, or five folds in which no actor is in two splits"
    )
    fold: int = Field(
        default=1, ge=1, le=FOLDS, description="of split=actors: the fold that is tested; the next is val"
    )


class CremaD(ClipSource):
    """Actors who say twelve sentences in six emotions."""

    Settings = CremaDSettings
    title = "CREMA-D"
    layout: ClassVar[tuple[str, ...]] = (
        "AudioWAV/ with 1001_DFA_ANG_XX.wav",
        "VideoFlash/ with 1001_DFA_ANG_XX.flv (or .mp4); or Image-01-FPS/1001_DFA_ANG_XX/ (rgb=pictures)",
        "train.csv and test.csv (NAME,EMOTION), not needed with split=actors",
    )
    splits = "published train and test, val taken from train; or five folds of actors (split=actors, fold=1 to 5)"
    classes = "6"
    trap = (
        "the usual lists have all actors, and their sentences, in train and in test alike: a model may know the "
        "actor; split=actors has each actor in one split"
    )
    sets: ClassVar[Sequence[str]] = ()
    recordings = "actors"

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """Sound is that of AudioWAV; pictures are those of VideoFlash."""
        find = Clips(root, self.settings, problems, ("VideoFlash",), ("AudioWAV", "audio")).finders(names)
        known = Files(root, ("AudioWAV", "audio", "VideoFlash"), (*SOUND, *VIDEO), "", problems).names
        entries = []
        for name, split, emotion in self._lines(root, problems, known):
            cells = {key: find[key](name) for key in names}
            actor = name.partition("_")[0]
            group = actor if self.settings.split == "actors" else name
            entries.append(Entry(name, split, emotion, cells, actor, group))
        return Listing(entries, EMOTIONS, [PUBLISHED] if self.settings.split == "published" else [])

    def _lines(self, root: Path, problems: Problems, names: Sequence[str]) -> list[tuple[str, Split, str]]:
        """Name, split and emotion of each clip, by the lists or by the folds."""
        if self.settings.split == "actors":
            matches = [match for name in names if (match := NAME.fullmatch(name))]
            split_of = _folds([match["actor"] for match in matches], self.settings.fold)
            return [(match[0], split_of[match["actor"]], match["emotion"]) for match in matches]
        lists = Lists(root, problems)
        found: list[tuple[str, Split, str]] = []
        for split, files in LISTS.items():
            path = lists.find(files, f"the list of the {split} split", required=split != "val")
            rows = lists.rows(path, _parse) if path else []
            found += [(name, split, emotion) for name, emotion in rows]
        return found


def _parse(row: list[str]) -> tuple[str, str]:
    fields = [field.strip() for field in row]
    match = NAME.fullmatch(fields[0])
    if len(fields) != 2 or match is None or fields[1] != match["emotion"]:
        raise LineError(f"is not of the form 1001_DFA_ANG_XX,ANG with one of {', '.join(EMOTIONS)}, the same twice")
    return fields[0], fields[1]


def _folds(actors: Sequence[str], fold: int) -> dict[str, Split]:
    """The split of each actor: a fifth each is tested and validates; the same actors whatever the seed of a run."""
    known = sorted(set(actors))
    order = np.random.default_rng(derive(0, "crema_d", "actors")).permutation(len(known))
    places: dict[int, Split] = {fold - 1: "test", fold % FOLDS: "val"}
    return {known[actor]: places.get(place % FOLDS, "train") for place, actor in enumerate(order)}
