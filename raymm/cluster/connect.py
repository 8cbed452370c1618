"""Connect to Ray: the only place that calls `ray.init`.

With `RAY_ADDRESS` set (as it is inside a submitted job) that cluster is joined; otherwise a local one is
started, with its dashboard on the loopback interface, since job submission and nested runs need it, and with
token authentication, which Ray turns on for local clusters by itself. A laptop may have fewer cores than the
configuration asks for: a local Ray is then told of as many logical CPUs as are needed, because Ray waits for missing
CPUs without a message; up to four times the cores, beyond which the configuration is refused.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.cluster.probe import connection_problem
from raymm.cluster.resources import check_resources, cluster_totals, needed_cpus
from raymm.errors import ClusterError, Problems

if TYPE_CHECKING:
    from raymm.config.sections import ClusterConfig

__all__ = ["connect", "is_multi_node", "require_cores", "set_defaults"]

log = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 256 * 2**20

LONGEST_TEMPORARY_FOLDER = 25
"""Ray puts sockets some 75 characters below its folder, and a socket's path may have 103 (macOS) to 107."""

MOST_PER_CORE = 4
"""Logical CPUs of a local Ray for each core at most; with more processes a machine hardly makes progress."""

SHUTDOWN_SECONDS = 10.0
"""Longest wait for the end of Ray's processes."""

DASHBOARD = "RAY_API_SERVER_ADDRESS"


@contextmanager
def connect(config: ClusterConfig, *, local_cpus: int | None = None) -> Iterator[None]:
    """Join or start a Ray cluster for the block; what was started here is shut down after it.

    A Ray that this process is connected to already is used and left running.

    Parameters
    ----------
    config
        What will be asked of the cluster.
    local_cpus
        Logical CPUs of a Ray that is started here; default: the machine's cores, or more where `config` needs
        more.

    Raises
    ------
    ClusterError
        When `RAY_ADDRESS` is the address of a dashboard, no cluster answers there, the token is missing or
        wrong, the cluster is too small, or `config` asks a local Ray for more than four times the cores.
    """
    set_defaults(config)
    import ray  # noqa: PLC0415  (reads its settings from the environment when it is imported)

    if ray.is_initialized():
        _require_resources(config)
        yield
        return
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        if address and address != "local":
            _join(address)
            _require_resources(config)
            yield
        else:
            if local_cpus is None:
                require_cores(config)
            with _local(config, local_cpus):
                _require_resources(config)
                yield
    finally:
        ray.shutdown()


def require_cores(config: ClusterConfig) -> None:
    """Refuse, before a run exists, what a Ray of this machine would not be started for; a cluster is not asked.

    Raises
    ------
    ClusterError
        When `config` asks for more than `MOST_PER_CORE` CPUs for each core.
    """
    cores, wanted = os.cpu_count() or 1, ceil(needed_cpus(config))
    if os.environ.get("RAY_ADDRESS", "local") not in {"", "local"} or wanted <= MOST_PER_CORE * cores:
        return
    raise ClusterError(
        f"{config.workers} workers of {config.cpus_per_worker:g} CPUs and {config.actors} actors of "
        f"{config.cpus_per_actor:g} ask for {wanted} CPUs, and this machine has {cores} cores; a Ray of its own "
        f"gets {MOST_PER_CORE} times the cores at most ({MOST_PER_CORE * cores}). Lower --workers "
        "(cluster.workers) or the CPUs of each, or join a larger cluster by RAY_ADDRESS"
    )


def is_multi_node() -> bool:
    """Whether the connected cluster has more than one living node."""
    import ray  # noqa: PLC0415

    return sum(1 for node in ray.nodes() if node["Alive"]) > 1


def _require_resources(config: ClusterConfig) -> None:
    totals = cluster_totals()
    Problems("Ray cluster", check_resources(config, totals.cpus, totals.gpus)).raise_if_any(ClusterError)


def _join(address: str) -> None:
    import ray  # noqa: PLC0415

    if address.startswith(("http://", "https://")):
        raise ClusterError(
            f"RAY_ADDRESS={address} is the address of a dashboard, which `ray job submit` takes; to join a cluster "
            f"give its head as host:6379, and put the dashboard into {DASHBOARD}"
        )
    reason = connection_problem(address)
    if reason:
        raise ClusterError(
            f"RAY_ADDRESS={address}: {reason}; start `ray start --head` there, or unset RAY_ADDRESS to work alone"
        )
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as cause:
        raise ClusterError(
            f"RAY_ADDRESS={address}: cannot join the cluster ({' '.join(str(cause).split())}); is its token in "
            "~/.ray/auth_token here, and is RAY_AUTH_MODE=token set? Unset RAY_ADDRESS to work alone"
        ) from cause


@contextmanager
def _local(config: ClusterConfig, local_cpus: int | None) -> Iterator[None]:
    import ray  # noqa: PLC0415

    with _temporary_folder() as folder:
        port = _free_port()
        with _environment(DASHBOARD, f"http://127.0.0.1:{port}"):
            try:
                ray.init(
                    address="local",
                    num_cpus=local_cpus or _logical_cpus(config),
                    include_dashboard=True,
                    dashboard_host="127.0.0.1",
                    dashboard_port=port,
                    object_store_memory=OBJECT_STORE_BYTES,
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                    _temp_dir=folder,
                )
                yield
            finally:
                ray.shutdown()


@contextmanager
def _temporary_folder() -> Iterator[str]:
    """A temporary folder for Ray; its processes may still write there while they shut down."""
    folder = Path(tempfile.mkdtemp(prefix="raymm-", dir=_short_folder()))
    try:
        yield str(folder)
    finally:
        end = time.monotonic() + SHUTDOWN_SECONDS
        while folder.exists() and time.monotonic() < end:
            shutil.rmtree(folder, ignore_errors=True)
            if folder.exists():
                time.sleep(0.2)


def _logical_cpus(config: ClusterConfig) -> int:
    cores = os.cpu_count() or 1
    wanted = max(cores, ceil(needed_cpus(config)))
    if wanted > cores:
        log.warning("this machine has %d cores; Ray is told of %d, so that all workers can start", cores, wanted)
    return wanted


def _short_folder() -> str | None:
    """Where the folder of a local Ray goes; `None` is the system's place for temporary files."""
    return None if len(tempfile.gettempdir()) <= LONGEST_TEMPORARY_FOLDER else "/tmp"  # noqa: S108


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set a variable for the block.

    Ray's processes inherit the dashboard's address, and so ask their own cluster even when several run on one
    machine; left to search, Ray Train's cleaner gives up there.
    """
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def set_defaults(config: ClusterConfig) -> None:
    """Settings that Ray reads from the environment; what the user has set stays."""
    defaults = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": f"{config.start_timeout:g}",
        "RAY_TRAIN_METRICS_ENABLED": "0",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # every epoch is committed: nothing is left to be saved in haste
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_DEDUP_LOGS": "1",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",  # a sweep that is interrupted says itself how to go on
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial that failed has no score
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
