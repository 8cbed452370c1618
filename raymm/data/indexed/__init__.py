"""Data sets whose samples stay where they are: an index is kept of them, and values are read while training."""

from raymm.config.registries import ITEMS
from raymm.data.indexed.base import IndexedSample, ItemReader, ItemSource, Kept, Listing
from raymm.data.indexed.own import OwnDataset

__all__ = ["ITEMS", "IndexedSample", "ItemReader", "ItemSource", "Kept", "Listing", "OwnDataset"]

for _kind in (OwnDataset,):
    ITEMS.register(_kind.kind, _kind)
