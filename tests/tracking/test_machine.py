"""What is said of the machine of a run, against the kernel's own numbers."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from raymm.reports.run_tracking import HistoryLog
from raymm.tracking import MemoryTracker
from raymm.tracking.machine import MachineLoad
from raymm.tracking.metrics import parse


def entries(count):
    return [{"epoch": number, "metrics": {"val/loss": float(number)}} for number in range(count)]


def test_names_are_declared_and_shares_are_shares():
    load = MachineLoad()
    time.sleep(0.1)
    found = load()
    assert all(parse(name) is not None for name in found)
    shares = {name: value for name, value in found.items() if name.endswith("percentage")}
    assert len(shares) >= 3
    assert all(0 <= value <= 100 for value in shares.values())


def test_memory_is_what_the_kernel_says():
    lines = Path("/proc/meminfo").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    expected = 100 * (kib["MemTotal"] - kib["MemAvailable"]) / kib["MemTotal"]
    assert MachineLoad()()["system/system_memory_usage_percentage"] == pytest.approx(expected, abs=15)


class Times(NamedTuple):
    """What the processors spent their seconds on; the guest's are among the user's."""

    user: float
    system: float
    idle: float
    iowait: float
    guest: float


def test_runs_side_by_side_are_told_of_their_own_time_each(monkeypatch):
    spent = [Times(10.0, 5.0, 20.0, 1.0, 4.0)]
    monkeypatch.setattr(psutil, "cpu_times", lambda: spent[-1])
    first, name = MachineLoad(), "system/cpu_utilization_percentage"
    assert name not in first()  # no time has passed
    spent.append(Times(12.0, 6.0, 20.5, 1.5, 5.0))  # of 4 seconds 1 is idle
    second = MachineLoad()
    assert first()[name] == pytest.approx(75.0)
    spent.append(Times(12.0, 6.0, 28.5, 1.5, 5.0))
    assert first()[name] == pytest.approx(0.0)
    spent.append(Times(20.0, 6.0, 28.5, 1.5, 5.0))
    assert second()[name] == pytest.approx(50.0)
    assert first()[name] == pytest.approx(100.0)


def test_the_newest_epoch_has_it_once():
    tracker = MemoryTracker()
    asked = []
    log = HistoryLog(tracker, lambda: asked.append(1) or {"system/cpu_utilization_percentage": 50.0})
    log(entries(2))
    log(entries(3))
    log(entries(3))
    assert [sorted(metrics) for metrics in tracker.epochs.values()] == [
        ["val/loss"],
        ["system/cpu_utilization_percentage", "val/loss"],
        ["system/cpu_utilization_percentage", "val/loss"],
    ]
    assert sorted(tracker.epochs) == [1, 2, 3]
    assert len(asked) == 2


def test_without_psutil_nothing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert MachineLoad()() == {}
