"""A trained model as a folder: weights, schema, statistics and configuration, and nothing that runs code."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from raymm.config import Config, parse
from raymm.data import Dataset, Schema
from raymm.errors import CheckpointError
from raymm.models.model import MultimodalModel, build_model
from raymm.storage import layout, write_json
from raymm.storage.tensors import savable

__all__ = ["Exported", "export_model", "load_model"]


@dataclass(frozen=True)
class Exported:
    """A model read back, with what its inputs mean."""

    model: MultimodalModel
    config: Config
    schema: Schema
    statistics: dict[str, dict[str, list[float]]]


def export_model(folder: Path, model: MultimodalModel, config: Config, dataset: Dataset) -> None:
    """Write `model` to `folder`, as a part of a folder that is committed later."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(savable(model.state_dict()), folder / layout.WEIGHTS)
    about: dict[str, Any] = {
        "config": config.model_dump(mode="json"),
        "schema": dataset.schema.model_dump(mode="json"),
        "statistics": dataset.statistics,
    }
    write_json(folder / layout.MODEL_JSON, about)


def load_model(folder: Path) -> Exported:
    """Read a model that `export_model` wrote.

    Raises
    ------
    CheckpointError
        When the folder holds no model, or its parts do not fit each other.
    """
    try:
        about = json.loads((folder / layout.MODEL_JSON).read_text())
        config = parse(about["config"], f"{folder}/{layout.MODEL_JSON}")
        schema = Schema.model_validate(about["schema"])
        model = build_model(schema, config.model, config.training.seed)
        model.load_state_dict(load_file(folder / layout.WEIGHTS))
    except FileNotFoundError as cause:
        raise CheckpointError(f"{folder}: no model there ({Path(cause.filename or '').name} is missing)") from None
    except (KeyError, ValueError, RuntimeError, ValidationError, SafetensorError) as cause:
        raise CheckpointError(f"{folder}: the model cannot be read ({cause})") from cause
    return Exported(model.eval(), config, schema, about["statistics"])
