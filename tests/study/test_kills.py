"""A study in processes: killed at drawn moments it goes on, and ends with the bits of one that was not."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from raymm.storage.layout import committed_epochs
from raymm.study.local_lanes import LocalLane
from raymm.training.lane_errors import LaneClosedError, LaneLostError
from tests.study.studies import SETTINGS, run_here, study_of, told

SAMPLES = 60
ROOT = Path(__file__).parents[2]
ARMS = "joint,sample"


def command(out, dataset):
    own = [f"{section}.{name}={value}" for section, values in SETTINGS.items() for name, value in values.items()]
    own = [setting for setting in own if not setting.startswith("model.encoder")] + ["model.encoder.width=8"]
    options = ["--data", dataset.path, "--arms", ARMS, "--seeds", "0-1", "--match", "rows", "--out", out]
    words = ["study", *options, "--backend", "local", "--lanes", "2", "--store", out.with_name("store"), *own]
    return [sys.executable, "-m", "raymm", *map(str, words)]


def started(out, dataset):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command(out, dataset), env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def progress(out):
    """Epochs that are committed in all runs, and results that are written."""
    runs = [*out.glob("runs/*/*/seed-*"), *out.glob("pilots/*/*")]
    return sum(len(committed_epochs(run)) for run in runs) + len([*out.glob("runs/*/*/*/result/result.json")])


@pytest.mark.long
@pytest.mark.slow
def test_killed_at_drawn_moments_it_ends_with_the_bits_of_one_that_was_not(tmp_path, dataset):
    straight = study_of(tmp_path / "straight", {dataset.path.name: dataset}, ARMS.split(","), match="rows")
    run_here(straight)
    draw, out, lanes = random.Random(12), tmp_path / "s", []
    for number, more, code in ((signal.SIGKILL, draw.randint(2, 6), -9), (signal.SIGTERM, draw.randint(3, 9), 143)):
        before, process = progress(out), started(out, dataset)
        while progress(out) < before + more and process.poll() is None:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.05))
        lanes += psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == code, said
        assert code < 0 or f"the same command goes on with {out}" in said
    psutil.wait_procs(lanes, timeout=10)
    assert len(lanes) == 4
    assert not [lane for lane in lanes if lane.is_running()]  # a lane ends with its driver
    last = started(out, dataset)
    said, _ = last.communicate(timeout=120)
    assert last.returncode == 0, said
    assert told(out) == told(straight.path)
    assert "joint_matched" in said


def test_a_lane_that_is_killed_says_so_starts_again_and_ends_when_it_is_closed(tmp_path, dataset):
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint"], seeds=[0])
    lane = LocalLane(tmp_path / "lane.log")
    assert "no run there" in lane.train(tmp_path / "nothing", None)
    victim = psutil.Process(lane._process.pid)
    victim.kill()
    with pytest.raises(LaneLostError, match="SIGKILL"):
        lane.train(study.path, None)
    assert "no run there" in lane.train(study.path, None)
    second = psutil.Process(lane._process.pid)
    assert second.pid != victim.pid
    lane.close()
    assert not second.is_running()
    with pytest.raises(LaneClosedError):
        lane.train(study.path, None)
