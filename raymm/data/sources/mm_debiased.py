"""MM-Debiased (Wei et al., CVPR 2024): clips of VGGSound and Kinetics-400 in which neither modality leads."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from raymm.data.sources.av_clips import Clips, ClipSource, youtube_id
from raymm.data.sources.base import Entry, Listing, Split
from raymm.data.sources.lists import Lists, is_whole
from raymm.errors import Problems

__all__ = ["MmDebiased"]

LIST = "MM-Debiased.json"
FOLDERS = ("videos", "video", "VGGSound", "Kinetics")
SUBSETS: dict[str, Split] = {"training": "train", "validation": "val", "testing": "test"}


class MmDebiased(ClipSource):
    """Clips of ten classes, chosen so that sound and pictures are as good as each other over the whole data set."""

    title = "MM-Debiased"
    layout: ClassVar[tuple[str, ...]] = (
        f'{LIST} ({{"ID": {{"subset": "training", "label": "bowling"}}}})',
        "videos/, VGGSound/ or Kinetics/ with ID.mp4, called as in the list; folders in them do not matter",
    )
    splits = "published training, validation and testing"
    classes = "10"
    trap = "ids only are published: clips come from VGGSound and Kinetics-400, many links are dead"

    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """Ids are those of VGGSound (ID_START), of Kinetics (ID_000START_000END) or of a whole video."""
        lists = Lists(root, problems)
        find = Clips(root, self.settings, problems, FOLDERS).finders(names)
        path = lists.find((LIST, f"MM-Debiased dataset/{LIST}"), "the list of all clips with subset and label")
        entries = []
        for name, about in (_read(lists, path) if path else {}).items():
            split, label = _parse(about)
            if not split or not label:
                problems.add(
                    f"{LIST}, '{name}': is {json.dumps(about)[:80]}; expected subset (one of {', '.join(SUBSETS)}) "
                    "and label"
                )
                continue
            cells = {modality: find[modality](*_stems(name)) for modality in names}
            entries.append(Entry(name, split, label, cells, youtube_id(name)))
        return Listing(entries)


def _read(lists: Lists, path: Path) -> Mapping[str, Any]:
    """The clips by id; a file with a `database` holds them in it."""
    try:
        found = json.loads(lists.text(path) or "{}")
    except (ValueError, RecursionError) as cause:
        lists.problems.add(f"{lists.called(path)}: is no JSON ({cause})")
        return {}
    clips = found.get("database", found) if isinstance(found, dict) else None
    if isinstance(clips, dict):
        return clips
    lists.problems.add(f"{lists.called(path)}: is no object of clips by their ids")
    return {}


def _parse(about: Any) -> tuple[Split | None, str]:
    if not isinstance(about, dict):
        return None, ""
    label = about.get("label")
    return SUBSETS.get(str(about.get("subset"))), label.strip() if isinstance(label, str) else ""


def _stems(name: str) -> tuple[str, ...]:
    """What a clip may be called: as in the list, or with six digits for its start, as VGGSound is downloaded.

    >>> _stems("ZUJ5LJGX9oc_20"), _stems("xCwDi3Vqm0s")
    (('ZUJ5LJGX9oc_20', 'ZUJ5LJGX9oc_000020'), ('xCwDi3Vqm0s',))
    """
    video, _, start = name.rpartition("_")
    if len(video) == len(youtube_id(name)) and is_whole(start):
        return name, f"{video}_{int(start):06d}"
    return (name,)
