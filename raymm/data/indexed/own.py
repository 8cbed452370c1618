"""A `torch.utils.data.Dataset` of one's own as a source of samples: trained and valued without a copy on disk."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from raymm.config.base import Settings
from raymm.config.own_code import named_object
from raymm.data.groups import assign_grouped_splits, torn_groups_note, units_of
from raymm.data.indexed import live
from raymm.data.indexed.base import (
    REMEDY,
    IndexedSample,
    ItemReader,
    ItemSource,
    Kept,
    Listing,
    SampleSettings,
    Say,
    sampled_rows,
)
from raymm.data.indexed.calling import called, code_of, is_spec
from raymm.data.indexed.own_items import OwnItem, OwnItems, items_of
from raymm.data.indexed.own_labels import label_cells, one_hot_note
from raymm.data.indexed.own_names import doubts_of_names
from raymm.data.indexed.own_schema import infer_kinds, specs_of_values
from raymm.data.kinds.base import Value
from raymm.data.labels import choose_task, parse_labels, parse_task, refuse_absent_classes, refuse_rare_labels
from raymm.data.record import shortened
from raymm.data.schema import Schema
from raymm.data.schema_inference import parse_kinds
from raymm.data.splits import assign_splits, read_splits
from raymm.errors import DataError, Problems

__all__ = ["OwnDataset"]

LOOKED_AT = 100
"""Items by which kinds and sizes are inferred."""

MOST = 50
"""Items with mistakes, after which the rest is not looked at."""


class OwnSettings(SampleSettings):
    """How items of one's own are taken."""

    args: dict[str, Any] = Field(default_factory=dict, description="arguments of the function")


class OwnDataset(ItemSource):
    """`where` is "package.module:NAME", "FILE.py:NAME", or the key of an object of this process."""

    kind: ClassVar[str] = "own"
    Settings: ClassVar[type[Settings]] = OwnSettings

    @classmethod
    def accepts(cls, where: str) -> bool:
        """Names of objects."""
        return is_spec(where) or live.is_key(where)

    @property
    def shared(self) -> bool:
        """Whether other processes can open it by its name."""
        return not live.is_key(self.where)

    def listing(self, say: Say) -> Listing:
        """Read every item once, and the first ones twice: what changes from reading to reading is refused."""
        items = self._load()
        specs = self._specs(_readable(items), say)
        names = {spec.name for spec in specs}
        found, problems = [], Problems(self.called)
        for row in range(len(items)):
            found.append(_looked_at(items, row, specs, problems, guessed=not self.settings.modalities))
            if len(problems.items) > MOST:
                problems.add(f"... and perhaps more: looked at {row + 1} of {len(items)} items")
                break
        kept = [item for item in found if item is not None]
        for sample_id, count in Counter(item.sample_id for item in kept).items():
            if count > 1:
                problems.add(f"sample '{shortened(sample_id)}': its id appears {count} times")
        problems.raise_if_any(DataError)
        self._refuse_other_values(items, names, [item.digest for item in kept], "when it was read again", CURE)
        schema, labels, splits = self._labelled(items, kept, specs, say)
        samples = [_indexed(item, label, split) for item, label, split in zip(kept, labels, splits, strict=True)]
        return Listing(schema, samples, _Reader(items), self._identity)

    def reopen(self, kept: Kept) -> ItemReader:
        """The items, some of them compared with what they were."""
        items = self._load()
        if self.shared and kept.identity.get("code") != self._identity["code"]:
            raise DataError(f"{self.where}: its code was changed since {kept.where} was made; {REMEDY}")
        if len(items) != len(kept.sample_id):
            now, then = len(items), len(kept.sample_id)
            raise DataError(f"{self.where}: has {now} items now, {then} when {kept.where} was made; {REMEDY}")
        self._refuse_other_values(items, kept.schema.names, kept.content, f"when {kept.where} was made", REMEDY)
        return _Reader(items)

    @property
    def called(self) -> str:
        """What messages call it."""
        return live.name_of(self.where)

    def _load(self) -> OwnItems:
        arguments = self.settings.args
        found = named_object(self.where, "--data") if self.shared else live.object_of(self.where)
        if callable(found) and (isinstance(found, type) or not hasattr(found, "__getitem__")):
            found = called(found, arguments, self.called)
        elif arguments:
            raise DataError(f"{self.called}: is no function, so it takes no arguments ({', '.join(arguments)})")
        return items_of(found, self.called)

    @property
    def _identity(self) -> dict[str, Any]:
        return {"name": self.where.rpartition("/")[2], "code": code_of(self.where)} if self.shared else {}

    def _specs(self, first: Sequence[OwnItem], say: Say) -> tuple[Any, ...]:
        values = [item.values for item in first]
        given = self.settings.modalities
        kinds = parse_kinds(given) if given else infer_kinds(values, self.called)
        specs = specs_of_values(kinds, values, self.settings.set, self.called)
        if not given:
            said = ", ".join(f"{spec.name} {spec.kind} {list(spec.shape) or ''}".strip() for spec in specs)
            say(f"{self.called}: modalities by its first items: {said}")
            for doubt in doubts_of_names(values):
                say(f"{self.called}: {doubt}")
        return specs

    def _labelled(
        self, items: OwnItems, found: Sequence[OwnItem], specs: Sequence[Any], say: Say
    ) -> tuple[Schema, list[Any], list[str]]:
        """The schema, labels as the task has them, and splits."""
        problems = Problems(self.called)
        cells, names = label_cells([item.label for item in found], self.settings.classes or items.classes)
        task, note = choose_task(cells, parse_task(self.settings.task, self.settings.task_settings), names or ())
        classes = tuple(names) if names else task.classes_of(cells)
        if not names:
            refuse_rare_labels(cells, task, classes, problems)
            problems.raise_if_any(DataError)
        labels = parse_labels(cells, items.place, task, classes, problems)
        problems.raise_if_any(DataError)
        array = task.array(labels, len(classes))
        splits, renamed = self._splits(found, array, task, classes, problems)
        refuse_absent_classes(array, splits, task, classes, problems)
        problems.raise_if_any(DataError)
        torn = torn_groups_note([item.group for item in found], splits)
        for said in filter(None, (note, one_hot_note(cells, task), renamed, torn)):
            say(f"{self.called}: {said}")
        return Schema(modalities=specs, classes=classes, task=task), labels, splits

    def _splits(
        self, found: Sequence[OwnItem], labels: Any, task: Any, classes: Sequence[str], problems: Problems
    ) -> tuple[list[str], str]:
        names = [item.sample_id for item in found]
        if any(item.split for item in found):
            return read_splits([item.split for item in found], names, problems)
        if any(item.group for item in found):
            units = units_of([item.group or None for item in found])
            return assign_grouped_splits(labels, units, names, task, classes, self.settings.seed, problems), ""
        return assign_splits(labels, names, task, classes, self.settings.seed, problems), ""

    def _refuse_other_values(
        self, items: OwnItems, names: Collection[str], digests: Sequence[str], when: str, cure: str
    ) -> None:
        """Read some items and compare them."""
        problems = Problems(self.called)
        for row in sampled_rows(len(items)):
            item = items[row].only(names)
            if item.digest != digests[row]:
                problems.add(f"{items.place(row)} (sample '{item.sample_id}') has other values than {when}")
        problems.raise_if_any(DataError, note=cure)


