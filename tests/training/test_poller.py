"""Whoever watches a run from outside sees whole artifacts alone, however often the run is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from raymm.errors import RaymmError
from raymm.storage import layout
from raymm.storage.directory import verify
from raymm.training.backends import Backends
from raymm.training.loop import train
from raymm.training.run import create_or_open
from tests.games import settings, small_dataset

ROOT = Path(__file__).parents[2]

CHILD = """
import os, sys
from pathlib import Path
from raymm.training.backends import Backends
from raymm.training.loop import train
from raymm.training.run import open_run
run = open_run(Path(sys.argv[1]))
dataset = run.dataset()
for line in sys.stdin:  # each line asks for a process that trains
    child = os.fork()
    if not child:
        train(run, dataset, Backends())
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""

CONFIG = settings(training={"epochs": 8}, model={"feature_size": 8})


def weights(run):
    return (layout.result_folder(run) / layout.MODEL / layout.WEIGHTS).read_bytes()


class Poller(threading.Thread):
    """Verifies every folder that has a manifest, and the files that are written atomically, again and again."""

    def __init__(self, run):
        super().__init__(daemon=True)
        self.run_folder, self.found, self.looks, self.done = run, [], 0, threading.Event()
        self.ended = False

    def run(self):
        while not self.done.wait(0.005):
            for folder, _, names in os.walk(self.run_folder):
                if layout.MANIFEST in names:
                    self.looks += 1
                    self.look(Path(folder) / layout.MANIFEST)
            json.loads((self.run_folder / layout.RUN).read_text())
        self.ended = True

    def look(self, manifest):
        try:
            before = manifest.read_bytes()
            verify(manifest.parent)
        except (RaymmError, FileNotFoundError) as cause:
            if manifest.exists() and manifest.read_bytes() == before:  # else it was dropped in the meantime
                self.found.append(str(cause))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_during_random_kills_nothing_is_seen_that_is_not_whole(tmp_path):
    dataset = small_dataset(tmp_path / "data", 90)
    whole, run = (create_or_open(tmp_path / name, CONFIG, dataset) for name in ("whole", "run"))
    train(whole, dataset, Backends())
    draws = random.Random(14)
    poller = Poller(run.path)
    poller.start()
    command = [sys.executable, "-c", CHILD, str(run.path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    kills = 0
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        status = None
        while status != 0:
            process.stdin.write("\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            if kills < 8:
                time.sleep(draws.uniform(0.02, 0.35))
                os.kill(child, signal.SIGKILL)
                kills += 1
            status = int(process.stdout.readline())
        process.stdin.close()
    poller.done.set()
    poller.join()
    assert poller.ended
    assert poller.found == []
    assert poller.looks > 20
    assert weights(run.path) == weights(whole.path)
    committed = {layout.epoch_folder(run.path, epoch).name for epoch in layout.committed_epochs(run.path)}
    assert {path.name for path in (run.path / layout.EPOCHS).iterdir()} == committed
    assert not layout.lock_of_folder(run.path).exists()
