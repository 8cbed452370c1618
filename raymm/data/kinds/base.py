"""What a kind of modality is: one class that knows its settings, its files, its stored form and its numbers.

A kind is a subclass of `ModalitySpec` with a default for `kind` and fields for its settings; an instance describes
one modality of a data set and is written into manifest.json. The methods here are those of an array of float32
numbers of a fixed shape; a kind replaces what is different about it:

    class Depth(ModalitySpec):
        kind: str = "depth"
        size: int = Field(ge=1)

        @property
        def shape(self):
            return (1, self.size, self.size)

It is known by its name after `KINDS.register("depth", Depth)`, and everywhere as `package.module:Depth`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import (
    ConfigDict,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from raymm.config.base import Checked, below
from raymm.config.registries import KINDS
from raymm.config.view import ViewConfig
from raymm.data.display import Display, facts_of
from raymm.data.kinds.number_checks import number_troubles
from raymm.data.media.arrays import array_file, read_array
from raymm.data.media.given_array import given_array
from raymm.data.media.problem import MediaError
from raymm.data.media.suffixes import holds
from raymm.data.moments import Moments
from raymm.data.record import shortened
from raymm.deferred import Tensor, torch
from raymm.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from raymm.data.kinds.inputs import Probe, SampleFiles
    from raymm.data.media.root import MediaRoot

__all__ = [
    "MOMENT_NUMBERS",
    "Keys",
    "ModalitySpec",
    "Rows",
    "Statistics",
    "Value",
    "kind_of",
]

Rows = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Value = npt.NDArray[Any] | str | None
Statistics = dict[str, list[float]]

LONGEST_NAME = 40
"""Characters of the name of a modality."""

NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")

MOMENT_NUMBERS = 2**22
"""Numbers read at a time for the statistics."""


class ModalitySpec(Checked):
    """A modality of a data set; subclasses are the kinds.

    Attributes
    ----------
    name, kind
        Name of the modality, and that of its kind: as registered, or "package.module:NAME".
    default_encoder
        Encoder that is built when none is named.
    encoders
        Further encoders that can read `input_shape`, beside those that name the kind themselves.
    is_media
        Whether a cell is the path of a media file, for which the column `file` may be used.
    is_timed
        Whether it covers a window of time, which is then inferred from the media files.
    media_stream
        The stream of a video that it is read from: "audio", "video", or empty.
    is_text
        Whether a value is a string, stored as one.
    is_expensive
        Whether the evaluation transform takes longer than reading its result (`raymm.data.feature_cache`).
    takes_noise
        Whether `view.noise_db` may name it.
    later_settings
        Fields that came after data sets were made; written only where they are not at their default, which means what
        was done before there was a choice.
    statistics_axis
        Axis of a value along which mean and deviation are computed; None computes none.
    length_unit, length_advice
        What `length_of` counts, and what to do where values are cut.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    default_encoder: ClassVar[str] = "mlp"
    encoders: ClassVar[tuple[str, ...]] = ()
    is_media: ClassVar[bool] = False
    is_timed: ClassVar[bool] = False
    media_stream: ClassVar[str] = ""
    is_text: ClassVar[bool] = False
    is_expensive: ClassVar[bool] = False
    takes_noise: ClassVar[bool] = True
    later_settings: ClassVar[frozenset[str]] = frozenset()
    statistics_axis: ClassVar[int | None] = 0
    length_unit: ClassVar[str] = ""
    length_advice: ClassVar[str] = ""

    name: str
    kind: str

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if NAME.fullmatch(name) is None:
            raise ValueError(
                f"{shortened(name)!r} is no name of a modality; write letters a to z, digits and _, beginning with a "
                f"letter, {LONGEST_NAME} characters at most"
            )
        return name

    @field_validator("*")
    @classmethod
    def _is_no_larger_than_a_size(cls, value: Any) -> Any:
        return below(2**31, value)

    @field_validator("kind")
    @classmethod
    def _is_this_class(cls, kind: str) -> str:
        own = cls.model_fields["kind"].default
        if kind != own and not (":" in kind and KINDS.get(kind, "kind") is cls):
            raise ValueError(f"{cls.__name__} is of kind '{own}', not '{kind}'")
        return kind

    @model_validator(mode="after")
    def _shapes_are_numbers(self) -> Self:
        for name, found in {"shape": self.shape, "input_shape": self.input_shape}.items():
            if not _is_shape(found):
                raise ValueError(
                    f"{name} of the kind '{self.kind}' is {found!r}; "
                    "return a tuple of whole numbers above 0, such as (3, 64, 64)"
                )
        axis = self.statistics_axis
        if axis is not None and not self.is_text and not 0 <= axis < len(self.shape):
            raise ValueError(
                f"statistics_axis of the kind '{self.kind}' is {axis}, which its shape {self.shape} lacks; "
                "return the shape of one value, or set statistics_axis to one of its axes or to None"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        defaults = {name: type(self).model_fields[name].default for name in self.later_settings}
        return {name: value for name, value in fields.items() if name not in defaults or value != defaults[name]}

    # before a sample is read

    @classmethod
    def settable(cls) -> set[str]:
        """Fields that `raymm prepare --set NAME.FIELD=VALUE` may set."""
        return set(cls.model_fields) - {"name", "kind"}

    @classmethod
    def probe(cls, probe: "Probe") -> dict[str, Any]:  # noqa: ARG003
        """Fields that are inferred from the data, unless they are given."""
        return {}

    @classmethod
    def file_of(cls, cell: Any) -> str:
        """The file that a cell of the manifest names, relative to the media root; empty when it names none."""
        if cls.is_text or not isinstance(cell, str):
            return ""
        return cell if cls.is_media else array_file(cell)

    def files_of(self, cell: Any, media_root: "MediaRoot") -> list[str]:  # noqa: ARG002
        """The files that decoding a cell reads, relative to the media root."""
        file = self.file_of(cell)
        return [file] if file else []

    @classmethod
    def folders_of(cls, cell: Any) -> list[str]:  # noqa: ARG003
        """Folders, relative to the media root, of which decoding a cell may read files that it does not name."""
        return []

    @classmethod
    def unnamed_files(cls, cell: Any, media_root: "Path") -> list[str]:  # noqa: ARG003
        """The files in them that it may read, whatever the settings, relative to the media root."""
        return []

    @classmethod
    def reads(cls, file: str) -> bool:
        """Whether a file that is given without the name of a modality is one for `decode`, by its suffix."""
        return not cls.is_media and holds(file, "array")

    def problems(self) -> list[str]:
        """What keeps the settings from being used on this machine, each as "FIELD: why"."""
        return []

    @classmethod
    def from_saved(cls, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields that a data set or model has on disk, completed by those that its version did not know."""
        return fields

    # the stored value

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one stored value; empty for text."""
        return ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored numbers."""
        return np.dtype(np.float32)

    @property
    def from_text(self) -> bool:
        """Whether a cell of the manifest is the text itself, and not a path or numbers."""
        return self.is_text

    @property
    def frame_times(self) -> list[float]:
        """Times (in seconds) of the video frames that `decode` asks for; each file is decoded once for all kinds."""
        return []

    def decode(self, cell: Any, files: "SampleFiles") -> Value:
        """The value of a cell of the manifest.

        Raises
        ------
        MediaError
            When the cell or its file cannot be used.
        """
        if isinstance(cell, str):
            return read_array(cell, files.path(array_file(cell)))
        array = given_array(cell)
        try:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, which `check` names
                return np.asarray(array, np.float32)
        except (TypeError, ValueError) as cause:
            raise MediaError(f"is no array of numbers ({cause})") from cause

    def check(self, value: npt.NDArray[Any] | str) -> list[str]:
        """What keeps a value from being stored, in words; empty when nothing does."""
        array = np.asarray(value)
        if array.shape != self.shape:
            return [f"has shape {list(array.shape)}, the schema says {list(self.shape)}"]
        return self.check_numbers(array)

    def check_numbers(self, array: npt.NDArray[Any]) -> list[str]:
        """What keeps the numbers of an array from being stored as `dtype`, in words."""
        return number_troubles(array, self.dtype)

    def stored(self, value: Any) -> npt.NDArray[Any]:
        """A value (checked before) as it is stored, [*shape]."""
        return np.asarray(value, self.dtype)

    @property
    def arrow_type(self) -> pa.DataType:
        """Type of the column in a shard."""
        return pa.list_(pa.from_numpy_dtype(self.dtype), int(np.prod(self.shape)))

    def column(self, values: Sequence[Value]) -> pa.Array:
        """Values (checked before) as a column; None becomes a null."""
        flat = np.zeros((len(values), int(np.prod(self.shape))), self.dtype)
        missing = np.array([value is None for value in values], dtype=bool)
        for row, value in enumerate(values):
            if value is not None:
                flat[row] = self.stored(value).reshape(-1)
        return pa.FixedSizeListArray.from_arrays(
            pa.array(flat.reshape(-1)), type=self.arrow_type, mask=pa.array(missing)
        )

    def length_of(self, value: Value) -> tuple[int, bool] | None:  # noqa: ARG002
        """Length of a value in `length_unit`, and whether the encoder is given only a part; None: never cut."""
        return None

    def statistics(self, read: Callable[[Rows], npt.NDArray[Any]], rows: Rows) -> Statistics | None:
        """Mean and standard deviation of the rows of the training split along `statistics_axis`."""
        if self.statistics_axis is None:
            return None
        size = self.shape[self.statistics_axis]
        step = max(1, MOMENT_NUMBERS // int(np.prod(self.shape)))
        moments = Moments(size)
        for start in range(0, len(rows), step):
            values = read(rows[start : start + step])
            moments.add(np.moveaxis(values, self.statistics_axis + 1, -1).reshape(-1, size).astype(np.float64))
        return moments.statistics()

    def check_statistics(self, statistics: Statistics | None) -> list[str]:
        """What keeps statistics of a data set from being used, in words: they have the form of those of no rows."""
        try:
            form = self.statistics(
                lambda rows: np.zeros((len(rows), *self.shape), self.dtype), np.array([], np.int64)
            )
        except Exception:  # noqa: BLE001  (a kind of another package that needs rows)
            return []
        if form is None:
            return []
        if statistics is None:
            return ["are missing"]
        found = [
            f"'{key}' must have {len(numbers)} numbers, not {len(statistics.get(key, []))}"
            for key, numbers in form.items()
            if len(statistics.get(key, [])) != len(numbers)
        ]
        if "std" in form and not all(number > 0 for number in statistics.get("std", [])):
            found.append("'std' must be above 0")
        return found

    # for people

    def display(self, value: Any) -> Sequence[Display]:
        """How one stored value, [*shape] or a string, is shown; default: its shape, range and mean in words."""
        return [facts_of(value)]

    # the batch

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row that the encoder is given."""
        return self.shape

    def to_tensor(self, stored: Any, statistics: Statistics | None) -> Tensor:
        """Stored values [b, *shape] as float32 at mean 0 and deviation 1 over the training split."""
        return self.standardise(torch.from_numpy(stored), statistics)

    def standardise(self, values: Tensor, statistics: Statistics | None) -> Tensor:
        """What `to_tensor` does once the stored values are a tensor, in operations of torch alone."""
        values = values.to(torch.float32)
        if statistics is None or self.statistics_axis is None:
            return values
        shape = (-1, *[1] * (len(self.shape) - 1 - self.statistics_axis))
        mean, std = torch.tensor(statistics["mean"]).view(shape), torch.tensor(statistics["std"]).view(shape)
        return (values - mean).div_(std)

    def augment_stored(self, stored: Any, keys: Keys, config: ViewConfig) -> Any:  # noqa: ARG002
        """Stored values of an augmented batch, changed before they are standardised; default: as they are."""
        return stored

    def transform(self, values: Tensor, keys: Keys | None, config: ViewConfig) -> Tensor:  # noqa: ARG002
        """From standardised values (with noise) to what the encoder is given, float32 [b, *input_shape].

        `keys` [b] are the random keys of an augmented batch; None is the evaluation transform. With
        `training.transforms=device` the values may lie on a GPU: make further tensors on their device.
        """
        return values


def kind_of(name: str, where: str = "") -> type[ModalitySpec]:
    """The class of a kind, by its registered name or as "package.module:NAME".

    Examples
    --------
    >>> kind_of("rgb").__name__
    'RgbSpec'
    >>> kind_of("rbg")
    Traceback (most recent call last):
    raymm.errors.ConfigError: no kind of modality 'rbg'; did you mean 'rgb'?
    """
    kind: type[ModalitySpec] = KINDS.get(name, where)
    return kind


def _as_kind(found: Any, where: str) -> type[ModalitySpec]:
    if isinstance(found, type) and issubclass(found, ModalitySpec) and found is not ModalitySpec:
        return found
    raise ConfigError(f"{where} is no kind of modality: it must be a subclass of raymm.data.ModalitySpec")


KINDS.adapt = _as_kind


def _is_shape(found: object) -> bool:
    return isinstance(found, tuple) and all(isinstance(size, int | np.integer) and size > 0 for size in found)
