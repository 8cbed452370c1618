"""(n) Processor seconds and memory of preparing 50,000 rows of 256 numbers from Parquet, in a process of its own.

Memory is the peak of the process, and that beyond what the imports take. Beside them stand the processor seconds in
which the command line answers: `raymm --help` and `raymm prepare --help`.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.timing import Bar, Measured, peak_mib, processor_seconds_of_raymm

ROWS, SIZE = 50_000, 256
MB_OF_MIB = 2**20 / 1e6


def run(data: Path) -> Measured:
    """Prepare the rows in another process."""
    del data
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "m.parquet")
        command = [sys.executable, "-m", "bench.tables", folder]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        shards = len(list((Path(folder) / "out" / "shards").glob("*.arrow")))
    wall, seconds, before, peak = map(float, said[-4:])
    details = {"rows": ROWS, "numbers": SIZE, "shards": shards, "wall_s": wall}
    details |= {"imports_mib": before, "peak_mib": peak}
    details["start_s"] = {words: processor_seconds_of_raymm(words.split()) for words in ("--help", "prepare --help")}
    bars = {
        "MB beyond the imports": Bar((peak - before) * MB_OF_MIB, "<=", 500),
        "MB of the process": Bar(peak * MB_OF_MIB, "<=", 500),
    }
    return Measured("processor seconds to prepare 50,000 rows of 256 numbers", seconds, "<=", 10, details, bars)


def write(path: Path) -> None:
    """A manifest that holds its numbers."""
    numbers = np.random.default_rng(0).standard_normal(ROWS * SIZE, dtype=np.float32)
    labels = pa.array(["ab"[row % 2] for row in range(ROWS)])
    ids = pa.array([f"s{row}" for row in range(ROWS)])
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(numbers), SIZE)
    pq.write_table(pa.table({"sample_id": ids, "label": labels, "v": vectors}), path)


def prepare(folder: Path) -> None:
    """Prepare the manifest of a folder; prints seconds, those of the processor, and MiB before and at the peak."""
    from raymm.cli.prepare import prepare as verb
    from raymm.data import prepare as _  # noqa: F401  (what the verb imports counts as imports)

    before, start, processor = peak_mib(), time.perf_counter(), time.process_time()
    arguments = ["--manifest", str(folder / "m.parquet"), "--media-root", str(folder), "--out", str(folder / "out")]
    verb.main([*arguments, "--modalities", "v:vector", "--backend", "local"], standalone_mode=False)
    print(time.perf_counter() - start, time.process_time() - processor, before, peak_mib())


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
