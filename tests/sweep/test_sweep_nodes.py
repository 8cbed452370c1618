"""A sweep over several nodes, one of which is lost: every trial ends, and each ends once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.long]

ROOT = Path(__file__).parents[2]


def test_a_node_that_dies_costs_no_trial(tmp_path):
    command = [sys.executable, "-m", "tests.sweep.sweep_over_nodes", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["at_once"] == 2
    assert told["lost"]
    assert sorted(told["ends"]) == sorted(set(told["ends"]))
    assert told["ended"] == ["finished"] * 4
    assert told["recorded"] == ["FINISHED"] * 4
    assert told["epochs"] == [40] * 4
