"""Which lines of published lists become samples, and in which split: what is missing, repeated or torn apart."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from raymm.data.media.suffixes import split_start
from raymm.data.sources.base import Absent, Entry, Source
from raymm.seeds import derive

__all__ = ["LeftOut", "hold_out", "leave_out", "shared_note"]

ORDER = {"train": 0, "val": 1, "test": 2}
"""Of a file in two splits the sample of the later one stays."""


@dataclass(frozen=True)
class LeftOut:
    """A line of a list that is no sample, and why."""

    entry: Entry
    why: str


def leave_out(
    entries: Iterable[Entry], keep_incomplete: bool, texts: Collection[str] = ()
) -> tuple[list[Entry], list[LeftOut]]:
    """Entries that can be samples, and the others: files that are not there, in two splits, or named twice.

    Parameters
    ----------
    keep_incomplete
        Whether an entry of which some file is there stays; what is absent is then a missing modality.
    texts
        Modalities of which a cell is no file.
    """
    kept: list[Entry] = []
    out: list[LeftOut] = []
    for entry in entries:
        absent = [cell.where for cell in entry.cells.values() if isinstance(cell, Absent)]
        if absent and (not keep_incomplete or len(absent) == len(entry.cells)):
            out.append(LeftOut(entry, f"there is no {' and no '.join(dict.fromkeys(absent))}"))
        else:
            kept.append(entry)
    return _without_repeated(kept, texts, out), out


def _without_repeated(entries: Sequence[Entry], texts: Collection[str], out: list[LeftOut]) -> list[Entry]:
    """Entries whose file is in one split and whose files stand once."""
    files = [_files_of(entry, texts) for entry in entries]
    recordings = [_recording(found) for found in files]
    last: dict[str, str] = {}
    for entry, recording in zip(entries, recordings, strict=True):
        last[recording] = max(last.get(recording, entry.split), entry.split, key=ORDER.__getitem__)
    kept: list[Entry] = []
    seen: set[tuple[str, ...]] = set()
    for entry, found, recording in zip(entries, files, recordings, strict=True):
        if recording and entry.split != last[recording]:
            out.append(LeftOut(entry, f"{recording} is in the split {last[recording]} as well"))
        elif found in seen:
            out.append(LeftOut(entry, f"{recording} stands in an earlier line as well"))
        else:
            seen.update([found] if found else [])
            kept.append(entry)
    return kept


def _files_of(entry: Entry, texts: Collection[str]) -> tuple[str, ...]:
    return tuple(cell for name, cell in entry.cells.items() if isinstance(cell, str) and name not in texts)


def _recording(files: Sequence[str]) -> str:
    """The file that identifies the recording, or the whole cell of an array; empty where there is no file."""
    return split_start(next(iter(files), ""))[0]


def hold_out(entries: Sequence[Entry], share: float, seed: int, by_class: bool) -> list[Entry]:
    """Entries of which a share of the training groups became validation; no group is torn apart.

    Parameters
    ----------
    by_class
        Whether the share holds within each class, by the class of a group's first entry; at least one group stays on
        either side where there are two.
    """
    first: dict[str, str] = {}
    for entry in entries:
        if entry.split == "train":
            first.setdefault(entry.group or entry.recording, entry.label if by_class else "")
    members: dict[str, list[str]] = defaultdict(list)
    for group in sorted(first):
        members[first[group]].append(group)
    held: set[str] = set()
    for stratum, groups in sorted(members.items()):
        count = min(max(1, round(share * len(groups))), len(groups) - 1)
        order = np.random.default_rng(derive(seed, "validation", stratum)).permutation(len(groups))
        held.update(groups[position] for position in order[:count])
    return [_to_val(entry) if _is_held(entry, held) else entry for entry in entries]


def _is_held(entry: Entry, held: set[str]) -> bool:
    return entry.split == "train" and (entry.group or entry.recording) in held


def _to_val(entry: Entry) -> Entry:
    return replace(entry, split="val")


def shared_note(entries: Sequence[Entry], source: Source) -> str:
    """A warning about recordings in the training split and in another one; empty where there are none."""
    splits: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        splits[entry.recording].add(entry.split)
    with_train = Counter(split for found in splits.values() if "train" in found for split in found - {"train"})
    if not with_train:
        return ""
    parts = " and ".join(f"{count} with {split}" for split, count in sorted(with_train.items()))
    return (
        f"warning: of {len(splits)} {source.recordings}, the training split shares {parts}; "
        f"what is learned of one may be recognised there"
    )
