"""What a data set holds: its modalities, their kinds, shapes and rates, and its classes.

A modality has a fixed shape (audio is cut or zero-padded to its window, video to its number of frames), so
that a shard column is one block of memory and a batch is one indexed read. Text is the exception: it is
stored as a string and tokenised at load. Everything that decides the numbers is written here, so that a
data set on disk explains itself.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, model_validator

from raymm.data.kinds import (
    AudioSpec,
    EmbeddingSpec,
    FlowSpec,
    ImageSpec,
    ModalitySpec,
    RgbSpec,
    SequenceSpec,
    TextSpec,
    VectorSpec,
    kind_of,
)

__all__ = [
    "AudioSpec",
    "EmbeddingSpec",
    "FlowSpec",
    "ImageSpec",
    "ModalitySpec",
    "RgbSpec",
    "Schema",
    "SequenceSpec",
    "TextSpec",
    "VectorSpec",
    "spec_of",
]


def spec_of(fields: Any) -> ModalitySpec:
    """The spec of a modality from its fields, of the class that `kind` names; a spec stays as it is.

    Examples
    --------
    >>> spec_of({"name": "pose", "kind": "vector", "size": 34}).shape
    (34,)
    """
    if isinstance(fields, ModalitySpec):
        return fields
    if not isinstance(fields, Mapping) or not isinstance(fields.get("kind"), str):
        raise ValueError(f"a modality is a spec, or a mapping that names its kind; this is {fields!r}")  # noqa: TRY004
    return kind_of(fields["kind"], "kind").model_validate(fields)


class Schema(BaseModel):
    """The modalities, in the order that coalition bits follow, and the classes, in label order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modalities: tuple[Annotated[SerializeAsAny[ModalitySpec], BeforeValidator(spec_of)], ...] = Field(
        min_length=1, max_length=20
    )
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
