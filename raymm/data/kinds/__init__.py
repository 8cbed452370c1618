"""Kinds of modality: one file a kind, each a class with all that raymm must know to prepare, store and read one."""

from raymm.config.registries import KINDS
from raymm.data.kinds.audio import AudioSpec
from raymm.data.kinds.base import ModalitySpec, kind_of
from raymm.data.kinds.embedding import EmbeddingSpec
from raymm.data.kinds.flow import FlowSpec
from raymm.data.kinds.flow_pictures import FlowPicturesSpec
from raymm.data.kinds.image import ImageSpec
from raymm.data.kinds.inputs import Probe
from raymm.data.kinds.rgb import RgbSpec
from raymm.data.kinds.rgb_pictures import RgbPicturesSpec
from raymm.data.kinds.sequence import SequenceSpec
from raymm.data.kinds.text import TextSpec
from raymm.data.kinds.vector import VectorSpec
from raymm.data.kinds.waveform import WaveformSpec

__all__ = [
    "KINDS",
    "AudioSpec",
    "EmbeddingSpec",
    "FlowPicturesSpec",
    "FlowSpec",
    "ImageSpec",
    "ModalitySpec",
    "Probe",
    "RgbPicturesSpec",
    "RgbSpec",
    "SequenceSpec",
    "TextSpec",
    "VectorSpec",
    "WaveformSpec",
    "kind_of",
]

BUILT_IN = (
    *(AudioSpec, RgbSpec, FlowSpec, TextSpec, VectorSpec, SequenceSpec, ImageSpec, EmbeddingSpec),
    *(FlowPicturesSpec, RgbPicturesSpec, WaveformSpec),
)
for _spec in BUILT_IN:
    KINDS.register(_spec.model_fields["kind"].default, _spec)
