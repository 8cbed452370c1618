"""The MLflow UI as `raymm ui` serves it, and the addresses of its views."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.browser import Browser

__all__ = ["MlflowUi", "serve"]

PATIENCE = 120.0  # seconds that the server may take to start


@dataclass(frozen=True)
class MlflowUi:
    """Opens the views of a store in a browser.

    Attributes
    ----------
    browser
        Where they open.
    url
        Of the server, without a slash at its end.
    """

    browser: Browser
    url: str

    def open_runs(self, experiment_id: str) -> None:
        """The table of an experiment's runs."""
        self.browser.open(f"{self.url}/#/experiments/{experiment_id}/runs?workflowType=machine_learning")

    def open_compare(self, experiment_id: str, run_ids: Sequence[str]) -> None:
        """Several runs side by side."""
        runs, experiments = quote(json.dumps(list(run_ids))), quote(json.dumps([experiment_id]))
        self.browser.open(f"{self.url}/#/compare-runs?runs={runs}&experiments={experiments}")

    def open_run(self, experiment_id: str, run_id: str, view: str = "") -> None:
        """One run; `view` is "" for its overview, "model-metrics", or "artifacts/PATH"."""
        self.browser.open(f"{self.url}/#/experiments/{experiment_id}/runs/{run_id}/{quote(view)}".rstrip("/"))

    def expand(self) -> None:
        """In the table of runs, show the children of the first run that has some, or hide them again."""
        self.browser.click("[data-component-id*=runnamecellrenderer]")

    def metrics_compared(self) -> list[list[str]]:
        """Rows of the metrics of several runs side by side: the name, and a value for each run."""
        self.browser.wait("document.querySelector('[role=grid] [title=\"Plot chart\"]') !== null")
        return self.browser.lines("[role=grid] [role=rowgroup] > div")


@contextlib.contextmanager
def serve(store: Path, folder: Path) -> Iterator[str]:
    """Run `raymm ui` over a local store on a free port; yields its address once it answers.

    Parameters
    ----------
    store
        Folder of the store.
    folder
        Where the server's log goes.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    raymm = Path(sys.executable).with_name("raymm")
    log = folder / "ui.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [str(raymm), "ui", "--store", str(store), "--port", str(port)],
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_it_answers(url, process, log)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"`raymm ui` did not answer: {log.read_text()[-2000:]}")
