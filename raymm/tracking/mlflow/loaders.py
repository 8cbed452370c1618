"""Loaders of recorded models that have moved to another module since they were written down."""

from collections.abc import Mapping

__all__ = ["MOVED", "current_loader"]

MOVED: Mapping[str, str] = {
    "raymm.studies.predictor:load": "raymm.models.serving:load",
    "raymm.models.predictor:load": "raymm.models.serving:load",
}
"""Loaders by the "package.module:function" of an earlier version, and what they are called now.

The outbox of a run keeps the former name until it is sent. A model that was sent looks for the former module itself,
which therefore stays importable (`raymm.studies.predictor`, `raymm.models.predictor`).
"""


def current_loader(loader: str) -> str:
    """What a loader is called in this version; a loader that has not moved keeps its name.

    Examples
    --------
    >>> current_loader("raymm.studies.predictor:load")
    'raymm.models.serving:load'
    >>> current_loader("mypackage.models:load")
    'mypackage.models:load'
    """
    return MOVED.get(loader, loader)
