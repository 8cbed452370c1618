"""A Ray of this machine alone: on the loopback interface, in a temporary folder, ended without a trace.

Nothing of it listens on another interface, so no other machine reaches it, with or without the token. Its processes
and its folder are gone afterwards, also where a signal came while it started.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.cluster.resources import needed_cpus
from raymm.cluster.session_folder import session_folder
from raymm.errors import ClusterError, last_line

if TYPE_CHECKING:
    from raymm.config.cluster import ClusterConfig

__all__ = ["DASHBOARD", "init_ray", "local_ray", "shut_down"]

log = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 256 * 2**20

SHUTDOWN_SECONDS = 5.0
"""Longest wait for Ray's processes to end by themselves."""

DASHBOARD = "RAY_API_SERVER_ADDRESS"

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SEVERAL_NODES = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Without it a node of Ray has the address 127.0.0.1 and listens there only, on every system."""


@contextmanager
def local_ray(config: ClusterConfig, cpus: int | None = None) -> Iterator[None]:
    """Start a Ray for the block.

    Parameters
    ----------
    config
        What will be asked of it.
    cpus
        Its logical CPUs; default: the machine's cores, or more where `config` needs more.

    Raises
    ------
    ClusterError
        When it does not start.
    """
    with session_folder() as folder, _on_loopback():
        port = _free_port()
        with _environment(DASHBOARD, f"http://127.0.0.1:{port}"):
            try:
                _start(folder, port, cpus or _logical_cpus(config))
                yield
            finally:
                _end(folder)


def _start(folder: Path, port: int, cpus: int) -> None:
    try:
        init_ray(
            address="local",
            num_cpus=cpus,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            dashboard_port=port,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=str(folder),
        )
    except OSError:
        raise
    except Exception as cause:  # Ray raises bare exceptions, as for a node that does not come up in time
        raise ClusterError(
            f"a Ray of this machine could not be started ({last_line(cause, type(cause).__name__)}); is the machine "
            "very busy, or short of memory? Try again, or train without Ray by --backend local"
        ) from cause


def init_ray(**settings: Any) -> None:
    """Call `ray.init`, which no signal interrupts, and which leaves the signals to the program.

    Ray's own handler of SIGTERM would end the process by `SystemExit`, or by SIGABRT where it waits for a result.
    """
    import ray  # noqa: PLC0415  (reads its settings from the environment when it is imported)

    with _signals_wait(ray._private.utils):  # noqa: SLF001  (there is no public way to do without Ray's handler)
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **settings)


@contextmanager
def _signals_wait(utils: Any) -> Iterator[None]:
    """Let the first signal take effect after the block, and the second one at once.

    Python drops what a handler raises while a process is forked, and Ray forks some ten of them.
    """
    received: list[int] = []

    def note(number: int, frame: object) -> None:
        del frame
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    before, set_handler = {}, utils.set_sigterm_handler
    if threading.current_thread() is threading.main_thread():
        numbers = [number for number in SIGNALS if signal.getsignal(number) not in {None, signal.SIG_IGN}]
        before = {number: signal.signal(number, note) for number in numbers}
    utils.set_sigterm_handler = lambda _: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = set_handler
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def shut_down() -> None:
    """Leave Ray.

    References to objects of Ray that only cycles hold are dropped before, and none in the meantime: where another
    thread collects one while Ray shuts down, Ray ends the process with exit code 1.
    """
    import ray  # noqa: PLC0415

    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        if enabled:
            gc.enable()


def _end(folder: Path) -> None:
    """Shut Ray down, and end what it leaves: all of it, where it was interrupted while it started."""
    from psutil import Error, wait_procs  # noqa: PLC0415  (Ray brings it)

    processes = _processes_in(folder)
    shut_down()
    processes |= _processes_in(folder)
    _, left = wait_procs(processes, timeout=SHUTDOWN_SECONDS)
    for process in left:
        with suppress(Error):
            process.kill()
    wait_procs(left, timeout=SHUTDOWN_SECONDS)


def _processes_in(folder: Path) -> set[Any]:
    """The children of this process that were started with the folder, and all that these started."""
    from psutil import Error, Process  # noqa: PLC0415

    found = set()
    for child in Process().children():
        with suppress(Error):
            if str(folder) in " ".join(child.cmdline()):
                found |= {child, *child.children(recursive=True)}
    return found


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Let nodes that are started in the block, and their processes, use the loopback interface."""
    from ray._private import ray_constants  # noqa: PLC0415  (of the node's address there is no public setting)

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        with _environment(SEVERAL_NODES, "0"):
            yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _logical_cpus(config: ClusterConfig) -> int:
    cores = os.cpu_count() or 1
    wanted = max(cores, ceil(needed_cpus(config)))
    if wanted > cores:
        log.warning("this machine has %d cores; Ray is told of %d, so that all workers can start", cores, wanted)
    return wanted


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set a variable for the block, for this process and those of Ray.

    By the dashboard's address they ask their own cluster even when several run on one machine; left to search, Ray
    Train's cleaner gives up there.
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
