"""Lanes that are processes of this machine: `python -m raymm.study.local_lanes`, told what to train line by line.

The driver writes a line of JSON for each run and reads one back. A lane ends when its driver does, however that ends:
it reads the end of its input. What runs print goes to the file of the lane.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from raymm.training.lane_errors import LaneClosedError, LaneLostError

__all__ = ["LocalLane", "cores", "main"]

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""One thread a lane: lanes share the cores, and the bits of a run do not depend on how many there are."""


class LocalLane:
    """A process that trains runs; it starts with its first run.

    Parameters
    ----------
    log
        File that gets what runs print.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._closed = False

    @property
    def started(self) -> bool:
        """Whether the process has been started, and was not lost."""
        return self._process is not None

    def train(self, path: Path, until: int | None) -> str:
        """Train the run of a folder; see `raymm.study.lanes.Lane`."""
        process = self._started()
        try:
            _send(process.stdin, {"path": str(path), "until": until})
            line = process.stdout.readline() if process.stdout else ""
        except (BrokenPipeError, ValueError):
            line = ""
        if not line:
            if self._closed:
                raise LaneClosedError
            self._process = None
            raise LaneLostError(_how_it_ended(process))
        return str(json.loads(line)["cause"])

    def close(self) -> None:
        """End the process."""
        self._closed = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _started(self) -> subprocess.Popen[str]:
        if self._closed:
            raise LaneClosedError
        if self._process is None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
            with self._log.open("a") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "raymm.study.local_lanes"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env={**THREADS, **os.environ, "PYTHONPATH": path},
                    start_new_session=True,  # Ctrl-C is for the driver, which then ends its lanes
                )
        return self._process


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    """Train the runs that the lines of the input name, until it ends."""
    from raymm.allocator import tune_malloc  # noqa: PLC0415

    tune_malloc()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a part prints must not stand among the answers
    lines: list[str] = []
    came = threading.Condition()
    threading.Thread(target=_listen, args=(lines, came), daemon=True).start()

    import torch  # noqa: PLC0415

    from raymm.training.whole_runs import train_folder  # noqa: PLC0415

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    while True:
        with came:
            came.wait_for(lambda: lines)
            asked = json.loads(lines.pop(0))
        _send(answers, {"cause": train_folder(Path(asked["path"]), asked["until"])})


def _listen(lines: list[str], came: threading.Condition) -> None:
    """Read what is to be trained; at the end of the input the driver is gone, and this process ends at once."""
    for line in sys.stdin:
        with came:
            lines.append(line)
            came.notify()
    os._exit(0)


def _send(to: IO[Any] | None, message: dict[str, Any]) -> None:
    assert to is not None
    to.write(json.dumps(message) + "\n")
    to.flush()


def _how_it_ended(process: subprocess.Popen[str]) -> str:
    code = process.wait()
    return f"{signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


if __name__ == "__main__":
    main()
