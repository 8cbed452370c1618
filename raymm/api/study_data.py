"""Data sets of a study: folders, and samples that stay where they are, each with an index beside the study."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.api.shown import Placed, place_of
from raymm.data.indexed.calling import is_spec
from raymm.data.opening import Data, open_data, place_in_words, stays
from raymm.errors import ConfigError
from raymm.storage.data_layout import index_folder

if TYPE_CHECKING:
    from raymm.study.settings import StudySettings

__all__ = ["opened", "places_by_name"]


def places_by_name(data: Data | Placed | Sequence[Data | Placed]) -> dict[str, str] | list[str]:
    """Where the data sets of a study are: a list of folders, or by name where some stay where they are.

    Raises
    ------
    ConfigError
        For names that stand twice, and for objects that only this process has.

    Examples
    --------
    >>> places_by_name(["mine.data:clips"])
    {'clips': 'mine.data:clips'}
    """
    several = data if isinstance(data, list | tuple) else [data]
    places = [
        str(place) if isinstance(place, str | Path) else place_in_words(place) for place in map(place_of, several)
    ]
    if not any(is_spec(place) or stays(place) for place in places):
        return places
    names = [_name(place) for place in places]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"data: '{name}' is named twice; data sets of a study have names of their own")
    return dict(zip(names, places, strict=True))


def opened(
    asked: StudySettings, out: Path, settings: Mapping[str, Any] | None, say: Callable[[str], None]
) -> StudySettings:
    """The settings with the index, in OUT.data, in the place of samples that stay where they are.

    Raises
    ------
    ConfigError, DataError
        As `raymm.data.opening.open_data` has them; and for settings where there are no such samples.
    """
    staying = {name for name, about in asked.data.items() if stays(about.path)}
    if settings and not staying:
        raise ConfigError(
            f"data settings ({', '.join(settings)}): the data sets of this study are prepared already, or not there"
        )
    data = dict(asked.data)
    for name in staying:
        dataset = open_data(data[name].path, index_folder(out.absolute()) / name, settings, say)
        data[name] = data[name].model_copy(update={"path": str(dataset.path)})
    return asked.model_copy(update={"data": data})


def _name(place: str) -> str:
    """A short name: of a function, or of the last folder or file."""
    last = place.rpartition(":")[2] if is_spec(place) else Path(place).absolute().name
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", last).strip("-") or "data"
