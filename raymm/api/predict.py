"""`raymm.predict`: files in, labels, probabilities and contributions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raymm.api.predictions import Predictions
from raymm.api.public import public
from raymm.api.showing import Showing
from raymm.api.shown import Placed
from raymm.api.trained import trained_of

__all__ = ["predict"]


@public
def predict(
    model: str | Path | Placed,
    samples: Any = (),
    *,
    manifest: str | Path | None = None,
    media_root: str | Path | None = None,
    allow_outside: bool = False,
    sentence_encoders: Sequence[str] | Mapping[str, str | Path] = (),
    plugins: Sequence[str] = (),
    progress: Showing = "auto",
) -> Predictions:
    """Ask a trained model about samples without labels, and value its answers.

    A file is decoded as `raymm.prepare` decoded those of the model's data set. A sample that cannot be read is named
    in `failed`, and the others are answered. Contributions are Shapley values for the probability of the class
    that is predicted (of a regression, for the number); noise that the run was trained with is left out.

    Parameters
    ----------
    model
        Folder of a finished run or of an exported model, or what `raymm.load` or `raymm.train` returned.
    samples
        A file; a mapping from modality to file, text or array (stored form: waveform, uint8 frames, ...; None where
        one is missing); a mapping to columns of those, or a data frame; or a list of any of these. A file given by
        itself, or as `file`, gives the modalities that its suffix fits: a video its frames, flow and sound.
    manifest, media_root, allow_outside
        Or a table of samples as in `raymm.prepare`, without labels; its paths are relative to `media_root`, by
        default the folder of the manifest.
    sentence_encoders
        Where vectors were made of texts, the folder of the encoder by modality, so that texts can be given.
    plugins
        Further parts of one's own; those of the run are loaded from it.
    progress
        Who is told how far it is, and of files that are cut or padded.

    Raises
    ------
    CheckpointError
        When there is no model.
    ConfigError, DataError
        When samples have no form that is known, or none of them could be read.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import raymm
    >>> folder, draw = tempfile.mkdtemp(), np.random.default_rng(0)
    >>> label = np.arange(60) % 2
    >>> columns = {"pose": draw.normal(size=(60, 2)) + 9 * label[:, None], "sound": draw.normal(size=(60, 2))}
    >>> data = raymm.write_dataset(f"{folder}/data", columns, labels=label)
    >>> run = raymm.train(data, out=f"{folder}/run", method="joint", epochs=8, settings=["optimizer.lr=0.05"])
    >>> raymm.predict(run, {"pose": [9.0, 9.0], "sound": None}).labels
    ['1']
    """
    return trained_of(model, plugins).predict(
        samples,
        manifest=manifest,
        media_root=media_root,
        allow_outside=allow_outside,
        sentence_encoders=sentence_encoders,
        progress=progress,
    )
