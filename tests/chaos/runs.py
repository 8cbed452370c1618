"""Runs of a few seconds by the command line, what they come to, and small or read-only places for them."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from raymm.storage import sha256_of
from raymm.storage.layout import epoch_folder

__all__ = [
    "EPOCHS",
    "KILLER",
    "ROOT",
    "SETTINGS",
    "by_command",
    "mounted",
    "numbers",
    "one_line",
    "order",
    "recorded",
    "train_words",
]

ROOT = Path(__file__).parents[2]
KILLER = Path(__file__).with_name("killer.py")
EPOCHS = 3
SETTINGS = [
    "method=sample",
    f"training.epochs={EPOCHS}",
    "training.batch_size=32",
    "training.threads=1",
    "method.warmup=1",
]
SETTINGS += ["model.feature_size=8", "optimizer.name=adam", "training.keep=9", "cluster.workers=1"]
BITS = ("model.safetensors", "optimizer.safetensors", "plan.safetensors")


def train_words(data, folder, *more, backend="local"):
    """The words of a training in FOLDER/run that is recorded in FOLDER/mlflow."""
    places = ["--data", data, "--out", folder / "run", "--store", folder / "mlflow"]
    return [str(word) for word in ["train", *places, "--backend", backend, *SETTINGS, *more]]


def by_command(words, timeout=110, **environment):
    """Exit code, output and errors of `raymm WORDS` in a process of its own."""
    command = [sys.executable, "-m", "raymm", *map(str, words)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout, done.stderr


def order(folder, **kill):
    """Ask for one fault of a process whose RAYMM_CHAOS is the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "fault.json").write_text(json.dumps({"kills": [kill]}))
    return folder


def numbers(run, epoch=EPOCHS):
    """What a run has come to: the SHA-256 of the files of an epoch, by default its last, and of its model."""
    files = [sha256_of(epoch_folder(run, epoch) / name) for name in BITS]
    return [*files, sha256_of(run / "result" / "model" / "model.safetensors")]


def recorded(folder, metric="val/accuracy"):
    """Status of the one run in FOLDER/mlflow, and the steps at which it has a value of a metric."""
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("raymm").experiment_id])
    return run.info.status, sorted(entry.step for entry in client.get_metric_history(run.info.run_id, metric))


def one_line(said):
    """The one line that a command is refused with, of what it wrote to standard error."""
    assert "Traceback" not in said
    lines = [line for line in said.strip().splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, said
    return lines[0]


@contextlib.contextmanager
def mounted(folder, options):
    """A file system in memory at a folder for the block; the test is skipped where none may be mounted."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no command `mount`")
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
