"""Data sets: their schema, the store on disk, and the views that a model is given."""

from raymm.data.batch import Batch
from raymm.data.dataset import Dataset, open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.data.reader import View
from raymm.data.schema import (
    AudioSpec,
    FlowSpec,
    ModalitySpec,
    RgbSpec,
    Schema,
    SequenceSpec,
    TextSpec,
    VectorSpec,
)

__all__ = [
    "AudioSpec",
    "Batch",
    "Dataset",
    "FlowSpec",
    "ModalitySpec",
    "RgbSpec",
    "Sample",
    "Schema",
    "SequenceSpec",
    "TextSpec",
    "VectorSpec",
    "View",
    "open_dataset",
    "write_dataset",
]
