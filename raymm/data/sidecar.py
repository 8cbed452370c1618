"""The file beside a shard that says what the shard was made from."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from raymm.errors import DataError
from raymm.storage import data_layout
from raymm.storage.records import JsonRecord

__all__ = ["Sidecar", "read_sidecar"]


class _Bad(BaseModel):
    """What is wrong with a value, see `raymm.data.quarantine.BadValue`."""

    model_config = ConfigDict(strict=True)

    sample_id: str
    file: str
    modality: str
    problem: str


class _Lengths(BaseModel):
    """Lengths of a modality, see `raymm.data.lengths`."""

    model_config = ConfigDict(strict=True)

    counts: dict[Annotated[str, Field(pattern=r"^[0-9]+$")], int]
    cut: int


class Sidecar(JsonRecord):
    """What the sidecar of a shard says.

    Attributes
    ----------
    digest
        Of all that the shard was made from.
    rows, samples
        Rows of the shard, and samples of the manifest that it was made from, where that is said.
    bad, lengths, remarks
        What is wrong with samples that were left out, how long values are, and remarks `(modality, remark, count)`.
    """

    digest: str
    rows: int
    bad: list[_Bad]
    samples: int | None = Field(default=None, ge=1)
    lengths: dict[str, _Lengths] = Field(default_factory=dict)
    remarks: list[Annotated[tuple[str, str, int], Field(strict=False)]] = Field(default_factory=list)


def read_sidecar(shard: Path) -> Sidecar | None:
    """What the sidecar of a shard says; None where there is none, or it cannot be read: the shard is made anew."""
    try:
        return Sidecar.read(data_layout.sidecar_file(shard))
    except DataError:
        return None
