"""The training loop on Ray Train: one worker group for all epochs.

Every rank runs `raymm.training.loop.train` on the same run folder, which all nodes must see. Recovery is the
run's own: Ray starts the worker group again and the loop goes on from the newest committed epoch. Ray's own
checkpoints are not used, so nothing depends on the names of its runs.
"""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig, UserCallback
from ray.train.torch import TorchConfig, TorchTrainer, get_device

from raymm import errors
from raymm.config import ClusterConfig
from raymm.distributed.value import ActorPool
from raymm.errors import ClusterError, RaymmError
from raymm.training.collectives import Alone, Group
from raymm.training.loop import Ports, train
from raymm.training.result import Result, read_result
from raymm.training.run import Run, open_run

__all__ = ["History", "train_on_ray"]

History = Sequence[dict[str, Any]]


def train_on_ray(run: Run, report: Callable[[History], None]) -> Result:
    """Train a run on the connected cluster and return its result.

    Parameters
    ----------
    run
        A run whose folder every node of the cluster can read and write.
    report
        Called in the controller process with the history after every epoch; it is sent there by Ray.

    Raises
    ------
    ClusterError
        When the worker group failed more often than `cluster.max_failures`, or could not be started.
    RaymmError
        What the loop itself raised.
    """
    cluster = run.config.cluster
    trainer = TorchTrainer(
        _work,
        train_loop_config={"run": str(run.path)},
        torch_config=TorchConfig(timeout_s=1800),
        scaling_config=_scaling(cluster),
        run_config=RunConfig(
            name=f"{run.key[:12]}-{uuid.uuid4().hex[:8]}",
            storage_path=str(run.path / "ray"),
            failure_config=FailureConfig(max_failures=cluster.max_failures, controller_failure_limit=0),
            callbacks=[_HistoryCallback(report)],
        ),
    )
    try:
        outcome = trainer.fit().return_value
    except ray.train.TrainingFailedError as cause:
        raise ClusterError(f"training on Ray failed: {_first_line(cause)}; `--debug` shows the whole trace") from cause
    if outcome is not None and "error" in outcome:
        raise getattr(errors, outcome["error"])(outcome["message"])
    return read_result(run.path)


class _HistoryCallback(UserCallback):  # type: ignore[misc]
    """Hands the history to the driver's report function, in the controller: one writer a run."""

    def __init__(self, report: Callable[[History], None]) -> None:
        self._report = report

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Any) -> None:
        """Report what rank 0 says."""
        del run_context, checkpoint
        self._report(metrics[0]["history"])


def _work(settings: dict[str, str]) -> dict[str, str]:
    """What each rank runs; errors that a restart cannot mend come back as a value, on every rank alike."""
    run = open_run(Path(settings["run"]))
    world = ray.train.get_context().get_world_size()
    pool = ActorPool()
    device: torch.device = get_device()
    workers = Group() if world > 1 else Alone()
    try:
        train(run, run.dataset(), Ports(value=pool, report=_tell_controller, workers=workers, device=device))
    except RaymmError as cause:
        return {"error": type(cause).__name__, "message": str(cause)}
    finally:
        pool.close()
    return {}


def _tell_controller(history: History) -> None:
    ray.train.report({"history": list(history)})


def _scaling(cluster: ClusterConfig) -> ScalingConfig:
    resources = {"CPU": cluster.cpus_per_worker}
    if cluster.gpus_per_worker:
        resources["GPU"] = cluster.gpus_per_worker
    return ScalingConfig(
        num_workers=cluster.workers,
        use_gpu=cluster.gpus_per_worker > 0,
        resources_per_worker=resources,
    )


def _first_line(cause: BaseException) -> str:
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[-1] if lines else type(cause).__name__
