"""A process that was warmed trains the same bits, and its first run costs what the second does."""

import subprocess
import sys

import numpy as np
import torch

from raymm.storage import sha256_of
from raymm.training import warm_process
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.training.whole_runs import train_here
from tests.games import settings

SAMPLES = 120

SCRIPT = """
import sys
from pathlib import Path
from raymm.training.result import read_result
from raymm.training.whole_runs import train_folder
for path in sys.argv[1:]:
    assert train_folder(Path(path)) == ""
    history = read_result(Path(path)).history
    print(sum(entry["metrics"]["time/cpu_s"] for entry in history))
"""


def run_of(path, dataset, seed=0):
    return create_or_open(path, settings(training={"seed": seed, "threads": 1}), dataset)


def test_warming_changes_no_bit(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(warm_process, "_warmed", set())
    plain = run_of(tmp_path / "plain", dataset)
    train(plain, dataset, Backends())
    warmed = run_of(tmp_path / "warmed", dataset)
    train_here(warmed, None, torch.device("cpu"))
    names = ("result/model/model.safetensors", "result/valuation-test.parquet")
    assert [sha256_of(plain.path / name) for name in names] == [sha256_of(warmed.path / name) for name in names]
    assert warm_process._warmed == {dataset.digest}


def test_the_first_run_of_a_process_costs_what_the_others_do(tmp_path, dataset):
    """Cold it costs several times as much on a data set of this size."""
    paths = [str(run_of(tmp_path / str(seed), dataset, seed).path) for seed in range(4)]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *paths], capture_output=True, text=True, check=True)
    first, *others = map(float, done.stdout.split())
    assert first < 2.5 * np.median(others)
