"""Open data wherever it lies: a prepared data set, or samples that stay where they are and get an index."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raymm.config.registries import ITEMS
from raymm.config.yaml_text import yaml_value
from raymm.data.dataset import Dataset, open_dataset
from raymm.data.indexed import live
from raymm.data.indexed.base import ItemSource, Say
from raymm.data.indexed.calling import is_spec
from raymm.data.indexed.make import make_index, move_source
from raymm.errors import ConfigError, DataError, Problems
from raymm.storage.directory import is_committed, read_manifest
from raymm.storage.local_path import as_path

__all__ = ["Data", "open_data", "parse_data_settings", "place_in_words", "stays"]

Data = Path | str | Any
"""A path, "package.module:NAME", a function or a `torch.utils.data.Dataset`."""


def open_data(
    data: Data,
    index: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    say: Say = lambda _: None,
    known: Sequence[Path] = (),
) -> Dataset:
    """Open a data set, or samples that stay where they are.

    Parameters
    ----------
    data
        The folder of a prepared data set or of an index; what a source of `raymm.data.indexed` accepts; or a function
        or data set of this process.
    index
        Folder for the index of samples that stay where they are; one that is there must be of the same samples.
    settings
        How these are taken, see the source.
    say
        Called with what was guessed.
    known
        Indexes that are used instead where they are there and of this place, such as that of the run to be valued.

    Raises
    ------
    ConfigError, DataError
        With every mistake; or when the index is of other samples, or was made with other settings.

    Examples
    --------
    >>> open_data("mine.data:clips")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    raymm.errors.ConfigError: mine.data:clips: its samples stay where they are, which needs a folder for ...
    """
    if isinstance(data, Dataset):
        return data
    where = _where(data)
    if is_committed(Path(where)):
        if settings:
            raise ConfigError(f"{where}: is prepared already, so it takes no settings ({', '.join(settings)})")
        return open_dataset(where)
    source = _source(where, settings or {})
    if source is None:
        return open_dataset(where)  # which says what is wrong
    if index is None:
        called = live.name_of(where)
        raise ConfigError(f"{called}: its samples stay where they are, which needs a folder for an index of them")
    index = next((path for path in known if _is_of(path, source)), index).absolute()
    if not is_committed(index):
        make_index(index, source, say)
    return _opened(index, source)


def place_in_words(data: Data) -> str:
    """A path, or the name of a function of a module; raises `ConfigError` for objects that only this process has."""
    where = _where(data)
    if live.is_key(where):
        raise ConfigError(
            f"{live.name_of(where)}: other processes could not find it; give a function of a module that makes it, "
            'or its name, "package.module:NAME"'
        )
    return where


def stays(where: str) -> bool:
    """Whether samples of a place stay where they are, so that they need an index."""
    return not is_committed(Path(where)) and _source(where, {}) is not None


def parse_data_settings(settings: tuple[str, ...] | list[str], option: str = "--data-setting") -> dict[str, Any]:
    """Settings of a source, each `NAME=VALUE` or `args.NAME=VALUE`; one that stands twice becomes a list.

    >>> parse_data_settings(["args.root=clips", "set=rgb.height=64", "set=rgb.width=64"])
    {'args': {'root': 'clips'}, 'set': ['rgb.height=64', 'rgb.width=64']}
    """
    found: dict[str, Any] = {}
    problems = Problems(option)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            problems.add(f"'{setting}': write it as NAME=VALUE")
        elif key.startswith("args."):
            found.setdefault("args", {})[key.removeprefix("args.")] = yaml_value(text, option)
        elif key in LISTS:
            found.setdefault(key, []).extend([text] if key != "classes" else text.split(","))
        else:
            found[key] = int(text) if key == "seed" and text.lstrip("-").isdigit() else text
    problems.raise_if_any(ConfigError)
    return found


LISTS = ("set", "classes", "task_settings")


def _is_of(index: Path, source: ItemSource) -> bool:
    """Whether there is an index of the same place and settings."""
    return is_committed(index) and read_manifest(index).get("source") == source.about


def _where(data: Data) -> str:
    """A path or a name; objects of this process are kept, functions named by where they are defined."""
    if isinstance(data, str | Path):
        return _whole(str(as_path(data)))
    named = f"{getattr(data, '__module__', '')}:{getattr(data, '__qualname__', '')}"
    if callable(data) and named.partition(":")[2].isidentifier() and not named.startswith("__main__"):
        return named
    return live.keep(data)


def _whole(where: str) -> str:
    """A path from the root on, so that it means the same in every folder; a name of a module as it is."""
    file, colon, name = where.rpartition(":")
    if colon and file.endswith(".py"):
        return f"{Path(file).absolute()}:{name}"
    if is_spec(where) and not Path(where).exists():
        return where
    return where if live.is_key(where) else str(Path(where).absolute())


def _source(where: str, settings: Mapping[str, Any]) -> ItemSource | None:
    """The source that accepts a place; None where none does."""
    for name in ITEMS:
        kind: type[ItemSource] = ITEMS.get(name)
        if kind.accepts(where):
            return kind(where, settings)
    return None


def _opened(index: Path, source: ItemSource) -> Dataset:
    """An index, compared with the source; where that has moved, the index is told."""
    manifest = read_manifest(index)
    then = manifest.get("source")
    if then is None:
        raise DataError(f"{index}: is a data set and no index; choose another --out")
    if then.get("kind") != source.kind:
        raise DataError(f"{index}: is an index of {then.get('where')}, not of {source.where}; choose another --out")
    source.refuse_other_settings(then["settings"], str(index))
    dataset = open_dataset(index)
    rows: Any = dataset.shards
    if then != source.about:
        source.reopen(rows.kept)
        move_source(index, manifest, source)
        dataset = open_dataset(index)
        rows = dataset.shards
    rows.open()  # compares the samples, before anything is done with them
    return dataset
