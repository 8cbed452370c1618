"""What a kind of modality is given: what is known before it has a spec, and the files of one sample."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from raymm.data.media.arrays import shape_of
from raymm.data.media.problem import MediaError
from raymm.data.media.root import MediaRoot
from raymm.errors import DataError

__all__ = ["Probe", "SampleFiles"]

PROBED = 1_000
"""Arrays that are looked at, at most, for what is not given."""


@dataclass(frozen=True)
class Probe:
    """What is known of a modality before it has a spec.

    Attributes
    ----------
    name, settings
        Of the modality, and its settings that were given.
    cells
        Cells of the samples that have it, in the order of the manifest.
    media_root
        Folder that paths are relative to.
    seconds
        Window that all modalities with a time axis cover; None where it is not known.
    """

    name: str
    cells: Sequence[Any]
    media_root: MediaRoot
    settings: Mapping[str, Any]
    seconds: float | None = None

    def shapes(self, axes: int, wanted: str, count: int = PROBED) -> list[tuple[int, ...]]:
        """Shapes of the first `count` arrays with this number of axes.

        Raises
        ------
        DataError
            When there is none; `wanted` is what the message calls the shape.
        """
        wrong: list[str] = []
        found = list(islice((shape for shape in self._all_shapes(wrong) if self._fits(shape, axes, wrong)), count))
        if not found:
            why = f" (the first: {wrong[0]})" if wrong else ""
            raise DataError(
                f"modality '{self.name}': no sample has an array of shape {wanted}{why}; "
                f"check the column '{self.name}'"
            )
        return found

    def _all_shapes(self, wrong: list[str]) -> Iterator[tuple[int, ...]]:
        for cell in self.cells:
            try:
                yield shape_of(cell, self.media_root)
            except MediaError as cause:
                wrong.append(f"{cell if isinstance(cell, str) else 'a cell'} {cause}")

    @staticmethod
    def _fits(shape: tuple[int, ...], axes: int, wrong: list[str]) -> bool:
        if len(shape) != axes:
            wrong.append(f"an array of shape {list(shape)}" if shape else "a single number")
        return len(shape) == axes


class SampleFiles(Protocol):
    """The media files of one sample, as a kind reads them (`raymm.data.media.files`)."""

    def path(self, file: str) -> Path:
        """Where a file lies; raises `MediaError` when it is not there or empty."""

    def frames(self, file: str, times: Sequence[float], stream: int | None = None) -> list[Any]:
        """What a video shows (as `Picture` of `raymm.data.media.geometry`) at times that `frame_times` names."""

    def video_seconds(self, file: str, stream: int | None = None) -> float:
        """How long a video is, or at least is, whose frames the modality takes."""

    def remark(self, what: str) -> None:
        """Have something counted and said of a value that is good, such as that it was cut."""
