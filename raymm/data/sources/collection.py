"""From a source to a manifest: lists are read, files found, splits chosen, and what is left out is written down."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymm.data.kinds.base import kind_of
from raymm.data.sources.base import Absent, Entry, Listing, Source, get_source
from raymm.data.sources.contract import checked
from raymm.data.sources.selection import LeftOut, hold_out, leave_out, shared_note
from raymm.errors import ConfigError, DataError, Problems, did_you_mean
from raymm.storage import data_layout
from raymm.storage.atomic import write_bytes

__all__ = ["Collection", "collect", "write_collection"]


@dataclass(frozen=True)
class Collection:
    """What a source has for `raymm prepare`.

    Attributes
    ----------
    kinds
        Kinds of the modalities, by name.
    entries, left_out
        The samples, and the lines of the lists that are none.
    classes
        In order, those that have a sample; empty: as the manifest has them.
    sets
        Settings of modalities, as `--set` has them.
    notes
        Sentences for a person.
    """

    kinds: Mapping[str, str]
    entries: Sequence[Entry]
    left_out: Sequence[LeftOut]
    classes: Sequence[str]
    sets: Sequence[str]
    notes: Sequence[str]


def collect(
    name: str, root: Path, settings: Mapping[str, Any] | None = None, modalities: str | None = None, seed: int = 0
) -> Collection:
    """Read the lists of a source and find its files.

    Parameters
    ----------
    name, settings
        Of the source: a registered name or "package.module:NAME", and settings by name.
    root
        Folder in which the data set lies as it was published.
    modalities
        Names with commas between them; default: those of the source.
    seed
        Decides which training recordings become validation, where the source has no list of it.

    Raises
    ------
    ConfigError
        When there is no such source, setting or modality, or the source returns what is no listing.
    DataError
        With all lists and folders that are not there and all lines that cannot be read; or when no file is there.
    """
    source = get_source(name, settings)
    names = _names(name, source, modalities)
    problems = Problems(str(root))
    if not root.is_dir():
        problems.add("there is no such folder; --root is the folder of the data set")
        problems.raise_if_any(DataError)
    listing = checked(source.read(root, names, problems), name, names)
    problems.raise_if_any(DataError, note=f"expected in --root: {'; '.join(source.layout)}" if source.layout else "")
    kinds = {known: kind for known, kind in source.kinds().items() if known in names}
    texts = [known for known, kind in kinds.items() if kind_of(kind).is_text]
    entries, left_out = leave_out(listing.entries, source.settings.incomplete == "keep", texts)
    if not entries:
        first = left_out[0].why if left_out else "its lists name no samples"
        raise DataError(f"{root}: none of {len(listing.entries)} samples is there; of the first one, {first}")
    sets = [setting for setting in source.sets if setting.partition(".")[0] in names]
    notes = [*listing.notes, *_absent_note(left_out, listing)]
    if not any(entry.split == "val" for entry in entries):
        entries = hold_out(entries, source.settings.val, seed, source.by_class)
        notes.append(_held_out_note(entries, source))
    notes += filter(None, [shared_note(entries, source)])
    labels = {entry.label for entry in entries}
    classes = [label for label in listing.classes if label in labels]
    return Collection(kinds, entries, left_out, classes, sets, notes)


def write_collection(collection: Collection, out: Path) -> Path:
    """Write the manifest of the data set `out`, and the table of what was left out; returns the manifest's path."""
    path = data_layout.source_manifest(out)
    names = list(collection.kinds)
    rows = [
        [entry.sample_id, entry.split, entry.label, *(_text(entry.cells[name]) for name in names)]
        for entry in collection.entries
    ]
    write_bytes(path, _csv([["sample_id", "split", "label", *names], *rows]))
    others = [[item.entry.sample_id, item.entry.split, item.entry.label, item.why] for item in collection.left_out]
    write_bytes(data_layout.left_out_file(out), _csv([["sample_id", "split", "label", "why"], *others]))
    return path


def _names(name: str, source: Source, modalities: str | None) -> list[str]:
    """Names of the modalities that are asked for, in the order of the source."""
    known = source.kinds()
    if modalities is None:
        return [*source.modalities]
    asked = [word.strip() for word in modalities.split(",")]
    problems = Problems("--modalities")
    for word in asked:
        if word not in known:
            problems.add(f"source {name} has no '{word}'; {did_you_mean(word, known)}")
    problems.raise_if_any(ConfigError)
    return [word for word in known if word in asked]


def _absent_note(left_out: Sequence[LeftOut], listing: Listing) -> list[str]:
    if not left_out:
        return []
    splits = Counter(item.entry.split for item in left_out)
    parts = ", ".join(f"{split} {splits[split]}" for split in ("train", "val", "test") if splits[split])
    count = f"{len(left_out)} of {len(listing.entries)} listed samples are left out ({parts})"
    return [f"{count}, the first one since {left_out[0].why}"]


def _held_out_note(entries: Sequence[Entry], source: Source) -> str:
    count = sum(entry.split == "val" for entry in entries)
    return (
        f"there is no list of a validation split: {count} samples of the training list are it "
        f"(--source-setting val={source.settings.val:g}, --seed), so that test is not needed to pick a model"
    )


def _text(cell: str | Absent) -> str:
    return "" if isinstance(cell, Absent) else cell


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue().encode(errors="backslashreplace")  # JSON may hold half of a surrogate pair
