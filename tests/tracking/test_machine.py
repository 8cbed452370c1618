"""What is said of the machine of a run, against the kernel's own numbers."""

import sys
from pathlib import Path

import pytest

from raymm.reports.run_tracking import HistoryLog
from raymm.tracking import MemoryTracker
from raymm.tracking.machine import MachineLoad
from raymm.tracking.metrics import parse


def entries(count):
    return [{"epoch": number, "metrics": {"val/loss": float(number)}} for number in range(count)]


def test_names_are_declared_and_shares_are_shares():
    found = MachineLoad()()
    assert all(parse(name) is not None for name in found)
    shares = {name: value for name, value in found.items() if name.endswith("percentage")}
    assert len(shares) >= 3
    assert all(0 <= value <= 100 for value in shares.values())


def test_memory_is_what_the_kernel_says():
    lines = Path("/proc/meminfo").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    expected = 100 * (kib["MemTotal"] - kib["MemAvailable"]) / kib["MemTotal"]
    assert MachineLoad()()["system/system_memory_usage_percentage"] == pytest.approx(expected, abs=15)


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
