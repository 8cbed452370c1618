"""What a run in training writes for people, on its first rank: RUN/train.log and RUN/progress.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.errors import RaymmError, in_one_line
from raymm.storage import layout
from raymm.storage.directory import is_committed
from raymm.storage.layout import result_folder
from raymm.tracking.epoch_text import figure_text
from raymm.tracking.metrics import split_metric
from raymm.training.heading import Heading, device_name
from raymm.training.live import LiveFile
from raymm.training.saved_state import SavedResult
from raymm.training.selection import best_score
from raymm.training.train_log import TrainLog

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.training.backends import Backends
    from raymm.training.checkpoint import Checkpoint
    from raymm.training.run import Run

__all__ = ["Journal"]


class Journal:
    """Tells of a run on its first rank; on the others every method does nothing.

    Nothing of it takes part in training: no random number is drawn, and no error of a file is raised.
    """

    def __init__(self, run: Run, dataset: Dataset, backends: Backends) -> None:
        self._run, self._dataset, self._backends = run, dataset, backends
        first = backends.communicator.rank == 0
        self._live = LiveFile(run.path) if first else None
        self._log = TrainLog(run.path) if first else None

    def begin(self, state: Checkpoint) -> None:
        """Training begins, or goes on, from a committed state."""
        if self._log is not None:
            device = device_name(self._backends.device)
            world = self._backends.communicator.world
            self._log.begin(Heading.of(self._run, self._dataset, device, world), state.epoch)
            self.committed(state)

    def begin_epoch(self, state: Checkpoint) -> None:
        """The epoch that follows a state begins."""
        if self._live is not None:
            self._live.begin_epoch(state.epoch + 1, len(state.plan))

    def add_rows(self, rows: int) -> None:
        """So many rows of the global batch are trained."""
        if self._live is not None:
            self._live.add(rows)

    def begin_valuation(self, rows: int) -> None:
        """A valuation of so many rows begins."""
        if self._live is not None:
            self._live.begin_valuation(rows)

    def add_valued(self, rows: int) -> None:
        """So many rows of it are valued."""
        if self._live is not None:
            self._live.add_valued(rows)

    def phase(self, phase: str) -> None:
        """What follows the training pass begins: "valuing", "testing"."""
        if self._live is not None:
            self._live.phase(phase)

    def committed(self, state: Checkpoint) -> None:
        """An epoch is committed."""
        if self._live is None or self._log is None:
            return
        training = self._run.config.training
        self._log.add_epochs(state.history, training.epochs, training.selection)
        newest = state.history[-1]["metrics"] if state.history else {}
        self._live.phase(
            "starting",
            epoch=min(state.epoch + 1, training.epochs),
            epochs=training.epochs,
            score=newest.get(split_metric("val", training.selection)),
            best=best_score(state.history, training.selection),
            selection=training.selection,
        )

    def close(self, cause: BaseException | None) -> None:
        """The process does not train the run any more, of a cause where it is one."""
        if self._live is None or self._log is None:
            return
        self._live.remove()
        if is_committed(result_folder(self._run.path)):
            self._log.say(_outcome(self._run))
        elif isinstance(cause, RaymmError):
            self._log.say(f"failed: {cause}")
        elif cause is not None and not isinstance(cause, GeneratorExit):
            self._log.say(f"ended: {in_one_line(cause)}" if isinstance(cause, Exception) else "interrupted")


def _outcome(run: Run) -> str:
    """Which epoch was picked, and the figures of a run that has a result; its files are not compared once more."""
    result = SavedResult.read(result_folder(run.path) / layout.RESULT_JSON)
    selection = run.config.training.selection
    named = {"val": split_metric("best", selection), "test": split_metric("test", selection)}
    figures = [
        f"{split} {figure_text(result.metrics[name])}" for split, name in named.items() if name in result.metrics
    ]
    return f"finished: epoch {result.best_epoch + 1} is picked; {selection} {', '.join(figures)}"
