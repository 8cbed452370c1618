"""Connect to Ray: the only place that calls `ray.init`.

With `RAY_ADDRESS` set (as it is inside a submitted job) that cluster is joined; otherwise a local one is
started, on the loopback interface, with its dashboard, since job submission and nested runs need it, and with
token authentication, which Ray turns on for local clusters by itself. A laptop may have fewer cores than the
configuration asks for: a local Ray is then told of as many logical CPUs as are needed, because Ray waits for missing
CPUs without a message; up to four times the cores, beyond which the configuration is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING

from raymm.cluster.local_ray import DASHBOARD, init_ray, local_ray, shut_down
from raymm.cluster.probe import connection_problem
from raymm.cluster.resources import check_resources, cluster_totals, needed_cpus
from raymm.counts import counted
from raymm.errors import ClusterError, Problems
from raymm.signals import stoppable

if TYPE_CHECKING:
    from raymm.config.cluster import ClusterConfig

__all__ = ["connect", "is_multi_node", "require_cores", "set_defaults"]

MOST_PER_CORE = 4
"""Logical CPUs of a local Ray for each core at most; with more processes a machine hardly makes progress."""


@contextmanager
def connect(config: ClusterConfig, *, local_cpus: int | None = None) -> Iterator[None]:
    """Join or start a Ray cluster for the block; what was started here is shut down after it.

    A signal that asks the process to end raises `raymm.signals.Stopped` within the block. A Ray that this process is
    connected to already is used and left running.

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
        wrong, the cluster is too small, `config` asks a local Ray for more than four times the cores, or a local Ray
        does not start.
    """
    set_defaults(config)
    import ray  # noqa: PLC0415  (reads its settings from the environment when it is imported)

    if ray.is_initialized():
        _require_resources(config)
        yield
        return
    address = os.environ.get("RAY_ADDRESS", "")
    with stoppable():
        if address and address != "local":
            with _joined(address):
                _require_resources(config)
                yield
            return
        if local_cpus is None:
            require_cores(config)
        with local_ray(config, local_cpus):
            _require_resources(config)
            yield


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
        f"{counted(config.workers, 'worker')} of {counted(config.cpus_per_worker, 'CPU')} and "
        f"{counted(config.actors, 'actor')} of "
        f"{config.cpus_per_actor:g} ask for {wanted} CPUs, and this machine has {counted(cores, 'core')}; a "
        "Ray of its own "
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


@contextmanager
def _joined(address: str) -> Iterator[None]:
    try:
        _join(address)
        yield
    finally:
        shut_down()


def _join(address: str) -> None:
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
        init_ray(address=address)
    except (ConnectionError, RuntimeError, ValueError) as cause:
        raise ClusterError(
            f"RAY_ADDRESS={address}: cannot join the cluster ({' '.join(str(cause).split())}); is its token in "
            "~/.ray/auth_token here, and is RAY_AUTH_MODE=token set? Unset RAY_ADDRESS to work alone"
        ) from cause


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
        "RAY_worker_niceness": "0",  # at Ray's own 15, workers get next to nothing beside anything else that runs
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",  # a sweep that is interrupted says itself how to go on
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial that failed has no score
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
