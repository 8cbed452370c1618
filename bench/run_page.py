"""(p) Seconds, memory and size of `raymm report RUN` on a run whose test split has a million samples of two vectors.

python -m bench.run_page ROWS

The data set, the training on a thousandth of it and the report are real; the report runs in a process of its own.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.many_rows import SCHEMA, SETTINGS, write_rows
from bench.timing import Bar, Measured, peak_mib, said_by_process
from raymm.config import load
from raymm.data import open_dataset
from raymm.storage import layout
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open

ROWS = 1_000_000
SHARD_ROWS = 2**14
PARTS = (1, 2, 1000)
"""Of a thousand rows one is for training, one for validation, and the others for test."""
LARGEST = 5_000_000
"""Bytes of a page."""


def run(data: Path, rows: int = ROWS) -> Measured:
    """Write the data set, train, and report in another process."""
    del data
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_rows(place / "data", rows, SCHEMA, SHARD_ROWS, PARTS)
        dataset, started = open_dataset(place / "data"), time.perf_counter()
        train(create_or_open(place / "run", load(None, SETTINGS), dataset), dataset, Backends())
        details: dict[str, Any] = {"rows": rows, "train_and_test_s": time.perf_counter() - started}
        details |= said_by_process("bench.run_page", "report", folder)
    bars = {
        "bytes of the page": Bar(details["page_bytes"], "<=", LARGEST),
        "MiB of the process": Bar(details["peak_mib"], "<=", 3000),
    }
    return Measured(
        "processor seconds to report a run of a million samples", details["cpu_s"], "<=", 30, details, bars
    )


def report(folder: Path) -> dict[str, float]:
    """Report on the run of a folder: seconds, those of the processor, MiB at the peak, bytes of what is written."""
    import raymm

    started, cpu = time.perf_counter(), time.process_time()
    page = raymm.report(folder / "run").page
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    beside = sum(file.stat().st_size for file in layout.gallery_files(page))
    written = {"page_bytes": page.stat().st_size, "beside_bytes": beside}
    return {"report_s": seconds, "cpu_s": cpu, "peak_mib": peak_mib(), **written}


def _main(words: list[str]) -> None:
    if words[:1] == ["report"]:
        print(json.dumps(report(Path(words[1]))))
        return
    measured = run(Path(), int(words[0]))
    print(measured.line())
    result = Path(__file__).parent / "results" / "run_page.json"
    result.write_text(json.dumps(measured.record(), indent=2) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1:])
