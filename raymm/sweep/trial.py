"""What runs inside a trial of Ray Tune: the training over all seeds of one configuration.

With one worker and no valuation actors the trial's own process trains, and serves one trial after the other; else it
drives a worker group of Ray Train.

A trial gets the path of its folder and writes all results there. It reports each epoch of its history to Tune, in
order, also the epochs before an interruption, so that schedulers decide as if it had never stopped. An error that a
retry cannot remove ends the trial; an error after the loss of a node or worker is raised, and Tune retries the trial.
Ray Train itself retries nothing, since Tune may stop it at any epoch.
"""

from __future__ import annotations

import json
import logging
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune

from raymm.cluster.train import train_in_this_process, train_together
from raymm.config.loading import parse
from raymm.errors import ClusterError, RaymmError
from raymm.storage import layout
from raymm.sweep.reported import CAUSE, EPOCHS, GIVEN, SCORE, STATUS, UNTIL, Trainables
from raymm.sweep.runs import (
    branch_runs,
    current_paths,
    epochs_reached,
    open_runs,
    open_warmups,
    read_histories,
    score_at,
    trains_in_its_process,
)
from raymm.sweep.saved import SavedPointer
from raymm.sweep.space import resolve
from raymm.sweep.store import open_sweep, open_trial

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.sweep.runs import (
        Histories,
    )
    from raymm.sweep.store import Sweep, Trial
    from raymm.training.run import Run

__all__ = ["TRAINABLES", "run_trial", "run_warmup"]


def run_trial(config: dict[str, Any]) -> None:
    """Train one trial from the newest committed epoch of its runs: to its end, or until the epoch that Tune gives."""
    sweep = open_sweep(Path(config["sweep"]))
    trial = open_trial(sweep.path / layout.TRIALS / config["trial"])
    until = config.get(UNTIL)
    with _Log(trial.path / layout.TRIAL_LOG) as log:
        try:
            runs, already = _runs(sweep, trial, config, sweep.dataset())
            log.info("%s: %d runs, %s", trial.name, len(runs), "from " + _origin(runs[0]))
            reports = _Reports(sweep, trial, log, already)
            _train(sweep, runs, reports, trial.path / layout.RAY, until)
        except ClusterError:
            log.info("%s", traceback.format_exc())
            raise
        except RaymmError as cause:
            log.info("%s", traceback.format_exc())
            tune.report({STATUS: "failed", CAUSE: f"{cause}"})
            return
        histories = read_histories(sweep, trial)
        reports(histories)
        # a shared warm-up may have gone beyond a level: its score is that at the level, as a resumed sweep reads it
        last = reports.result(histories, until or max(map(len, histories)))
        tune.report(last | {STATUS: "finished" if until is None else "waiting"})


def run_warmup(config: dict[str, Any]) -> None:
    """Train a warm-up that trials share, for as many epochs as they need.

    When it fails, each of its trials trains its own warm-up and reports the error.
    """
    sweep = open_sweep(Path(config["sweep"]))
    try:
        runs = open_warmups(sweep, parse(config["config"]), sweep.dataset(), config["until"])
        _train(sweep, runs, lambda _: None, sweep.path / layout.WARMUPS / layout.RAY, config["until"])
    except ClusterError:
        raise
    except RaymmError as cause:
        tune.report({STATUS: "failed", CAUSE: f"{cause}"})
    else:
        tune.report({STATUS: "finished"})


def _train(
    sweep: Sweep, runs: list[Run], report: Callable[[Histories], None], storage: Path, until: int | None = None
) -> None:
    """Train the runs of a trial or warm-up, here or with a worker group."""
    if trains_in_its_process(sweep):
        train_in_this_process(runs, report, until=until)
    else:
        train_together(runs, report, storage, restarts=0, until=until)


def _runs(sweep: Sweep, trial: Trial, config: dict[str, Any], dataset: Dataset) -> tuple[list[Run], int]:
    """The runs of a trial, and how many of their epochs Tune has been told of."""
    checkpoint = tune.get_checkpoint()
    if checkpoint is None:
        runs = open_runs(sweep, trial, dataset)
        return runs, epochs_reached(read_histories(sweep, trial)) if UNTIL in config else _before_start(
            sweep, runs[0]
        )
    with checkpoint.as_directory() as folder:
        pointer = SavedPointer.read(Path(folder) / "pointer.json")
    sampled = {key: value for key, value in config.items() if key not in GIVEN}
    if pointer.trial == trial.name:
        return open_runs(sweep, trial, dataset), pointer.epochs
    other = open_trial(
        trial.path.with_name(pointer.trial)
    )  # its weights, hence also its settings that may not change
    settings = resolve(sweep.config, {**other.sampled, **sampled})
    sources = [Path(path) for path in pointer.runs]
    return branch_runs(sweep, trial, settings, sources, pointer.epochs, dataset), pointer.epochs


def _before_start(sweep: Sweep, run: Run) -> int:
    """Epochs of which a population is not told: no trial can continue from one that a run does not have."""
    return run.start.epoch - 1 if run.start is not None and sweep.settings.scheduler == "pbt" else 0


@dataclass
class _Reports:
    """Reports each epoch to Tune once, for population based training with a pointer to the committed epoch.

    The last epoch is reported together with the end, so that no scheduler stops a trial that has trained all epochs.
    """

    sweep: Sweep
    trial: Trial
    log: logging.Logger
    sent: int = 0

    def __call__(self, histories: Histories) -> None:
        reached = epochs_reached(histories)
        for epochs in range(self.sent + 1, min(reached, self.trial.config.training.epochs - 1) + 1):
            result = self.result(histories, epochs)
            self.log.info("epoch %d, score %.4f", epochs, result[SCORE])
            self._report(result, epochs)
            self.sent = epochs

    def result(self, histories: Histories, epochs: int) -> dict[str, Any]:
        """The result that schedulers and search algorithms read."""
        return {EPOCHS: epochs, SCORE: score_at(histories, epochs, self.sweep.config.training.selection)}

    def _report(self, result: dict[str, Any], epochs: int) -> None:
        if self.sweep.settings.scheduler != "pbt":
            tune.report(result)
            return
        runs = [str(path) for path in current_paths(self.sweep, self.trial)]
        with tempfile.TemporaryDirectory() as folder:
            pointer = {"trial": self.trial.name, "runs": runs, "epochs": epochs}
            (Path(folder) / "pointer.json").write_text(json.dumps(pointer))
            tune.report(result, checkpoint=tune.Checkpoint.from_directory(folder))


class _Log:
    """The log file of this trial, which is an artifact of its MLflow run."""

    def __init__(self, path: Path) -> None:
        self._handler = logging.FileHandler(path)
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._logger = logging.getLogger("raymm.trial")
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False

    def __enter__(self) -> logging.Logger:
        self._logger.addHandler(self._handler)
        return self._logger

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        self._handler.close()


def _origin(run: Run) -> str:
    return "the start" if run.start is None else f"epoch {run.start.epoch} of {run.start.run.name}"


def _run_shared_warmup(config: dict[str, Any]) -> None:
    """Train the warm-up that Tune draws under the key `warmup`."""
    run_warmup(config["warmup"])


TRAINABLES = Trainables(run_trial, _run_shared_warmup)
"""What `raymm.sweep.driver.run_sweep` has Tune run."""
