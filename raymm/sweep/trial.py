"""What runs inside a trial of Ray Tune: a Ray Train run over all seeds of one configuration.

The trial is told its folder and nothing more; what it does is written there. It reports each epoch of its history to
Tune, in order, also those from before it was started again, so that schedulers decide as if it never stopped. A
mistake that trying again cannot mend ends the trial; what a lost node or worker caused is raised, for Tune to retry:
Ray Train, which Tune may end at any epoch, starts nothing again itself.
"""

import json
import logging
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from raymm.cluster.train import train_together
from raymm.config import parse
from raymm.data import Dataset
from raymm.errors import ClusterError, RaymmError
from raymm.storage import layout
from raymm.sweep.runs import (
    Histories,
    branch_runs,
    current_paths,
    open_runs,
    open_warmups,
    read_histories,
    score_at,
)
from raymm.sweep.schedule import EPOCHS
from raymm.sweep.search import GIVEN, SCORE
from raymm.sweep.space import resolve
from raymm.sweep.store import Sweep, Trial, open_sweep, open_trial
from raymm.training.run import Run

__all__ = ["CAUSE", "ENDED", "run_trial", "run_warmup"]

ENDED, CAUSE = "ended", "cause"
"""Names under which a trial says that it has finished or failed, and why it failed."""


def run_trial(config: dict[str, Any]) -> None:
    """Train one trial to its end, from wherever its runs were committed last."""
    sweep = open_sweep(Path(config["sweep"]))
    trial = open_trial(sweep.path / layout.TRIALS / config["trial"])
    with _Log(trial.path / layout.TRIAL_LOG) as log:
        try:
            runs, already = _runs(sweep, trial, config, sweep.dataset())
            log.info("%s: %d runs, %s", trial.name, len(runs), "from " + _origin(runs[0]))
            reports = _Reports(sweep, trial, log, already)
            train_together(runs, reports, trial.path / layout.RAY, restarts=0)
        except ClusterError:
            log.info("%s", traceback.format_exc())
            raise
        except RaymmError as cause:
            log.info("%s", traceback.format_exc())
            tune.report({ENDED: "failed", CAUSE: f"{cause}"})
            return
        histories = read_histories(sweep, trial)
        reports(histories)
        tune.report(reports.result(histories, len(histories[0])) | {ENDED: "finished"})


def run_warmup(config: dict[str, Any]) -> None:
    """Train a warm-up that trials share, as far as they need it.

    Where that cannot be, its trials train their own, and say what is wrong.
    """
    sweep = open_sweep(Path(config["sweep"]))
    try:
        runs = open_warmups(sweep, parse(config["config"]), sweep.dataset(), config["until"])
        train_together(
            runs, lambda _: None, sweep.path / layout.WARMUPS / layout.RAY, restarts=0, until=config["until"]
        )
    except ClusterError:
        raise
    except RaymmError as cause:
        tune.report({ENDED: "failed", CAUSE: f"{cause}"})
    else:
        tune.report({ENDED: "finished"})


def _runs(sweep: Sweep, trial: Trial, config: dict[str, Any], dataset: Dataset) -> tuple[list[Run], int]:
    """The runs of a trial, and how many of their epochs a population has heard of already."""
    checkpoint = tune.get_checkpoint()
    if checkpoint is None:
        runs = open_runs(sweep, trial, dataset)
        start = runs[0].start
        # nobody can go on from an epoch before the start: the run does not hold it
        return runs, start.epoch - 1 if start is not None and sweep.plan.scheduler == "pbt" else 0
    with checkpoint.as_directory() as folder:
        pointer = json.loads((Path(folder) / "pointer.json").read_text())
    sampled = {key: value for key, value in config.items() if key not in GIVEN}
    if pointer["trial"] == trial.name:
        return open_runs(sweep, trial, dataset), pointer["epochs"]
    other = open_trial(trial.path.with_name(pointer["trial"]))  # its model, so also what may not change
    settings = resolve(sweep.config, {**other.sampled, **sampled})
    sources = [Path(path) for path in pointer["runs"]]
    return branch_runs(sweep, trial, settings, sources, pointer["epochs"], dataset), pointer["epochs"]


@dataclass
class _Reports:
    """Tells Tune of each epoch once; where trials may go on from each other, with a pointer to what is committed.

    The last epoch is told with the end, so that no scheduler stops a trial that has trained them all.
    """

    sweep: Sweep
    trial: Trial
    log: logging.Logger
    sent: int = 0

    def __call__(self, histories: Histories) -> None:
        reached = min(len(history) for history in histories)
        for epochs in range(self.sent + 1, min(reached, self.trial.config.training.epochs - 1) + 1):
            result = self.result(histories, epochs)
            self.log.info("epoch %d, score %.4f", epochs, result[SCORE])
            self._tell(result, epochs)
            self.sent = epochs

    def result(self, histories: Histories, epochs: int) -> dict[str, Any]:
        """What schedulers and searches read."""
        return {EPOCHS: epochs, SCORE: score_at(histories, epochs, self.sweep.config.training.selection)}

    def _tell(self, result: dict[str, Any], epochs: int) -> None:
        if self.sweep.plan.scheduler != "pbt":
            tune.report(result)
            return
        runs = [str(path) for path in current_paths(self.sweep, self.trial)]
        with tempfile.TemporaryDirectory() as folder:
            pointer = {"trial": self.trial.name, "runs": runs, "epochs": epochs}
            (Path(folder) / "pointer.json").write_text(json.dumps(pointer))
            tune.report(result, checkpoint=tune.Checkpoint.from_directory(folder))


class _Log:
    """A log file of this trial alone, that whoever reads the MLflow run can open."""

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
