"""What a finished run leaves: the picked model as a folder of its own, the test table and the metrics.

RUN/result/result.json          metrics of the picked epoch on validation and test, the whole history
RUN/result/valuation-test.parquet
RUN/result/valuation-uncalibrated_test.parquet   where the picked model was calibrated: as it was trained
RUN/result/model/               everything that is needed to predict: weights, schema, configuration
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.errors import CheckpointError
from raymm.models.export import export_model
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.storage.directory import commit_directory, is_committed
from raymm.storage.layout import result_folder
from raymm.storage.owner import verify_own
from raymm.training.saved_state import SavedResult
from raymm.valuation.table_file import write_table

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.models.model import MultimodalModel
    from raymm.training.run import Run
    from raymm.valuation.table import ValuationTable

__all__ = ["Result", "finished", "read_result", "set_aside", "write_result"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """The end of a run: epoch picked on validation, its metrics (`best/...`, `test/...`), and the history."""

    best_epoch: int
    metrics: dict[str, float]
    history: tuple[dict[str, Any], ...]


def finished(run: Path) -> bool:
    """Whether a run came to its end."""
    return is_committed(result_folder(run))


def set_aside(run: Path) -> None:
    """Make room for the result of a run that has none; what lies there without a manifest is kept beside it."""
    folder = result_folder(run)
    if is_committed(folder) or not folder.exists():
        return
    if not (folder / layout.RESULT_JSON).exists():
        shutil.rmtree(folder)
        return
    numbers = count(1)
    place = next(
        free for number in numbers if not (free := folder.with_name(f"{folder.name}.unfinished-{number}")).exists()
    )
    folder.rename(place)
    log.warning(
        "%s: has no %s, so it was never finished, or lost it; kept as %s, and the run goes on to a new result",
        folder,
        layout.MANIFEST,
        place.name,
    )


def write_result(
    run: Run, result: Result, model: MultimodalModel, tables: Mapping[str, ValuationTable], dataset: Dataset
) -> None:
    """Commit the result of a run, with its valuation tables by the name of their split."""
    folder = result_folder(run.path)
    set_aside(run.path)
    folder.mkdir(parents=True)
    export_model(folder / layout.MODEL, model, run.config, dataset)
    for split, table in tables.items():
        write_table(layout.valuation_file(folder, split), table)
    content = {
        "format": SavedResult.newest,
        "best_epoch": result.best_epoch,
        "metrics": result.metrics,
        "history": result.history,
    }
    write_json(folder / layout.RESULT_JSON, content)
    commit_directory(folder, {"key": run.key})


def read_result(run: Path) -> Result:
    """Read the result of a finished run, once the checksums of all its files were compared.

    Raises
    ------
    CheckpointError
        When the run has not come to its end, a file of its result was changed after it was written, or it is the
        result of another run.
    """
    folder = result_folder(run)
    if not folder.exists():
        raise CheckpointError(
            f"{run}: this run is not finished; the `raymm train` that began it goes on with it, and `raymm status "
            f"{run}` says how far it is"
        )
    verify_own(run, folder, required=[layout.RESULT_JSON])
    saved = SavedResult.read(folder / layout.RESULT_JSON)
    return Result(saved.best_epoch, saved.metrics, saved.entries)
