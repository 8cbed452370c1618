"""Text: stored as a string, tokenised when it is read."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy.typing as npt
import pyarrow as pa
import torch
from pydantic import Field
from torch import Tensor

from raymm.data.kinds.base import ModalitySpec, Statistics, Value
from raymm.data.kinds.inputs import SampleFiles
from raymm.data.tokens import NEWEST, is_cut, row_length, tokenize, word_count

__all__ = ["TextSpec"]


class TextSpec(ModalitySpec):
    """A string, tokenised at load: its words, symbols and parts of words are hashed into `buckets` ids.

    `max_tokens` words are kept, see `raymm.data.tokens`; `tokenizer` is the version, which data sets and models keep.
    """

    default_encoder: ClassVar[str] = "text"
    is_text: ClassVar[bool] = True
    takes_noise: ClassVar[bool] = False
    statistics_axis: ClassVar[int | None] = None
    length_unit: ClassVar[str] = "words"
    length_advice: ClassVar[str] = "raise its max_tokens by --set to keep more words"

    kind: str = "text"
    max_tokens: int = Field(default=64, ge=1)
    buckets: int = Field(default=4_096, ge=16)
    tokenizer: int = Field(default=NEWEST, ge=1, le=NEWEST)

    @classmethod
    def settable(cls) -> set[str]:
        """`tokenizer` is the newest."""
        return super().settable() - {"tokenizer"}

    @classmethod
    def from_saved(cls, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Without a version, the first one."""
        return {"tokenizer": 1, **fields}

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
        return (row_length(self.max_tokens, self.tokenizer),)

    def length_of(self, value: Value) -> tuple[int, bool] | None:
        """Words of a text, and whether some of them, or some symbols, are left out."""
        text = str(value)
        return word_count(text), is_cut(text, self.max_tokens)

    def to_tensor(self, stored: Any, statistics: Statistics | None) -> Tensor:  # noqa: ARG002
        """Token ids int64 [b, *input_shape] of strings; 0 pads."""
        return torch.from_numpy(tokenize(stored, self.max_tokens, self.buckets, self.tokenizer))
