"""What a data set holds: its modalities, their kinds, shapes and rates, and its classes.

A modality has a fixed shape (audio is cut or zero-padded to its window, video to its number of frames), so
that a shard column is one block of memory and a batch is one indexed read. Text is the exception: it is
stored as a string and tokenised at load. Everything that decides the numbers is written here, so that a
data set on disk explains itself.
"""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "AudioSpec",
    "FlowSpec",
    "ModalitySpec",
    "RgbSpec",
    "Schema",
    "SequenceSpec",
    "TextSpec",
    "VectorSpec",
]


class _Spec(BaseModel):
    """What every modality has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)

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
        return False


class AudioSpec(_Spec):
    """A mono waveform in [-1, 1], float32 [rate * seconds]; its log-mel is computed at load (torchaudio)."""

    kind: Literal["audio"] = "audio"
    rate: int = Field(default=16_000, ge=1_000, le=384_000, description="samples a second")
    seconds: float = Field(default=1.0, gt=0, le=3_600)
    n_fft: int = Field(default=400, ge=16)
    hop: int = Field(default=160, ge=1, description="samples between frames of the log-mel")
    n_mels: int = Field(default=64, ge=4)

    @property
    def shape(self) -> tuple[int, ...]:
        return (round(self.rate * self.seconds),)


class RgbSpec(_Spec):
    """Frames, uint8 [frames, 3, height, width], sampled at `fps` from the start of the window."""

    kind: Literal["rgb"] = "rgb"
    fps: float = Field(default=5.0, gt=0)
    frames: int = Field(default=4, ge=1)
    height: int = Field(default=48, ge=8)
    width: int = Field(default=48, ge=8)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, 3, self.height, self.width)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)


class FlowSpec(_Spec):
    """Dense optical flow, float16 [frames, 2, height, width], in pixels a frame of the stored size."""

    kind: Literal["flow"] = "flow"
    fps: float = Field(default=12.5, gt=0)
    frames: int = Field(default=8, ge=1)
    height: int = Field(default=48, ge=12)
    width: int = Field(default=48, ge=12)
    method: Literal["dis", "raft"] = "dis"
    weights: str | None = Field(default=None, description="file with RAFT weights, for method 'raft'")

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, 2, self.height, self.width)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float16)

    @model_validator(mode="after")
    def _raft_needs_weights(self) -> "FlowSpec":
        if self.method == "raft" and self.weights is None:
            raise ValueError("method 'raft' needs `weights`: a file with RAFT weights (none is downloaded)")
        return self


class TextSpec(_Spec):
    """A string, tokenised at load by hashing words and their letter trigrams into `buckets` ids."""

    kind: Literal["text"] = "text"
    max_tokens: int = Field(default=64, ge=1)
    buckets: int = Field(default=4_096, ge=16)

    @property
    def from_text(self) -> bool:
        return True


class VectorSpec(_Spec):
    """A feature vector, float32 [size]."""

    kind: Literal["vector"] = "vector"
    size: int = Field(ge=1)
    encoder: str | None = Field(default=None, description="the sentence encoder that made it of a text: name@sha256")

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,)

    @property
    def from_text(self) -> bool:
        return self.encoder is not None


class SequenceSpec(_Spec):
    """A multichannel time series, float32 [channels, length], at `rate` samples a second where known."""

    kind: Literal["sequence"] = "sequence"
    channels: int = Field(ge=1)
    length: int = Field(ge=1)
    rate: float | None = Field(default=None, gt=0)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.channels, self.length)


ModalitySpec = Annotated[
    AudioSpec | RgbSpec | FlowSpec | TextSpec | VectorSpec | SequenceSpec, Field(discriminator="kind")
]


class Schema(BaseModel):
    """The modalities, in the order that coalition bits follow, and the classes, in label order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modalities: tuple[ModalitySpec, ...] = Field(min_length=1, max_length=20)
    classes: tuple[str, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _no_name_twice(self) -> "Schema":
        for what, names in (("modality", self.names), ("class", self.classes)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} names must differ; twice: {', '.join(twice)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities in schema order."""
        return tuple(spec.name for spec in self.modalities)

    def __getitem__(self, name: str) -> ModalitySpec:
        for spec in self.modalities:
            if spec.name == name:
                return spec
        raise KeyError(name)
