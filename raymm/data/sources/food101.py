"""UPMC Food-101 (Wang et al., ICMEW 2015): pictures of food, and the titles of the pages on which they were found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from raymm.data.sources.base import Absent, Entry, Listing, Source, Split
from raymm.data.sources.files import Files
from raymm.data.sources.lists import LineError, Lists
from raymm.errors import Problems

__all__ = ["Food101"]

PICTURES = (".jpg", ".jpeg", ".png")
SPLITS: tuple[Split, ...] = ("train", "test")
FIELDS = {"image": ("image_path", "image", "img", "filename"), "text": ("text", "title"), "label": ("label", "class")}
"""What columns are called where a list has a header; without one they are in this order."""

Row = tuple[str, str, str]


class Food101(Source):
    """Pictures of 101 dishes with the title of a page each."""

    title = "UPMC Food-101"
    layout: ClassVar[tuple[str, ...]] = (
        "texts/train_titles.csv and texts/test_titles.csv (picture, title, class; with a header or without)",
        "images/train/CLASS/PICTURE.jpg and images/test/CLASS/PICTURE.jpg",
    )
    splits = "published train and test; val taken from train"
    classes = "101"
    trap = "pages were found by a search for the class, so many titles hold its name: text alone is hard to beat"
    modalities: ClassVar[Mapping[str, str]] = {"image": "image", "text": "text"}
    recordings = "pictures"

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """A picture is found by its name in the folder of its split."""
        lists = Lists(root, problems)
        entries = []
        for split in SPLITS:
            files = (f"texts/{split}_titles.csv", f"{split}_titles.csv")
            path = lists.find(files, f"pictures and titles of the {split} split")
            what = f"the pictures of the {split} split"
            pictures = Files(root, (f"images/{split}",), PICTURES, what, problems)
            for picture, text, label in lists.rows(path, _Columns()) if path else ():
                if not picture:  # the header
                    continue
                cells: dict[str, str | Absent] = {"image": pictures.find(Path(picture).stem), "text": text}
                cells = {name: cells[name] for name in names}
                entries.append(Entry(Path(picture).stem, split, label, cells, Path(picture).stem))
        return Listing(entries)


class _Columns:
    """Reads rows; the first one may name the columns."""

    def __init__(self) -> None:
        self._places: list[int] | None = None

    def __call__(self, row: list[str]) -> Row:
        fields = [field.strip() for field in row]
        if self._places is None:
            self._places = _header(fields)
            if self._places is not None:
                return "", "", ""
            self._places = [0, 1, 2]
        if len(fields) <= max(self._places):
            raise LineError("is not of the form PICTURE,TITLE,CLASS")
        picture, text, label = (fields[place] for place in self._places)
        if not Path(picture).stem or not label:
            raise LineError("names no picture or no class")
        return picture, text, label


def _header(fields: Sequence[str]) -> list[int] | None:
    """Where picture, title and class stand; None in a row that is no header."""
    lower = [field.lower() for field in fields]
    found = [next((lower.index(name) for name in names if name in lower), None) for names in FIELDS.values()]
    return None if None in found else [place for place in found if place is not None]
