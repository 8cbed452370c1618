"""CMU-MOSEI (Zadeh et al., ACL 2018): features of text, sound and face, from a file without pickles."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from raymm.data.media.arrays import UNREADABLE, read_array, shape_of
from raymm.data.media.problem import MediaError
from raymm.data.sources.base import Entry, Listing, Source, SourceSettings, Split
from raymm.data.sources.lists import Lists
from raymm.errors import Problems

__all__ = ["CmuMosei"]

SPLITS: dict[Split, str] = {"train": "train", "val": "valid", "test": "test"}
CLASSES = {
    "2": ("negative", "nonnegative"),
    "2_without_neutral": ("negative", "positive"),
    "3": ("negative", "neutral", "positive"),
}


class CmuMoseiSettings(SourceSettings):
    """Which features, and which classes are made of the sentiment of -3 to 3."""

    aligned: bool = Field(default=True, description="mosei_senti_data.npz; else mosei_senti_data_noalign.npz")
    classes: Literal["2", "2_without_neutral", "3"] = Field(
        default="2", description="negative and the others; negative and positive without 0; or with a class for 0"
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _as_text(cls, given: object) -> object:
        """`classes=2` is a number in YAML."""
        return str(given) if isinstance(given, int) else given


class CmuMosei(Source):
    """Sentences of YouTube speakers as sequences of word vectors (text), COVAREP (audio) and FACET (vision)."""

    Settings = CmuMoseiSettings
    title = "CMU-MOSEI"
    layout: ClassVar[tuple[str, ...]] = (
        "mosei_senti_data.npz: the published pickle, converted (no pickle is read)",
        "in it train_text, train_audio, train_vision, train_labels and train_id, and those of valid and test",
    )
    splits = "published train, valid and test"
    classes = "2 or 3"
    trap = (
        "sentiment is a number of -3 to 3, and papers cut it in three ways (classes); numbers need a manifest. "
        "Sound holds minus infinity, which becomes 0 as in published code"
    )
    modalities: ClassVar[Mapping[str, str]] = {"text": "embedding", "audio": "embedding", "vision": "embedding"}
    sets: ClassVar[Sequence[str]] = tuple(f"{name}.not_finite=zero" for name in modalities)
    recordings = "videos"

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """A cell is a row of an array in the file."""
        file = "mosei_senti_data.npz" if self.settings.aligned else "mosei_senti_data_noalign.npz"
        path = Lists(root, problems).find(
            (file,), "the features and labels (a .npz file made of the published pickle)"
        )
        entries: list[Entry] = []
        for split, called in SPLITS.items() if path else ():
            entries += self._entries(path, file, split, called, names, problems) if path else []
        return Listing(entries, CLASSES[self.settings.classes])

    def _entries(
        self, path: Path, file: str, split: Split, called: str, names: Sequence[str], problems: Problems
    ) -> list[Entry]:
        """The samples of a split."""
        try:
            sentiment = read_array(f"{file}#{called}_labels", path).reshape(-1)
            sizes = {name: shape_of(f"{file}#{called}_{name}", path.parent)[0] for name in names}
        except (MediaError, IndexError) as cause:
            problems.add(f"{file}, split {called}: {cause}")
            return []
        videos = _videos(path, f"{called}_id", len(sentiment), problems)
        for name in [name for name in names if sizes[name] != len(sentiment)]:
            problems.add(f"{file}: {called}_{name} has {sizes[name]} rows, {called}_labels has {len(sentiment)}")
        for row in np.flatnonzero(~(np.abs(sentiment) <= 3)).tolist():
            problems.add(f"{file}: {called}_labels[{row}] is {sentiment[row]:g}; expected -3 to 3")
        entries = []
        for row, (label, video) in enumerate(zip(map(self._label, sentiment), videos, strict=True)):
            cells = {name: f"{file}#{called}_{name}[{row}]" for name in names}
            if label:
                entries.append(Entry(f"{split}-{row:05d}", split, label, cells, video))
        return entries

    def _label(self, sentiment: np.float32) -> str:
        """The class of a sentiment; empty for one that belongs to none."""
        if self.settings.classes == "2":
            return "negative" if sentiment < 0 else "nonnegative"
        if sentiment == 0:
            return "neutral" if self.settings.classes == "3" else ""
        return "negative" if sentiment < 0 else "positive"


def _videos(path: Path, key: str, count: int, problems: Problems) -> list[str]:
    """The video of each sentence, [count], by the ids in the file; each sentence its own where there are none."""
    own = [f"{key}-{row}" for row in range(count)]
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if key not in arrays:
                return own
            ids: npt.NDArray[np.str_] = np.asarray(arrays[key]).astype(str)
    except UNREADABLE as cause:
        objects = "holds objects, which only a pickle can; save it as an array of texts"
        problems.add(f"{path.name}: {key} {objects if 'pickle' in str(cause) else f'cannot be read ({cause})'}")
        return own
    if ids.shape[:1] != (count,):
        problems.add(f"{path.name}: {key} has the shape {list(ids.shape)}; expected {count} rows")
        return own
    return [
        str(row.flat[0]).partition("$_$")[0] if row.size else name
        for name, row in zip(own, map(np.asarray, ids), strict=True)
    ]
