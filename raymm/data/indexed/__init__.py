"""Data sets whose samples stay where they are: an index is kept of them, and values are read while training."""

from raymm.config.registries import ITEMS
from raymm.data.indexed.base import IndexedSample, ItemReader, ItemSource, Kept, Listing
from raymm.data.indexed.huggingface import HuggingFaceFolder
from raymm.data.indexed.manifest_source import ManifestSource
from raymm.data.indexed.own import OwnDataset
from raymm.data.indexed.tar import TarArchives

__all__ = ["ITEMS", "IndexedSample", "ItemReader", "ItemSource", "Kept", "Listing"]

for _kind in (OwnDataset, HuggingFaceFolder, TarArchives, ManifestSource):
    ITEMS.register(_kind.kind, _kind)
