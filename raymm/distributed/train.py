"""The training loop on Ray Train: one worker group for all epochs.

Every rank runs `raymm.training.loop.train` on the same run folder, which all nodes must see. Recovery is the
run's own: Ray starts the worker group again and the loop goes on from the newest committed epoch. Ray's own
checkpoints are not used, so nothing depends on the names of its runs.

The driver follows the committed epochs and is the only one that reports them: workers need no tracking server.
"""

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer, get_device

from raymm import errors
from raymm.config import ClusterConfig
from raymm.distributed.gauges import label_of, show_epochs
from raymm.distributed.value import ActorPool
from raymm.errors import ClusterError, RaymmError
from raymm.training.collectives import Alone, Group
from raymm.training.loop import Ports, Report, train
from raymm.training.result import Result, read_result
from raymm.training.run import Run, open_run
from raymm.training.state import read_history

__all__ = ["train_on_ray"]

POLL_SECONDS = 0.5


def train_on_ray(run: Run, report: Report) -> Result:
    """Train a run on the connected cluster and return its result.

    Parameters
    ----------
    run
        A run whose folder every node of the cluster can read and write.
    report
        Called in this process with the history, whenever an epoch has been committed.

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
        ),
    )
    try:
        with _following(run, report):
            outcome = trainer.fit().return_value
    except ray.train.TrainingFailedError as cause:
        raise ClusterError(f"training on Ray failed: {_reason(cause)}; --debug shows the whole trace") from cause
    if outcome is not None and "error" in outcome:
        raise getattr(errors, outcome["error"])(outcome["message"])
    return read_result(run.path)


@contextmanager
def _following(run: Run, report: Report) -> Iterator[None]:
    """Report epochs as they are committed, from a thread of this process: one writer a run, on the driver."""
    label = label_of(run.name, run.key)
    done = threading.Event()

    def follow() -> None:
        seen = 0
        while not done.wait(POLL_SECONDS):
            history = read_history(run.path)
            if len(history) > seen:
                seen = len(history)
                show_epochs(label, history)
                report(history)

    thread = threading.Thread(target=follow, name="raymm-report", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _work(settings: dict[str, str]) -> dict[str, str]:
    """What each rank runs; errors that a restart cannot mend come back as a value, on every rank alike."""
    run = open_run(Path(settings["run"]))
    world = ray.train.get_context().get_world_size()
    pool = ActorPool(label=label_of(run.name, run.key))
    device: torch.device = get_device()
    workers = Group() if world > 1 else Alone()
    try:
        train(run, run.dataset(), Ports(value=pool, report=_tell_ray, workers=workers, device=device))
    except RaymmError as cause:
        return {"error": type(cause).__name__, "message": str(cause)}
    finally:
        pool.close()
    return {}


def _tell_ray(history: Sequence[dict[str, Any]]) -> None:
    """Give Ray the newest metrics, for its dashboard and for Tune; called equally often on every rank."""
    if history:
        newest = history[-1]
        ray.train.report({"epoch": newest["epoch"], **newest["metrics"]})


def _scaling(cluster: ClusterConfig) -> ScalingConfig:
    resources = {"CPU": cluster.cpus_per_worker}
    if cluster.gpus_per_worker:
        resources["GPU"] = cluster.gpus_per_worker
    return ScalingConfig(
        num_workers=cluster.workers,
        use_gpu=cluster.gpus_per_worker > 0,
        resources_per_worker=resources,
    )


def _reason(cause: BaseException) -> str:
    """The last line of Ray's account, which names the error at the bottom of it."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[-1] if lines else type(cause).__name__
