"""What a source of data is: one class that knows how a published data set lies on disk.

A source reads the lists that were published with a data set and finds the files that they name below a folder; the
ordinary `raymm prepare` then works on the manifest that is made of it. Nothing is downloaded. The smallest one:

    class Pairs(Source):
        modalities = {"audio": "audio", "rgb": "rgb"}

        def read(self, root, names, problems):
            clips = Files(root, ("clips",), VIDEO, "the clips", problems)
            lines = Lists(root, problems).lines("list.txt", parse)
            return Listing([Entry(..., cells={name: clips.find(stem) for name in names}) for ... in lines])

It is known by its name after `SOURCES.register("pairs", Pairs)`, and everywhere as `package.module:Pairs`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError

from raymm.config.base import Settings
from raymm.config.mistakes import settings_mistakes
from raymm.config.registries import SOURCES
from raymm.config.yaml_text import yaml_value
from raymm.errors import ConfigError, Problems

__all__ = ["Absent", "Entry", "Listing", "Source", "SourceSettings", "get_source", "parse_source_settings"]

Split = Literal["train", "val", "test"]


class SourceSettings(Settings):
    """Settings of every source, by `--source-setting FIELD=VALUE`."""

    val: float = Field(
        default=0.1, gt=0, lt=0.9, description="share of the training list that is validation where no list says so"
    )
    incomplete: Literal["leave_out", "keep"] = Field(
        default="leave_out", description="samples of which some modality has no file: left out, or kept without it"
    )


@dataclass(frozen=True)
class Absent:
    """A file that a list names and that is not there: where it would lie, relative to the root."""

    where: str


@dataclass(frozen=True)
class Entry:
    """One line of a published list.

    Attributes
    ----------
    sample_id, split, label
        Texts.
    cells
        By modality: a path relative to the root, a text, or `Absent`.
    recording
        What the sample is a part of, such as a video or an actor; samples of one recording are alike.
    group
        What is not torn apart where validation is taken from the training list; default: the recording.
    """

    sample_id: str
    split: Split
    label: str
    cells: Mapping[str, str | Absent]
    recording: str
    group: str = ""


@dataclass(frozen=True)
class Listing:
    """All lines of the lists of a source; `classes` in order (default: as a manifest has them), and what to say."""

    entries: Sequence[Entry]
    classes: Sequence[str] = ()
    notes: Sequence[str] = ()


class Source(ABC):
    """A published data set; subclasses are the sources.

    Attributes
    ----------
    Settings
        Class of the settings, a subclass of `SourceSettings`.
    title, layout, splits, classes, trap
        Of the documentation: what it is, what must lie in the root, the published splits, how many classes, and what
        a person must know before comparing numbers.
    modalities
        Names and kinds that are prepared unless others are asked for.
    further
        Names and kinds that are there as well, for `--modalities`.
    sets
        Settings of modalities that fit the data, as `--set` has them; those of the user go before.
    recordings
        What `Entry.recording` is called, in the plural.
    by_class
        Whether a recording is of one class, so that validation has the same share of each.
    """

    Settings: ClassVar[type[SourceSettings]] = SourceSettings
    title: ClassVar[str] = ""
    layout: ClassVar[tuple[str, ...]] = ()
    splits: ClassVar[str] = ""
    classes: ClassVar[str] = ""
    trap: ClassVar[str] = ""
    modalities: ClassVar[Mapping[str, str]] = {}
    further: ClassVar[Mapping[str, str]] = {}
    sets: ClassVar[Sequence[str]] = ()
    recordings: ClassVar[str] = "recordings"
    by_class: ClassVar[bool] = True

    def __init__(self, settings: Any = None) -> None:
        self.settings: Any = self.Settings() if settings is None else settings

    @abstractmethod
    def read(self, root: Path, names: Sequence[str], problems: Problems) -> Listing:
        """The lines of the lists below `root`, with cells of the modalities `names`.

        Lists and folders that are not there, and lines that cannot be read, go to `problems`, all of them; a file
        that a list names and that is not there is no problem but `Absent`.
        """

    def kinds(self) -> dict[str, str]:
        """Kinds of all modalities that there are, by name."""
        return {**self.modalities, **self.further}


def get_source(name: str, settings: Mapping[str, Any] | None = None) -> Source:
    """The source of a name, or of "package.module:NAME", with its settings.

    Raises
    ------
    ConfigError
        When there is no such source, or a setting is unknown or out of range.

    Examples
    --------
    >>> get_source("ucf101", {"fold": 2}).settings.fold
    2
    >>> get_source("ucf102")
    Traceback (most recent call last):
    raymm.errors.ConfigError: --source: no source of data 'ucf102'; did you mean 'ucf101'?
    """
    kind: type[Source] = SOURCES.get(name, "--source")
    try:
        return kind(kind.Settings.model_validate(dict(settings or {})))
    except ValidationError as cause:
        Problems(f"source {name}", settings_mistakes(cause, kind.Settings)).raise_if_any(ConfigError)
        raise


def parse_source_settings(given: Sequence[str]) -> dict[str, Any]:
    """Settings of `--source-setting FIELD=VALUE`, values as in YAML.

    >>> parse_source_settings(["fold=2", "flow=tvl1"])
    {'fold': 2, 'flow': 'tvl1'}
    """
    problems = Problems("--source-setting")
    for setting in given:
        if "=" not in setting:
            problems.add(f"'{setting}': write it as field=value, for example val=0.2")
    problems.raise_if_any(ConfigError)
    pairs = (setting.split("=", 1) for setting in given)
    return {name.strip(): yaml_value(text, "--source-setting") for name, text in pairs}


def _as_source(found: Any, where: str) -> type[Source]:
    if isinstance(found, type) and issubclass(found, Source) and found is not Source:
        return found
    raise ConfigError(f"{where} is no source of data: it must be a subclass of raymm.data.sources.Source")


SOURCES.adapt = _as_source
