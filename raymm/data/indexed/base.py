"""What a source of samples is that stay where they are: they are listed once, and read one by one while training.

A data set of shards holds its values. Where they are not to be copied (a `Dataset` of one's own, an archive, media
that are too many to be decoded), an index takes the place of the shards: ids, splits, labels, which modalities each
sample has, and the statistics of the training split. The values are asked of an `ItemSource` by the number of a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import Field, ValidationError

from raymm.config.base import Settings
from raymm.config.mistakes import settings_mistakes
from raymm.data.indexed.live import name_of
from raymm.errors import ConfigError, DataError, Problems

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from raymm.data.kinds.base import Value
    from raymm.data.schema import Schema
    from raymm.tasks.labels import Labels

__all__ = [
    "REMEDY",
    "SAMPLED",
    "IndexedSample",
    "ItemReader",
    "ItemSource",
    "Kept",
    "Listing",
    "SampleSettings",
    "Say",
    "refuse_changed",
    "sampled_rows",
]

Say = Callable[[str], None]

SAMPLED = 16
"""Samples that are read again and compared whenever a source is opened."""


class ItemReader(Protocol):
    """Reads the values of one sample."""

    def read(self, row: int, names: Collection[str]) -> Mapping[str, Value]:
        """Values of some modalities by name; more of them where they come together anyway.

        Raises
        ------
        DataError
            Naming the sample and what is wrong with it.
        """


@dataclass(frozen=True)
class IndexedSample:
    """A sample without its values.

    Attributes
    ----------
    label
        As the task has it, see `raymm.tasks`.
    present
        Names of the modalities that it has.
    content
        A text that changes when the values do, as far as that can be told cheaply.
    """

    sample_id: str
    split: str
    label: Any
    present: frozenset[str]
    source: str = ""
    group: str = ""
    content: str = ""


@dataclass(frozen=True)
class Listing:
    """All samples of a source.

    Attributes
    ----------
    identity
        Facts that tell it from others, and must stay.
    files
        Tables that the index keeps for the source, by name.
    """

    schema: Schema
    samples: Sequence[IndexedSample]
    reader: ItemReader
    identity: dict[str, Any] = field(default_factory=dict)
    files: Mapping[str, pa.Table] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """What an index kept of a listing: columns of N rows, and where the index lies (for messages)."""

    where: str
    schema: Schema
    sample_id: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    label: Labels
    content: Sequence[str]
    identity: Mapping[str, Any]


class SampleSettings(Settings):
    """How samples are taken, whatever holds them: as by the options of `raymm prepare`."""

    modalities: str | None = Field(
        default=None, description="name:kind, with commas; else by what columns or items hold"
    )
    set: tuple[str, ...] = Field(default=(), description="MODALITY.FIELD=VALUE, as of raymm prepare")
    classes: tuple[str, ...] | None = Field(default=None, description="names of the classes in order")
    task: str | None = Field(default=None, description="what the labels are; else guessed")
    task_settings: tuple[str, ...] = Field(default=(), description="FIELD=VALUE")
    seed: int = Field(default=0, description="decides the splits where none are named")


class ItemSource(ABC):
    """A place whose samples are listed once and read one by one; known by name in `raymm.config.registries.ITEMS`.

    Attributes
    ----------
    where
        The file, the folder, or "package.module:NAME".
    settings
        An instance of `Settings`.
    movable
        Settings that may change without making it another source, such as where files lie.
    """

    Settings: ClassVar[type[Settings]] = Settings
    kind: ClassVar[str]
    movable: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, where: str, settings: Mapping[str, Any] | None = None) -> None:
        self.where = where
        try:
            self.settings: Any = self.Settings.model_validate(dict(settings or {}))
        except ValidationError as cause:
            Problems(f"data {name_of(where)}", settings_mistakes(cause, self.Settings)).raise_if_any(ConfigError)
            raise

    @classmethod
    @abstractmethod
    def accepts(cls, where: str) -> bool:
        """Whether this is a place of this kind; looks, and reads nothing that is large."""

    @abstractmethod
    def listing(self, say: Say) -> Listing:
        """Look at all samples.

        Raises
        ------
        ConfigError, DataError
            With every mistake at once.
        """

    @abstractmethod
    def reopen(self, kept: Kept) -> ItemReader:
        """A reader of the same samples in the same order; raises `DataError`, in words, where they are others now."""

    @property
    def shared(self) -> bool:
        """Whether other processes can open it by what `about` says."""
        return True

    @property
    def about(self) -> dict[str, Any]:
        """What an index writes down, by which every process makes the same source again."""
        return {"kind": self.kind, "where": self.where, "settings": self.settings.model_dump(mode="json")}

    def refuse_other_settings(self, then: Mapping[str, Any], index: str) -> None:
        """Raise `ConfigError` with the settings that an index was made with and that are others now."""
        now = self.about["settings"]
        problems = Problems(f"{index} was made with other settings; choose another --out, or the same")
        for name in sorted({*then, *now} - self.movable):
            if then.get(name) != now.get(name):
                problems.add(f"{name}: {then.get(name)} then, {now.get(name)} now")
        problems.raise_if_any(ConfigError)


def sampled_rows(count: int) -> list[int]:
    """At most `SAMPLED` evenly spaced rows of `count`.

    >>> sampled_rows(3), len(sampled_rows(1000)), sampled_rows(1000)[:2]
    ([0, 1, 2], 16, [0, 62])
    """
    return sorted({number * count // SAMPLED for number in range(SAMPLED)}) if count > SAMPLED else list(range(count))


def refuse_changed(what: str, found: Sequence[str], kept: Kept) -> None:
    """Raise `DataError` where there are other samples than an index has, naming the first."""
    then = kept.sample_id.tolist()
    if list(found) == then:
        return
    if len(found) != len(then):
        raise DataError(f"{what}: has {len(found)} samples now, {len(then)} when {kept.where} was made; {REMEDY}")
    first = next(row for row, (old, new) in enumerate(zip(then, found, strict=True)) if old != new)
    raise DataError(
        f"{what}: sample {first} is '{found[first]}' now, it was '{then[first]}' when {kept.where} was made; {REMEDY}"
    )


REMEDY = "bring back the same data, or start a new run"
