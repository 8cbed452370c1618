"""Data sets: their schema, their form on disk, and the batches that a model is given."""

from typing import TYPE_CHECKING

from raymm.data.dataset import Dataset, open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.data.kinds.audio import AudioSpec
from raymm.data.kinds.embedding import EmbeddingSpec
from raymm.data.kinds.flow import FlowSpec
from raymm.data.kinds.flow_pictures import FlowPicturesSpec
from raymm.data.kinds.image import ImageSpec
from raymm.data.kinds.rgb import RgbSpec
from raymm.data.kinds.rgb_pictures import RgbPicturesSpec
from raymm.data.kinds.sequence import SequenceSpec
from raymm.data.kinds.text import TextSpec
from raymm.data.kinds.vector import VectorSpec
from raymm.data.kinds.waveform import WaveformSpec
from raymm.data.media.problem import MediaError
from raymm.data.opening import open_data
from raymm.data.schema import ModalitySpec, Schema
from raymm.deferred import importing

if TYPE_CHECKING:
    from raymm.data.batch import Batch
    from raymm.data.reader import BatchReader
    from raymm.data.reader import BatchReader as View

__all__ = [
    "AudioSpec",
    "Batch",
    "BatchReader",
    "Dataset",
    "EmbeddingSpec",
    "FlowPicturesSpec",
    "FlowSpec",
    "ImageSpec",
    "MediaError",
    "ModalitySpec",
    "RgbPicturesSpec",
    "RgbSpec",
    "Sample",
    "Schema",
    "SequenceSpec",
    "TextSpec",
    "VectorSpec",
    "View",
    "WaveformSpec",
    "open_data",
    "open_dataset",
    "write_dataset",
]

OF_TORCH = {
    "Batch": ("raymm.data.batch", "Batch"),
    "BatchReader": ("raymm.data.reader", "BatchReader"),
    "View": ("raymm.data.reader", "BatchReader"),
}
"""What needs torch, and is imported when it is first used; `View` is the name of `BatchReader` in version 0.1.0."""

__getattr__ = importing(__name__, OF_TORCH)
