"""One worker group of Ray Train after the other, until one has trained to the end or too many were lost.

Ray Train would start a lost group again by itself, but not one of which a worker is lost while the group starts. So
every start is a training of Ray Train of its own, and this module counts them all. It costs the start of a
controller (some two seconds) for each lost group.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.train import ControllerError, FailureConfig, RunConfig, ScalingConfig, WorkerGroupError
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2._internal.exceptions import WorkerGroupStartupFailedError, WorkerGroupStartupTimeoutError
from torch.distributed import DistError

from raymm.counts import counted
from raymm.errors import ClusterError, last_line

if TYPE_CHECKING:
    from raymm.config.cluster import ClusterConfig

__all__ = ["GroupLostError", "failed", "run_worker_group", "warn_of_loss"]

log = logging.getLogger(__name__)

ABORT_SECONDS = 10.0
"""Longest wait for a controller that was told to end its workers."""


class GroupLostError(ClusterError):
    """A worker group was lost once more than it may be; another may succeed."""


LOST_WHILE_STARTING = (WorkerGroupStartupFailedError, RayActorError, DistError, ConnectionError)
"""What Ray Train's controller reports when a worker is lost before it trains; the others may report it first."""


def run_worker_group(
    function: Callable[[dict[str, Any]], Any],
    settings: dict[str, Any],
    cluster: ClusterConfig,
    storage: Path,
    name: str,
    restarts: int,
) -> Any:
    """Run a function on every worker of a group, and return what rank 0 returned.

    Parameters
    ----------
    function
        Called with `settings` on every worker, within a process group of torch.
    settings
        Plain values, and handles of actors.
    cluster
        Workers, and what each of them holds.
    storage
        Folder for Ray Train's own files, visible from every node.
    name
        What the names of these files begin with.
    restarts
        Lost groups to replace, wherever they were: while they started, or while they worked.

    Raises
    ------
    GroupLostError
        When one group more is lost.
    ClusterError
        When the resources for a group do not come, or its controller fails.
    """
    for left in range(restarts, -1, -1):
        try:
            return _run_once(function, settings, cluster, storage, f"{name}-{uuid.uuid4().hex[:8]}")
        except (ray.train.TrainingFailedError, RayActorError) as cause:
            if isinstance(_failure(cause), WorkerGroupStartupTimeoutError):
                raise ClusterError(_no_resources(cluster)) from cause
            if not _is_lost(cause):
                raise ClusterError(failed(cause, restarts)) from cause
            if not left:
                raise GroupLostError(failed(cause, restarts)) from cause
            warn_of_loss(cause, restarts - left + 1, restarts)
    raise AssertionError


def warn_of_loss(cause: BaseException, number: int, restarts: int) -> None:
    """Say that a group was lost and that another starts, the `number`-th of so many."""
    log.warning(
        "a worker group was lost (%s); starting another, which goes on from the newest committed epoch (%d of %d)",
        _words(cause),
        number,
        restarts,
    )


DATA_CALLBACK = "DatasetsCallback"
"""Of Ray Train, by name: a version without it starts as it does by itself."""


class _Trainer(TorchTrainer):  # type: ignore[misc]
    """Ends its workers when the process that waits for them is interrupted, and starts nothing for Ray Data.

    Ray Train handles SIGINT itself, and ends this process by `SystemExit`. For Ray Data, which raymm does not use, it
    would start a process in each group, and import that library in every worker.
    """

    _controller: Any = None

    def _create_default_callbacks(self) -> list[Any]:
        return [each for each in super()._create_default_callbacks() if type(each).__name__ != DATA_CALLBACK]

    def _register_sigint_handler(self, controller: Any) -> None:
        self._controller = controller

    def fit(self) -> Any:
        try:
            return super().fit()
        except KeyboardInterrupt:
            if self._controller is not None:
                _abort(self._controller)
            raise


def _run_once(
    function: Callable[[dict[str, Any]], Any],
    settings: dict[str, Any],
    cluster: ClusterConfig,
    storage: Path,
    name: str,
) -> Any:
    trainer = _Trainer(
        function,
        train_loop_config=settings,
        torch_config=TorchConfig(backend=_backend(cluster), timeout_s=1800),
        scaling_config=_scaling(cluster),
        run_config=RunConfig(
            name=name,
            storage_path=str(storage),
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=0),
        ),
    )
    try:
        return trainer.fit().return_value
    finally:
        shutil.rmtree(storage / name, ignore_errors=True)  # of a name that does not come again


def _abort(controller: Any) -> None:
    try:
        ray.get(controller.abort.remote(), timeout=ABORT_SECONDS)
    except GetTimeoutError:
        ray.kill(controller)
    except RayError:  # it has ended, as it was told to
        return


def _failure(cause: BaseException) -> BaseException:
    """What a controller failed of, or the exception itself."""
    return cause.controller_failure if isinstance(cause, ControllerError) else cause


def _is_lost(cause: BaseException) -> bool:
    """Whether another group may succeed: workers failed, or some process was lost."""
    failure = _failure(cause)
    inner = failure.cause if isinstance(failure, RayTaskError) else failure
    return isinstance(cause, WorkerGroupError) or isinstance(inner, LOST_WHILE_STARTING)


def _words(cause: BaseException) -> str:
    return last_line(cause, type(cause).__name__)


def failed(cause: BaseException, restarts: int) -> str:
    """What a training ended with, in words, after so many groups more than the first."""
    often = f" {restarts + 1} times (cluster.max_failures={restarts})" if restarts and _is_lost(cause) else ""
    return f"training on Ray failed{often}: {_words(cause)}; --debug shows the whole trace"


def _no_resources(cluster: ClusterConfig) -> str:
    has, free = ray.cluster_resources(), ray.available_resources()
    return (
        f"{counted(cluster.workers, 'worker')} of {counted(cluster.cpus_per_worker, 'CPU')} and "
        f"{counted(cluster.gpus_per_worker, 'GPU')} did not "
        f"get them within cluster.start_timeout={cluster.start_timeout:g} seconds: the cluster offers "
        f"{has.get('CPU', 0):g} CPUs ({free.get('CPU', 0):g} free) and {has.get('GPU', 0):g} GPUs "
        f"({free.get('GPU', 0):g} free), and no worker may be split over two nodes; the same command goes on from "
        "the newest committed epoch once there are more"
    )


def _backend(cluster: ClusterConfig) -> str | None:
    """Of torch.distributed: what Ray chooses, but gloo where workers share a GPU, which NCCL refuses."""
    return "gloo" if 0 < cluster.gpus_per_worker < 1 else None


def _scaling(cluster: ClusterConfig) -> ScalingConfig:
    resources = {"CPU": cluster.cpus_per_worker}
    if cluster.gpus_per_worker:
        resources["GPU"] = cluster.gpus_per_worker
    return ScalingConfig(
        num_workers=cluster.workers,
        use_gpu=cluster.gpus_per_worker > 0,
        resources_per_worker=resources,
    )
