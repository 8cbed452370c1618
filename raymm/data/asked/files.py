"""Which modalities are taken from a file that is given without their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.data.media.container import open_media, real_streams
from raymm.data.media.problem import MediaError
from raymm.data.media.suffixes import holds
from raymm.data.media_root import folder_in_words

if TYPE_CHECKING:
    from raymm.data.kinds.base import ModalitySpec

__all__ = ["modalities_of"]


def modalities_of(file: str, specs: Sequence[ModalitySpec], root: Path) -> list[str]:
    """Names of the modalities that a file gives.

    A video gives frames, flow and sound, as far as it has these streams; any other file gives one modality.

    Parameters
    ----------
    specs
        Modalities of the model that were not given by name.

    Raises
    ------
    MediaError
        When no modality, or more than one of a kind, may be meant.
    """
    found = [spec for spec in specs if spec.reads(file) or (spec.from_text and holds(file, "text"))]
    if not found and (root / file).is_dir():
        raise MediaError(folder_in_words(root / file, specs))
    if not found and len(specs) == 1:
        return [specs[0].name]
    if not found:
        raise MediaError(f"fits no modality by its suffix; say which it is: {_ways(specs)}")
    video = holds(file, "video")
    if len({spec.kind for spec in found} if video else found[:1]) < len(found):
        raise MediaError(f"may be {' or '.join(spec.name for spec in found)}; say which: {_ways(found)}")
    return [spec.name for spec in (_with_streams(found, root / found[0].file_of(file)) if video else found)]


def _ways(specs: Sequence[ModalitySpec]) -> str:
    return ", ".join(f"{spec.name}=FILE" for spec in specs)


def _with_streams(specs: Sequence[ModalitySpec], path: Path) -> Sequence[ModalitySpec]:
    """Modalities of which a video has a stream; all where it has none of any, so that it is said what is wrong."""
    try:
        with open_media(path) as container:
            there = {"", *(stream.type for stream in real_streams(container))}
    except (MediaError, OSError):
        return specs
    return [spec for spec in specs if spec.media_stream in there] or specs
