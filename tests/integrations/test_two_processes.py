"""Two processes of Accelerate: each trains its part of every batch, and both plan by the values of the first."""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def run(folder, world):
    folder.mkdir()
    given = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if world > 1:
        given |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(world)}
        given |= {"ACCELERATE_USE_CPU": "true", "LOCAL_WORLD_SIZE": str(world)}
    words = [sys.executable, "-m", "tests.integrations.two_processes", str(folder)]
    started = [
        subprocess.Popen(
            words,
            cwd=ROOT,
            env=given | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if world > 1 else {}),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    for process in started:
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(world)]


@pytest.mark.slow
def test_two_processes_share_the_rows_of_each_batch_and_hold_equal_weights(tmp_path):
    first, second = run(tmp_path / "two", 2)
    assert first["weights"] == second["weights"]
    assert first["rows"] == second["rows"] > 120
    for epoch, (one, other) in enumerate(zip(first["planned"], second["planned"], strict=True)):
        assert len(one) == len(other)
        assert all(0 <= len(a) - len(b) <= 1 and b for a, b in zip(one, other, strict=True))
        rows = Counter((position, tuple(keep)) for part in (one, other) for batch in part for position, keep in batch)
        if epoch < 2:
            assert rows == Counter((i, (True, True)) for i in range(120))
        else:
            assert {position for position, keep in rows if all(keep)} == set(range(120))
            assert sum(rows.values()) > 120
