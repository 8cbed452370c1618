"""The data set of a run as MLflow lists data sets: name, digest, source, schema and counts."""

import json
import re
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.types import ColSpec
from mlflow.types.schema import Array, DataType

from raymm.tracking.about import DataInput
from raymm.tracking.mlflow.store import path_in_tags

__all__ = ["dataset_input"]

CONTEXT = "mlflow.data.context"
TYPES = {"float32": DataType.float, "float64": DataType.double, "int64": DataType.long, "bool": DataType.boolean}
SHAPED = re.compile(r"(\w+)\[(.*)\]")


def dataset_input(data: DataInput, uri: str) -> Any:
    """A data set as an input of a run, whose context is the names of its splits."""
    about = Dataset(
        name=data.name,
        digest=data.digest,
        source_type="local",
        source=json.dumps({"uri": path_in_tags(data.source, uri)}),
        schema=json.dumps({"mlflow_colspec": [_column(name, what).to_dict() for name, what in data.columns.items()]}),
        profile=json.dumps({"num_rows": sum(data.rows.values()), **data.rows, "columns": dict(data.columns)}),
    )
    return DatasetInput(about, [InputTag(CONTEXT, ", ".join(data.rows))])


def _column(name: str, what: str) -> ColSpec:
    found = SHAPED.fullmatch(what)
    if found is None:
        return ColSpec(DataType.string, name, required=False)
    kind: Any = TYPES.get(found[1], DataType.integer)
    for _ in filter(None, found[2].split(",")):
        kind = Array(kind)
    return ColSpec(kind, name, required=False)
