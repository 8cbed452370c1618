"""Files and folders that stand where a run writes others: said before an epoch is trained, not after it."""

from __future__ import annotations

import os
from pathlib import Path

from raymm.errors import CheckpointError, Problems
from raymm.storage import layout

__all__ = ["refuse_in_the_way"]

FOLDERS = (layout.EPOCHS, layout.RESULT, layout.PLOTS, layout.TABLES, layout.SAMPLES, layout.OUTBOX, layout.RAY)
FILES = (layout.CONFIG, layout.TRAIN_LOG, layout.PAGE, layout.VALUATION_PAGE)


def refuse_in_the_way(run: Path) -> None:
    """Raise `CheckpointError` where the folder of a run has a file, or a broken link, in the place of a folder.

    And where it has a folder in the place of a file; every one is named.
    """
    folders = [*(run / name for name in FOLDERS), *layout.places_of_epochs(run)]
    problems = Problems(f"{run}")
    for place in folders:
        if os.path.lexists(place) and not place.is_dir():
            problems.add(f"{place.relative_to(run)} is no folder; the run writes one there")
    for name in FILES:
        if (run / name).is_dir():
            problems.add(f"{name} is a folder; the run writes a file there")
    problems.raise_if_any(CheckpointError, note="move what is in the way")