CURE = "an item must be the same each time; leave random augmentation to raymm (view.augment), drawn by the seed"


class _Reader:
    """Reads whole items."""

    def __init__(self, items: OwnItems) -> None:
        self._items = items

    def read(self, row: int, names: Collection[str]) -> Mapping[str, Value]:
        """All values of an item."""
        del names
        return self._items[row].values


def _readable(items: OwnItems) -> list[OwnItem]:
    """The first items that can be read; raises `DataError` where there is none."""
    found: list[OwnItem] = []
    mistakes: list[DataError] = []
    for row in range(min(len(items), LOOKED_AT)):
        try:
            found.append(items[row])
        except DataError as cause:  # which is named when all items are looked at
            mistakes.append(cause)
    if not found:
        raise mistakes[0] if mistakes else DataError(f"{items.where}: has no items")
    return found


def _looked_at(
    items: OwnItems, row: int, specs: Sequence[Any], problems: Problems, *, guessed: bool
) -> OwnItem | None:
    """An item whose values fit the schema; else None, and what is wrong with it."""
    try:
        whole = items[row]
    except DataError as cause:
        problems.add(str(cause).removeprefix(f"{items.where}: "))
        return None
    item = whole.only(names := {spec.name for spec in specs})
    unknown = {name for name, value in whole.values.items() if value is not None} - names
    for name in sorted(unknown) if guessed else ():
        problems.add(
            f"{items.place(row)}: '{name}' is none of the modalities of the first {LOOKED_AT} items "
            f"({', '.join(sorted(names))}); mend the key, or name all modalities by modalities=NAME:KIND,..."
        )
    for spec in specs:
        if spec.name in item.values:
            troubles = spec.check(item.values[spec.name])
            problems.extend(f"{items.place(row)}: '{spec.name}' {trouble}" for trouble in troubles)
    if not item.values:
        problems.add(f"{items.place(row)}: every modality is missing")
    return item


def _indexed(item: OwnItem, label: Any, split: str) -> IndexedSample:
    """An item without its values."""
    return IndexedSample(item.sample_id, split, label, frozenset(item.values), item.source, item.group, item.digest)
