"""The values that a run recorded of itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from raymm.data.schema import SPLITS
from raymm.errors import CheckpointError, did_you_mean
from raymm.storage.layout import epoch_folder, result_folder, valuation_file
from raymm.storage.owner import verify_own
from raymm.training.result import read_result
from raymm.valuation.table_file import read_epoch_table, read_test_table

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["recorded_table"]


def recorded_table(run: Path, split: str) -> ValuationTable:
    """The valuation table of a split after the epoch that was picked, from a finished run.

    Raises
    ------
    CheckpointError
        When the run has not come to its end, files were changed, or it recorded no values of this split then.
    """
    if split not in SPLITS:
        raise CheckpointError(f"{run}: no split '{split}'; {did_you_mean(split, SPLITS)}")
    result = read_result(run)
    folder = result_folder(run) if split == "test" else epoch_folder(run, result.best_epoch + 1)
    file = valuation_file(folder, split)
    if not file.exists():
        raise CheckpointError(
            f"{run}: recorded no values of {split} after the picked epoch {result.best_epoch + 1}; "
            f"raymm.value(run, data, split='{split}') values it now"
        )
    verify_own(run, folder, required=[file.name])
    if split == "test":
        return read_test_table(run)
    return read_epoch_table(run, result.best_epoch + 1, split, result.history[result.best_epoch]["metrics"])
