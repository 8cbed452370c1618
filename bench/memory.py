"""(c) Peak memory of valuing a million samples over that of a hundred thousand, each in a process of its own.

Samples come from a generator and rows go to a Parquet file as they are done, so only one tile is ever held.
"""

import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from bench.timing import Measured, peak_mib
from raymm.config import Config
from raymm.data import Batch, Schema, VectorSpec
from raymm.models.model import build_model
from raymm.valuation import TableInfo, ValuationTable, value_samples
from raymm.valuation.protocol import fingerprint
from raymm.valuation.table_file import TableWriter

TILE = 4096
SCHEMA = Schema(modalities=tuple(VectorSpec(name=f"m{i}", size=16) for i in range(3)), classes=("a", "b", "c", "d"))


def run(data: Path) -> Measured:
    """Measure two sizes in two processes."""
    del data
    peaks = [_peak_of_process(count) for count in (100_000, 1_000_000)]
    return Measured("peak memory, 10^6 / 10^5 samples", peaks[1] / peaks[0], "<=", 1.2, {"peak_mib": peaks})


def value_stream(count: int, out: Path) -> None:
    """Value `count` random samples with three modalities and write the table."""
    config = Config()
    model = build_model(SCHEMA, config.model, 0).eval()
    names = SCHEMA.names
    info = TableInfo(names, config.valuation.utility, config.model.baseline, fingerprint(model))
    generator = torch.Generator().manual_seed(0)
    with TableWriter(out, info) as writer, torch.inference_mode():
        for start in range(0, count, TILE):
            rows = np.arange(start, min(start + TILE, count))
            batch = _batch(rows, generator)
            values = value_samples(model, model.encode(batch), batch.labels)
            writer.write(
                ValuationTable(
                    info=info,
                    sample_id=rows.astype(np.str_),
                    split=np.full(len(rows), "test"),
                    label=batch.labels.numpy(),
                    **{field.name: getattr(values, field.name).numpy() for field in fields(values)},
                )
            )


def _batch(rows: np.ndarray, generator: torch.Generator) -> Batch:
    return Batch(
        inputs={name: torch.randn(len(rows), 16, generator=generator) for name in SCHEMA.names},
        mask=torch.ones(len(rows), 3, dtype=torch.bool),
        labels=torch.randint(4, (len(rows),), generator=generator),
        index=torch.from_numpy(rows),
    )


def _peak_of_process(count: int) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory", str(count)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        value_stream(int(sys.argv[1]), Path(folder) / "table.parquet")
    print(peak_mib())
