"""Turn an exported model folder into a model that `mlflow models` can load."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from raymm import __version__
from raymm.errors import RaymmError
from raymm.tracking.mlflow.loaders import current_loader

__all__ = ["save_served"]

log = logging.getLogger(__name__)

CODE = Path(__file__).with_name("served.py")

logging.getLogger("mlflow.pyfunc").setLevel(
    logging.ERROR
)  # it would warn that a model without a form has no schema: columns may be absent


@contextmanager
def save_served(folder: Path, loader: str) -> Iterator[Path]:
    """Yield a temporary folder with the MLflow model of an exported model folder.

    Parameters
    ----------
    folder
        The exported model.
    loader
        "package.module:function" that makes a predictor of such a folder; a former name is replaced by today's.
    """
    with tempfile.TemporaryDirectory() as parent:
        path = Path(parent) / "model"
        mlflow.pyfunc.save_model(
            path,
            python_model=str(CODE),
            artifacts={"model": str(folder)},
            model_config={"loader": current_loader(loader)},
            **_form(folder, current_loader(loader)),
            pip_requirements=[f"raymm=={__version__}"],
        )
        yield path


def _form(folder: Path, loader: str) -> dict[str, Any]:
    """Signature and example of a model, of which the module of the loader knows the columns (`served_form`)."""
    try:
        known = getattr(import_module(loader.partition(":")[0]), "served_form", None)
        form = None if known is None else known(folder)
    except (ImportError, RaymmError) as cause:
        log.warning("the model is recorded without a signature: %s", cause)
        return {}
    return {} if form is None else {"signature": _signature(form), "input_example": pd.DataFrame([form["example"]])}


def _signature(form: Mapping[str, Any]) -> ModelSignature:
    """Columns that may be absent and may hold paths, texts or arrays; and those of an answer."""
    inputs = [ColSpec(AnyType(), name, required=False) for name in form["inputs"]]
    outputs = [
        ColSpec(kind, name, required=not name.startswith(("phi_", "stderr_")))
        for name, kind in form["outputs"].items()
    ]
    return ModelSignature(Schema(inputs), Schema(outputs))
