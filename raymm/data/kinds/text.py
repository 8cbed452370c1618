"""Text: stored as a string, tokenised when it is read, by raymm's own tokenizer or that of a network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, field_validator

from raymm.data.display import Display, Words
from raymm.data.kinds.base import ModalitySpec, Statistics, Value
from raymm.data.kinds.inputs import Probe, SampleFiles
from raymm.data.media.suffixes import holds
from raymm.data.tokens import NEWEST, is_cut, kept_words, row_length, tokenize, word_count
from raymm.data.vocabulary import TOKENIZER_FILE, describe_vocabulary, token_count, token_ids, token_texts
from raymm.deferred import Tensor, torch

__all__ = ["TextSpec"]


class TextSpec(ModalitySpec):
    """A string, tokenised at load: its words, symbols and parts of words are hashed into `buckets` ids.

    `max_tokens` words are kept, see `raymm.data.tokens`; `tokenizer` is the version, which data sets and models keep.
    Or `tokenizer` is the folder of a network's, which gives at most `max_tokens` ids (`raymm.data.vocabulary`).
    """

    default_encoder: ClassVar[str] = "text"
    is_text: ClassVar[bool] = True
    takes_noise: ClassVar[bool] = False
    statistics_axis: ClassVar[int | None] = None
    length_unit: ClassVar[str] = "words"
    length_advice: ClassVar[str] = "raise its max_tokens by --set to keep more words"
    later_settings: ClassVar[frozenset[str]] = frozenset({"tokenizer_sha256"})

    kind: str = "text"
    max_tokens: int = Field(default=64, ge=1)
    buckets: int = Field(default=4_096, ge=16)
    tokenizer: Annotated[int, Field(ge=1, le=NEWEST)] | Annotated[str, Field(min_length=1)] = NEWEST
    tokenizer_sha256: str = ""

    @field_validator("tokenizer")
    @classmethod
    def _wherever_raymm_runs(cls, tokenizer: int | str) -> int | str:
        return str(Path(tokenizer).absolute()) if isinstance(tokenizer, str) else tokenizer

    @classmethod
    def settable(cls) -> set[str]:
        """All but what is recorded of a tokenizer."""
        return super().settable() - {"tokenizer_sha256"}

    @classmethod
    def probe(cls, probe: Probe) -> dict[str, Any]:
        """What is recorded of a tokenizer that is named by its folder."""
        folder = probe.settings.get("tokenizer")
        if not isinstance(folder, str) or not (Path(folder) / TOKENIZER_FILE).is_file():
            return {}
        found = describe_vocabulary(folder)
        return {"buckets": found["buckets"], "tokenizer_sha256": found["sha256"]}

    @classmethod
    def reads(cls, file: str) -> bool:
        return holds(file, "text")

    def problems(self) -> list[str]:
        """A tokenizer that is not there, or has more ids than there are buckets."""
        if not isinstance(self.tokenizer, str):
            return []
        if not self.tokenizer_sha256:
            return [f"tokenizer: there is no {TOKENIZER_FILE} in {self.tokenizer}; name the folder of a tokenizer"]
        ids = describe_vocabulary(self.tokenizer)["buckets"]
        return [f"buckets: the tokenizer has {ids} ids; leave buckets out"] if ids != self.buckets else []

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
        return (self.max_tokens if isinstance(self.tokenizer, str) else row_length(self.max_tokens, self.tokenizer),)

    def length_of(self, value: Value) -> tuple[int, bool] | None:
        """Words of a text, and whether some of them, or some symbols, are left out."""
        text = str(value)
        if isinstance(self.tokenizer, str):
            tokens = token_count(text, self.tokenizer, self.tokenizer_sha256)
            return word_count(text), tokens > self.max_tokens
        return word_count(text), is_cut(text, self.max_tokens)

    def to_tensor(self, stored: Any, statistics: Statistics | None) -> Tensor:  # noqa: ARG002
        """Token ids int64 [b, *input_shape] of strings; 0 pads."""
        if isinstance(self.tokenizer, str):
            return torch.from_numpy(token_ids(stored, self.tokenizer, self.tokenizer_sha256, self.max_tokens))
        return torch.from_numpy(tokenize(stored, self.max_tokens, self.buckets, self.tokenizer))

    def display(self, value: Any) -> Sequence[Display]:
        """The text, and the tokens that are kept of it; those of a network as its tokenizer writes them."""
        if isinstance(self.tokenizer, str):
            kept = token_texts(value, self.tokenizer, self.tokenizer_sha256, self.max_tokens)
            cut = token_count(value, self.tokenizer, self.tokenizer_sha256) > self.max_tokens
            return [Words(value, tuple(kept), cut)]
        kept = kept_words(value, self.max_tokens, self.tokenizer)
        return [Words(value, tuple(kept), len(kept) < len(kept_words(value, 2 * len(value), self.tokenizer)))]
