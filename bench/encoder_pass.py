"""(a) Seconds of a valuation pass over seconds of an encoder-only pass, three modalities, one process."""

from pathlib import Path

import torch

from bench.timing import Measured, side_by_side
from raymm.config import Config
from raymm.data import BatchReader, open_dataset
from raymm.models.model import build_model
from raymm.valuation.engine import batches, value_rows


def run(data: Path) -> Measured:
    """Measure on the training split; both passes read the same view in the same batches."""
    dataset = open_dataset(data)
    config = Config()
    view, rows = BatchReader(dataset, config.view), dataset.rows("train")
    model = build_model(dataset.schema, config.model, 0).eval()

    def encode() -> None:
        with torch.inference_mode():
            for some in batches(rows, config.valuation.batch_size):
                model.encode(view.batch(some))

    ratio, ratios = side_by_side(lambda: value_rows(model, view, rows, config), encode, rounds=9)
    return Measured("valuation pass / encoder pass", ratio, "<=", 1.10, {"samples": len(rows), "ratios": ratios})
