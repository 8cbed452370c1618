"""The reference of formats: files from the module that names them, columns and their types from the schemas."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from raymm.config.registries import KINDS, TASKS
from raymm.data.schema import Schema
from raymm.reports.tables import markdown_table
from raymm.storage import layout
from raymm.valuation.table import TableInfo
from raymm.valuation.table_file import table_schema

__all__ = ["columns_of_data", "columns_of_values", "files"]

HEADER = ("column", "type", "what it holds")
CLASSES = ("a", "b", "c")

SIZES: dict[str, dict[str, Any]] = {
    "embedding": {"tokens": 16, "size": 8},
    "sequence": {"channels": 2, "length": 100},
    "vector": {"size": 8},
}
"""Fields without a default of kinds that have some, for an example."""

MEANINGS = {
    "sample_id": "the sample's own name; unique in a data set",
    "split": "`train`, `val` or `test`",
    "label": "the class's number; of several labels one bool a class, of regression one number a target",
    "prediction": "the same of what the model answers with all modalities",
    "probabilities": "of each class; only of several labels a sample",
    "source": "the file of the sample as the manifest named it; empty or null where it has none",
    "phi_a": "a column a modality: its contribution, in units of the utility; null where the modality is missing",
    "stderr_a": "a column a modality, of sampled values only: the standard error of phi; 0 where it is exact",
    "outcomes": "packed bits of all coalitions, bit C for coalition C: 1 where its prediction is right; null where "
    "values are sampled",
    "alone": "of sampled values only: packed bits of all modalities, 1 where it is right by itself",
    "label_name": "the name of the class that is the label; follows from the number",
    "prediction_name": "the name of the class that is predicted; follows from the number",
}
"""Every column of a valuation table must be here."""


def files() -> str:
    """The files and folders of all that raymm writes: what the module that names them says below its summary."""
    _, *parts = inspect.cleandoc(layout.__doc__ or "").split("\n\n")
    return "\n\n".join(_tree(part) if part.startswith("    ") else part for part in parts)


def _tree(lines: str) -> str:
    """An indented part as a block."""
    return f"```text\n{textwrap.dedent(lines)}\n```"


def columns_of_data() -> str:
    """The columns of a shard: those that every data set has, then one of each kind of modality."""
    fixed = Schema(modalities=(_example("vector"),), classes=CLASSES).of_shard
    names = ("sample_id", "split", "label", "source")
    rows = [(f"`{name}`", f"`{fixed.field(name).type}`", MEANINGS[name]) for name in names]
    kinds = markdown_table(("kind", "type of its column", "an example of"), _kinds())
    return "\n".join([*markdown_table(HEADER, rows), "", "A column a modality, by its kind:", "", *kinds])


def columns_of_values() -> str:
    """The columns of a valuation table, exact or sampled, of any task."""
    found = {}
    for task in TASKS.names():
        for method in ("exact", "sampled"):
            info = TableInfo(("a",), "count", "zeros", "", method=method, task={"name": task}, classes=len(CLASSES))
            for column in table_schema(info):
                found.setdefault(column.name, {}).setdefault(str(column.type), []).append(task)
    rows = [(f"`{name.replace('_a', '_MODALITY')}`", _types(types), MEANINGS[name]) for name, types in found.items()]
    return "\n".join(markdown_table(HEADER, rows))


def _types(types: dict[str, list[str]]) -> str:
    """The type of a column; where it hangs on the task, that of each."""
    if len(types) == 1:
        return f"`{next(iter(types))}`"
    return "; ".join(f"`{kind}` ({', '.join(dict.fromkeys(tasks))})" for kind, tasks in types.items())


def _kinds() -> Iterator[tuple[str, str, str]]:
    for kind in KINDS.names():
        spec = _example(kind)
        fields = {name: value for name, value in spec.model_dump().items() if name not in {"name", "kind"}}
        about = ", ".join(f"{name} {value}" for name, value in fields.items() if value is not None)
        yield f"`{kind}`", f"`{spec.arrow_type}`", about


def _example(kind: str) -> Any:
    return KINDS.get(kind)(name="a", kind=kind, **SIZES.get(kind, {}))
