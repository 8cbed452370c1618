"""F39: a sweep is interrupted once, and twice; what has ended is kept, and the same sweep does the rest."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.chaos.runs import ROOT, SETTINGS

pytestmark = [pytest.mark.ray, pytest.mark.chaos, pytest.mark.timeout(420)]

SAMPLES = 120
SPACE = """
from ray import tune

def scales():
    return {"method.settings.fs.scale": tune.grid_search([0.5, 1.0, 2.0])}
"""


def start(words):
    """The command, which heeds SIGINT as one that is started in a shell does."""
    command = [sys.executable, "-m", "raymm", "sweep", *map(str, words)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    finally:
        signal.signal(signal.SIGINT, before)


def ended(sweep):
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(sweep.glob("trials/*/ended.json"))}


def until_trial(sweep, process, count):
    """Wait until so many trials have ended and the next has begun."""
    patience = time.monotonic() + 150
    while not (len(ended(sweep)) >= count and list(sweep.glob(f"trials/{count:03}-*/trial.log"))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < patience
        time.sleep(0.1)


def interrupt(sweep, words, often, trial):
    """Start or resume a sweep, and interrupt it once or twice in a trial; what has ended by then."""
    process = start(words)
    until_trial(sweep, process, trial)
    for _ in range(often):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.5)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert f"raymm sweep --resume {sweep}" in said
    return ended(sweep)


def test_F39_a_sweep_that_is_interrupted(tmp_path, dataset):
    """In its second trial once, and after it went on, in its third twice."""
    (tmp_path / "scales.py").write_text(SPACE)
    sweep = tmp_path / "sweep"
    words = ["--data", dataset.path, "--space", tmp_path / "scales.py", "--out", sweep, "--store", tmp_path / "s"]
    resumed = ["--resume", sweep, "--store", tmp_path / "s"]
    once = interrupt(sweep, [*words, *SETTINGS, "cluster.actors=0", "--concurrent", "1"], 1, 1)
    assert 1 <= len(once) < 3
    twice = interrupt(sweep, resumed, 2, 2)
    assert len(twice) == 2
    process = start(resumed)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    after = ended(sweep)
    assert len(after) == 3
    assert {name: after[name] for name in twice} == twice
    assert {name: twice[name] for name in once} == once
    assert {outcome["status"] for outcome in after.values()} == {"finished"}
