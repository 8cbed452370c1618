"""Sequences of feature vectors that were computed before: tokens of a language model, frames of a speech model."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.data.display import Display, Heatmap
from raymm.data.kinds.base import MOMENT_NUMBERS, ModalitySpec, Rows, Statistics, Value
from raymm.data.kinds.inputs import Probe, SampleFiles
from raymm.data.media.remarks import NOT_FINITE
from raymm.data.moments import Moments
from raymm.deferred import Tensor, torch

__all__ = ["EmbeddingSpec"]


class EmbeddingSpec(ModalitySpec):
    """Up to `tokens` vectors of `size` numbers: float32 [length, size] from .npy, .npz or nested lists.

    Stored, and given to the encoder, as [tokens, size + 1]: padded with zeros, and a last number that is 1 for a
    token and 0 for padding.
    """

    default_encoder: ClassVar[str] = "pool"
    takes_noise: ClassVar[bool] = False
    later_settings: ClassVar[frozenset[str]] = frozenset({"not_finite"})

    kind: str = "embedding"
    tokens: int = Field(ge=1, description="longest sequence")
    size: int = Field(ge=1)
    not_finite: Literal["refuse", "zero"] = Field(
        default="refuse", description="what becomes of NaN and infinite numbers: refused, or 0 and counted"
    )

    @classmethod
    def probe(cls, probe: Probe) -> dict[str, Any]:
        """The longest of the first sequences, and the size of their vectors."""
        shapes = probe.shapes(2, "[length, size]")
        return {"tokens": max(length for length, _ in shapes), "size": shapes[0][1]}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.tokens, self.size + 1)

    def decode(self, cell: Any, files: SampleFiles) -> Value:
        """Vectors of a cell; numbers that are not finite become 0 where `not_finite` says so, which is remarked."""
        value = super().decode(cell, files)
        if self.not_finite == "refuse" or not isinstance(value, np.ndarray) or np.isfinite(value).all():
            return value
        files.remark(NOT_FINITE)
        return np.where(np.isfinite(value), value, np.float32(0))

    def check(self, value: npt.NDArray[Any] | str) -> list[str]:
        """A sequence must not be longer than `tokens`."""
        shape = np.shape(value)
        if len(shape) != 2 or shape[1] != self.size or not shape[0]:
            return [f"has shape {list(shape)}, the schema says [1 to {self.tokens}, {self.size}]"]
        if shape[0] > self.tokens:
            return [f"has {shape[0]} vectors, the schema has room for {self.tokens}: raise {self.name}.tokens"]
        return self.check_numbers(np.asarray(value))

    def stored(self, value: Any) -> npt.NDArray[np.float32]:
        """Padded, with the mask in the last column."""
        out = np.zeros(self.shape, np.float32)
        out[: len(value), :-1], out[: len(value), -1] = value, 1.0
        return out

    def statistics(self, read: Callable[[Rows], npt.NDArray[Any]], rows: Rows) -> Statistics:
        """Mean and deviation of each of the `size` numbers over all tokens, without padding."""
        moments = Moments(self.size)
        step = max(1, MOMENT_NUMBERS // int(np.prod(self.shape)))
        for start in range(0, len(rows), step):
            values = read(rows[start : start + step])
            moments.add(values[values[..., -1] > 0, :-1].astype(np.float64))
        return moments.statistics()

    def standardise(self, values: Tensor, statistics: Statistics | None) -> Tensor:
        """Standardised tokens; padding stays zero."""
        if statistics is None:
            return values
        mask = values[..., -1:]
        mean, std = torch.tensor(statistics["mean"]), torch.tensor(statistics["std"])
        return torch.cat([(values[..., :-1] - mean) / std * mask, mask], dim=-1)

    def display(self, value: Any) -> Sequence[Display]:
        """The vectors as columns of colours, without padding."""
        vectors = value[value[:, -1] > 0, :-1]
        return [Heatmap(vectors.T, "embeddings", f"{len(vectors)} vectors", f"{self.size} numbers each")]
