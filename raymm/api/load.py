"""`raymm.load`: open a trained model."""

from __future__ import annotations

from pathlib import Path

from raymm.api.public import public
from raymm.api.shown import Placed, place_of
from raymm.api.trained import Trained

__all__ = ["load"]


@public
def load(folder: str | Path | Placed) -> Trained:
    """Open the model of a finished run, or an exported model.

    Parameters
    ----------
    folder
        Of the run, or of the model (`RUN/result/model`, wherever it was copied to); or what `raymm.train` returned.

    Returns
    -------
    `config`, `schema`, `model`, and of a run `metrics` and `values(split)`.

    Raises
    ------
    CheckpointError
        When there is no model, or a file of it was changed.
    ConfigError
        When a plug-in that it needs cannot be imported here.

    Examples
    --------
    >>> import raymm
    >>> raymm.load("no/such/run")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    raymm.errors.CheckpointError: ...no/such/run: no model there ...
    """
    return Trained.of(place_of(folder))
