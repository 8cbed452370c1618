"""The most memory that a training held since it was asked to watch: of the GPU, or of the process."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import torch

__all__ = ["most_memory", "watch_memory"]

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
RESET_PEAK = "5"
"""What Linux takes to forget the highest resident size so far."""


def watch_memory(device: torch.device) -> None:
    """Begin anew; where the system cannot forget, the peak since the process began is told."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        CLEAR.write_text(RESET_PEAK)


def most_memory(device: torch.device) -> float:
    """MiB at the most: allocated on the GPU, else the resident size of this process; NaN where neither is known."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return float(found[1]) / 2**10 if found else float("nan")
