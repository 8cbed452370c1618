"""A trained model as a folder: weights, schema, statistics and configuration, and nothing that runs code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from raymm.config.loading import parse
from raymm.config.mistakes import settings_mistakes
from raymm.config.plugins import copy_plugins
from raymm.data.schema import Schema
from raymm.errors import CheckpointError, Problems
from raymm.models.encoders.weights import weights_come_later
from raymm.models.model import build_model
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.storage.directory import commit_directory, is_committed, read_manifest, verify
from raymm.storage.owner import verify_own
from raymm.storage.places_below import instead_of
from raymm.storage.records import JsonRecord
from raymm.storage.tensors import save_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.models.model import MultimodalModel

__all__ = ["Exported", "export_model", "load_model", "load_settings", "model_folder"]


@dataclass(frozen=True)
class Exported:
    """A model read back, with what its inputs mean."""

    model: MultimodalModel
    config: Config
    schema: Schema
    statistics: dict[str, dict[str, list[float]]]


def export_model(folder: Path, model: MultimodalModel, config: Config, dataset: Dataset) -> None:
    """Write `model` to `folder`, and commit that, so that a copy of it can be checked too."""
    folder.mkdir(parents=True, exist_ok=True)
    copy_plugins(config.plugins, folder)
    save_tensors(model.state_dict(), folder / layout.WEIGHTS)
    about: dict[str, Any] = {
        "format": _About.newest,
        "config": config.model_dump(mode="json"),
        "schema": dataset.schema.model_dump(mode="json"),
        "statistics": dataset.statistics,
    }
    write_json(folder / layout.MODEL_JSON, about)
    commit_directory(folder, {})


def model_folder(folder: Path) -> Path:
    """The exported model of a finished run, or the folder of an exported model itself.

    Raises
    ------
    CheckpointError
        When the result that holds it, or the model in that, is of another run.
    """
    result = layout.result_folder(folder)
    of_run = result / layout.MODEL
    if not of_run.is_dir():
        return folder
    if is_committed(result):
        committed = f"{layout.MODEL}/{layout.MANIFEST}"
        known = committed in read_manifest(result, CheckpointError)["files"]  # version 0.1.0 put the model into that
        verify_own(folder, result, [committed] if known else [])
    return of_run


def load_model(folder: Path) -> Exported:
    """Read a model that `export_model` wrote.

    Raises
    ------
    CheckpointError
        When the folder holds no model, a file of it was changed after it was written, or its parts do not fit each
        other.
    """
    _verify(folder)
    config, about = load_settings(folder)
    with _readable(folder):
        schema = Schema.from_saved(about.content)
        _check_statistics(folder, schema, about)
        with weights_come_later():
            model = build_model(schema, config.model, config.training.seed)
        weights = load_file(folder / layout.WEIGHTS)
        _refuse_not_finite(folder, weights)
        model.load_state_dict(weights)
        return Exported(model.eval(), config, schema, about.statistics)


def load_settings(folder: Path) -> tuple[Config, _About]:
    """The configuration of an exported model, whose plug-ins are then imported, and all that its model.json says.

    Raises
    ------
    CheckpointError
        As `load_model`.
    """
    of_run = layout.result_folder(folder) / layout.MODEL
    if os.path.lexists(of_run) and not of_run.is_dir():
        raise CheckpointError(f"{of_run}: is no folder, and no model; bring back a good copy of the run")
    if not (folder / layout.MODEL_JSON).exists():
        raise CheckpointError(f"{folder}: no model there ({layout.MODEL_JSON} is missing){instead_of(folder)}")
    about = _About.read(folder / layout.MODEL_JSON)
    with _readable(folder):
        return parse(about.config, f"{folder}/{layout.MODEL_JSON}", folder=folder), about


class _About(JsonRecord):
    """The model.json of an exported model."""

    error = CheckpointError
    remedy = "bring back a good copy of the model"

    config: dict[str, Any]
    content: dict[str, Any] = Field(alias="schema")
    statistics: dict[str, dict[str, list[float]]]


def _verify(folder: Path) -> None:
    """Compare the files of a model with its manifest, or with that of the result that version 0.1.0 put it into."""
    if os.path.lexists(folder / layout.MANIFEST):
        verify(folder, CheckpointError, required=[layout.WEIGHTS, layout.MODEL_JSON])
    elif folder.name == layout.MODEL and is_committed(folder.parent):
        names = [f"{layout.MODEL}/{name}" for name in (layout.WEIGHTS, layout.MODEL_JSON)]
        verify(folder.parent, CheckpointError, names)


def _check_statistics(folder: Path, schema: Schema, about: _About) -> None:
    """Refuse statistics by which the values of a modality cannot be standardised, as those of a data set are."""
    problems = Problems(f"{folder}/{layout.MODEL_JSON}")
    for spec in schema.modalities:
        for trouble in spec.check_statistics(about.statistics.get(spec.name)):
            problems.add(f"statistics of {spec.name}: {trouble}")
    problems.raise_if_any(CheckpointError, note=about.remedy)


def _refuse_not_finite(folder: Path, weights: dict[str, Tensor]) -> None:
    """Name the weights that are NaN or infinite, which no training of raymm commits."""
    wrong = [name for name, values in weights.items() if not values.isfinite().all()]
    if wrong:
        raise CheckpointError(
            f"{folder}/{layout.WEIGHTS}: holds NaN or infinite weights in {', '.join(wrong)}; bring back a good copy"
        )


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Say of which model it is when a part of it is missing or cannot be read."""
    try:
        yield
    except FileNotFoundError as cause:
        file = Path(
            cause.filename or folder / layout.WEIGHTS
        )  # safetensors names none; it also calls a locked one gone
        why = "may not be read by this user" if file.exists() else "is missing"
        raise CheckpointError(f"{folder}: no model there ({file.name} {why})") from None
    except (KeyError, ValueError, RuntimeError, ValidationError, SafetensorError) as cause:
        said = "; ".join(settings_mistakes(cause, Schema)) if isinstance(cause, ValidationError) else str(cause)
        words = " ".join(said.split())  # torch names each weight that does not fit in a line of its own
        raise CheckpointError(f"{folder}: the model cannot be read ({words})") from cause
