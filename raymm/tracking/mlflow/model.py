"""Turn an exported model folder into a model that `mlflow models` can load."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow.pyfunc

from raymm import __version__
from raymm.tracking.mlflow.loaders import current_loader

__all__ = ["save_served"]

CODE = Path(__file__).with_name("served.py")

logging.getLogger("mlflow.pyfunc").setLevel(
    logging.ERROR
)  # it would warn that there is no schema: columns may be absent


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
            pip_requirements=[f"raymm=={__version__}"],
        )
        yield path
