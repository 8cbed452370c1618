"""Keep what a bench has measured; apart from the clocks, which processes use whose memory is measured."""

import json
import platform
from pathlib import Path

import torch

from bench.timing import Measured

__all__ = ["keep"]

RESULTS = Path(__file__).parent / "results"


def keep(measured: Measured, name: str) -> None:
    """Write a result into bench/results/NAME.json, with what it was measured on."""
    machine = {"machine": platform.machine(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(measured.record() | machine, indent=2) + "\n")
