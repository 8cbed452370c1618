"""`raymm.export`: a trained model as a file that runs without raymm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raymm.api.graph_result import ExportedGraphs
from raymm.api.public import public
from raymm.api.showing import Showing
from raymm.api.shown import Placed
from raymm.api.trained import trained_of
from raymm.data.opening import Data

__all__ = ["export"]


@public
def export(
    model: str | Path | Placed,
    *,
    onnx: str | Path | None = None,
    torch: str | Path | None = None,
    data: Data | None = None,
    samples: int = 100,
    plugins: Sequence[str] = (),
    progress: Showing = "auto",
) -> ExportedGraphs:
    """Write a trained model as ONNX, or as a program of `torch.export`, and compare its answers with raymm's.

    The file holds all that raymm does with stored values: standardising, log-mel, encoders, masking, fusion,
    calibration, and the answer of the task. Texts are given as ids of tokens. Any number of rows, any modalities
    missing. See docs/predict.md for the names of inputs and outputs.

    Parameters
    ----------
    model
        Folder of a finished run or of an exported model, or what `raymm.load` or `raymm.train` returned.
    onnx, torch
        Files to write: FILE.onnx, FILE.pt2; one of them at least.
    data
        Samples on which answers are compared: a data set of the modalities of the model. Default: the test split of
        the run's; where that is not there, samples are made up.
    samples
        How many of them at most; each as it is, and once more with modalities taken away at random.
    plugins
        Further parts of one's own; those of the run are loaded from it.
    progress
        Who is told what is done.

    Raises
    ------
    CheckpointError
        When there is no model.
    ConfigError, DataError
        When no file is named, or the data are not of the model.
    ExportError
        When torch or ONNX cannot express the model, with their reason, or a file would answer otherwise than raymm
        by more than 1e-4. Nothing is written then.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import raymm
    >>> folder, draw = tempfile.mkdtemp(), np.random.default_rng(0)
    >>> label = np.arange(60) % 2
    >>> columns = {"pose": draw.normal(size=(60, 2)) + 9 * label[:, None], "sound": draw.normal(size=(60, 2))}
    >>> data = raymm.write_dataset(f"{folder}/data", columns, labels=label)
    >>> run = raymm.train(data, out=f"{folder}/run", method="joint", epochs=1, progress=None)
    >>> raymm.export(run, torch=f"{folder}/model.pt2", progress=None)
    ExportedGraphs(model.pt2, compared on 8 samples)
    """
    return trained_of(model, plugins).export(onnx=onnx, torch=torch, data=data, samples=samples, progress=progress)
