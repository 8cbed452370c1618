"""Text: stored as a string, tokenised when it is read."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy.typing as npt
import pyarrow as pa
import torch
from pydantic import Field
from torch import Tensor

from raymm.data.kinds.base import ModalitySpec, SampleFiles, Statistics, Value
from raymm.data.tokens import tokenize

__all__ = ["TextSpec"]


class TextSpec(ModalitySpec):
    """A string, tokenised at load by hashing words and their letter trigrams into `buckets` ids."""

    default_encoder: ClassVar[str] = "text"
    is_text: ClassVar[bool] = True
    takes_noise: ClassVar[bool] = False
    statistics_axis: ClassVar[int | None] = None

    kind: str = "text"
    max_tokens: int = Field(default=64, ge=1)
    buckets: int = Field(default=4_096, ge=16)

    def decode(self, cell: Any, files: SampleFiles) -> str:  # noqa: ARG002
        """The cell itself."""
        return str(cell)

    def check(self, value: npt.NDArray[Any] | str) -> list[str]:
        """Only a string can be stored."""
        return [] if isinstance(value, str) else [f"is {type(value).__name__}, not a string"]

    @property
    def arrow_type(self) -> pa.DataType:
        return pa.string()

    def column(self, values: Sequence[Value]) -> pa.Array:
        """Strings, and nulls."""
        return pa.array(values, pa.string())

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.max_tokens,)

    def to_tensor(self, stored: Any, statistics: Statistics | None) -> Tensor:  # noqa: ARG002
        """Token ids int64 [b, max_tokens] of strings; 0 pads."""
        return torch.from_numpy(tokenize(stored, self.max_tokens, self.buckets))
