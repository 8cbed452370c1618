"""What a data set holds: its modalities, their kinds, shapes and rates, and its classes.

A modality has a fixed shape (audio is cut or zero-padded to its window, video to its number of frames), so
that a shard column is one block of memory and a batch is one indexed read. Text is the exception: it is
stored as a string and tokenised at load. Everything that decides the numbers is written here, so that a
data set on disk explains itself.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import pyarrow as pa
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from raymm.config.base import Checked
from raymm.data.kinds.base import ModalitySpec, kind_of
from raymm.data.plain_text import text_trouble
from raymm.tasks.base import Task
from raymm.tasks.classification import Classification
from raymm.tasks.registry import get_task, read_task, task_fields

__all__ = ["FORMAT", "SPLITS", "ModalitySpec", "Schema", "arrow_schema", "spec_of"]

FORMAT = 1
"""Of the data set on disk."""

SPLITS = ("train", "val", "test")

OF_EVERY_SAMPLE = ("sample_id", "split", "label", "source")
"""Columns of a shard that are of no modality."""


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


def _as_task(value: Any) -> Any:
    """A task, from its name or from its name and settings."""
    if isinstance(value, Task):
        return value
    if isinstance(value, str):
        return get_task(value)
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ValueError(f"a task is a name, or a mapping with `name` and settings; this is {value!r}")  # noqa: TRY004
    return read_task(value)


class Schema(Checked):
    """The modalities, in the order that coalition bits follow, the classes, in label order, and the task.

    The task is written as `{"name": ..., setting: ...}`; left out, as in data sets of version 0.1.0, it is
    classification.

    Examples
    --------
    >>> pose = {"name": "pose", "kind": "vector", "size": 34}
    >>> Schema(modalities=[pose], classes=["sit", "stand"]).model_dump(mode="json").keys()
    dict_keys(['modalities', 'classes'])
    >>> Schema(modalities=[pose], classes=["sit", "wave"], task="multilabel").model_dump(mode="json")["task"]["name"]
    'multilabel'
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    splits: ClassVar[tuple[str, ...]] = SPLITS

    modalities: tuple[Annotated[SerializeAsAny[ModalitySpec], BeforeValidator(spec_of)], ...] = Field(
        min_length=1, max_length=20
    )
    classes: tuple[str, ...] = Field(min_length=1)
    task: Annotated[Task, BeforeValidator(_as_task), PlainSerializer(task_fields)] = Field(
        default_factory=Classification
    )

    @property
    def outputs(self) -> int:
        """K: width of the model's output, as the task has it."""
        return self.task.width(len(self.classes))

    @model_serializer(mode="wrap")
    def _without_the_default_task(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if self.task == Classification():
            del fields["task"]
        return fields

    @model_validator(mode="after")
    def _enough_classes(self) -> "Schema":
        if len(self.classes) < self.task.fewest_classes:
            raise ValueError(
                f"{len(self.classes)} classes; {self.task.name} needs {self.task.fewest_classes} or more"
            )
        return self

    @model_validator(mode="after")
    def _no_name_twice(self) -> "Schema":
        for what, names in (("modality", self.names), ("class", self.classes)):
            twice = sorted(name for name, count in Counter(names).items() if count > 1)
            if twice:
                raise ValueError(f"{what} names must differ; twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _names_that_can_be_written(self) -> "Schema":
        taken = [name for name in self.names if name in OF_EVERY_SAMPLE]
        if taken:
            raise ValueError(
                f"modality '{taken[0]}': every data set has a column of that name, so rename it; it has "
                f"{', '.join(OF_EVERY_SAMPLE)}"
            )
        for name in self.classes:
            if trouble := text_trouble(name):
                raise ValueError(f"class {name!a} {trouble}")
        return self

    @classmethod
    def from_saved(cls, fields: Any) -> "Schema":
        """The schema of a data set or model on disk, which may be of an earlier version."""
        if isinstance(fields, Mapping) and isinstance(fields.get("modalities"), list):
            fields = {**fields, "modalities": [_completed(spec) for spec in fields["modalities"]]}
        return cls.model_validate(fields)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities in schema order."""
        return tuple(spec.name for spec in self.modalities)

    @property
    def of_shard(self) -> pa.Schema:
        """The Arrow schema of a shard."""
        return arrow_schema(self)

    def __getitem__(self, name: str) -> ModalitySpec:
        for spec in self.modalities:
            if spec.name == name:
                return spec
        raise KeyError(name)


def _completed(spec: Any) -> Any:
    """The fields of a modality with those that an earlier version did not know."""
    if not isinstance(spec, Mapping) or not isinstance(spec.get("kind"), str):
        return spec
    return kind_of(spec["kind"], "kind").from_saved(spec)


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of a shard."""
    types = dict.fromkeys(OF_EVERY_SAMPLE, pa.string()) | {"label": schema.task.arrow_type(len(schema.classes))}
    return pa.schema([*types.items(), *((spec.name, spec.arrow_type) for spec in schema.modalities)])
