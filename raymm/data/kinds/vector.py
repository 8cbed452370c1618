"""Feature vectors."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from raymm.data.display import Bars, Display
from raymm.data.kinds.base import ModalitySpec
from raymm.data.kinds.inputs import Probe

__all__ = ["VectorSpec"]


class VectorSpec(ModalitySpec):
    """A feature vector, float32 [size]."""

    default_encoder: ClassVar[str] = "mlp"

    kind: str = "vector"
    size: int = Field(ge=1)
    encoder: str | None = Field(default=None, description="the sentence encoder that made it of a text: name@sha256")

    @classmethod
    def settable(cls) -> set[str]:
        """`encoder` follows from --sentence-encoder."""
        return super().settable() - {"encoder"}

    @classmethod
    def probe(cls, probe: Probe) -> dict[str, Any]:
        """The size of the first vector."""
        return {"size": probe.shapes(1, "[size]", 1)[0][0]}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,)

    @property
    def from_text(self) -> bool:
        return self.encoder is not None

    def display(self, value: Any) -> Sequence[Display]:
        """A bar a number."""
        return [Bars(value)]
