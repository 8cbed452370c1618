"""Connect to Ray: the only place that calls `ray.init`.

With `RAY_ADDRESS` set (as it is inside a submitted job) that cluster is joined; otherwise a local one is
started, with its dashboard on the loopback interface, since job submission and nested runs need it, and with
token authentication. A laptop may have fewer cores than the configuration asks for: a local Ray is then told
of as many logical CPUs as are needed, because waiting for CPUs that cannot come would be silent.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from raymm.config import ClusterConfig
from raymm.errors import ClusterError

__all__ = ["connect", "needed_cpus"]

log = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 256 * 2**20


@contextmanager
def connect(config: ClusterConfig) -> Iterator[None]:
    """Join or start a Ray cluster for the block; what was started here is shut down after it.

    A Ray that this process is connected to already is used and left running.

    Raises
    ------
    ClusterError
        When `RAY_ADDRESS` is the address of a dashboard, no cluster answers there, or it has too little.
    """
    _set_defaults(config)
    import ray  # noqa: PLC0415  (reads its settings from the environment when it is imported)

    if ray.is_initialized():
        check_resources(config)
        yield
        return
    with tempfile.TemporaryDirectory(prefix="raymm-", ignore_cleanup_errors=True) as folder:
        try:
            _start(config, folder)
            check_resources(config)
            yield
        finally:
            ray.shutdown()


def needed_cpus(config: ClusterConfig) -> float:
    """CPUs that training workers and valuation actors hold at the same time."""
    return config.workers * config.cpus_per_worker + config.actors * config.cpus_per_actor


def needed_gpus(config: ClusterConfig) -> float:
    """GPUs that training workers and valuation actors hold at the same time."""
    return config.workers * config.gpus_per_worker + config.actors * config.gpus_per_actor


def check_resources(config: ClusterConfig) -> None:
    """Refuse what the connected cluster cannot ever give, with the numbers.

    An autoscaling cluster may still grow: set `RAYMM_AUTOSCALING=1` there, and the wait of
    `cluster.start_timeout` decides.
    """
    import ray  # noqa: PLC0415

    if os.environ.get("RAYMM_AUTOSCALING") == "1":
        return
    have = ray.cluster_resources()
    short = [
        f"{need:g} {what} asked for, {have.get(what, 0):g} there"
        for what, need in (("CPU", needed_cpus(config)), ("GPU", needed_gpus(config)))
        if need > have.get(what, 0)
    ]
    if short:
        raise ClusterError(
            f"the cluster is too small: {'; '.join(short)} (workers {config.workers}, actors {config.actors}); "
            "lower cluster.workers or cluster.gpus_per_worker, or set RAYMM_AUTOSCALING=1 if nodes will join"
        )


def nodes() -> int:
    """Number of living nodes of the connected cluster."""
    import ray  # noqa: PLC0415

    return sum(1 for node in ray.nodes() if node["Alive"])


def _start(config: ClusterConfig, folder: str) -> None:
    import ray  # noqa: PLC0415

    address = os.environ.get("RAY_ADDRESS", "")
    if address.startswith(("http://", "https://")):
        raise ClusterError(
            f"RAY_ADDRESS={address} is the address of a dashboard, which `ray job submit` takes; to join a cluster "
            "give its head as host:6379, and put the dashboard into RAY_API_SERVER_ADDRESS"
        )
    try:
        if address and address != "local":
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
            return
        cores = os.cpu_count() or 1
        wanted = max(cores, ceil(needed_cpus(config)))
        if wanted > cores:
            log.info("this machine has %d cores; Ray is told of %d so that all workers can start", cores, wanted)
        ray.init(
            address="local",
            num_cpus=wanted,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            dashboard_port=0,
            object_store_memory=OBJECT_STORE_BYTES,
            logging_level=logging.ERROR,
            log_to_driver=False,
            _temp_dir=folder,
        )
    except ConnectionError as cause:
        raise ClusterError(f"no Ray cluster answers at {address}: {cause}") from cause


def _set_defaults(config: ClusterConfig) -> None:
    """Settings that Ray reads from the environment; what the user has set stays."""
    defaults = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": f"{config.start_timeout:g}",
        "RAY_TRAIN_METRICS_ENABLED": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
