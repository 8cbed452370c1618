"""Readers of published data sets: one file a source, each a class that knows lists, folders, splits and traps.

A source is a subclass of `Source`, registered in `raymm.config.registries.SOURCES` or named as "package.module:NAME".
"""

from raymm.config.registries import SOURCES
from raymm.data.sources.ave import Ave
from raymm.data.sources.base import Absent, Entry, Listing, Source, SourceSettings, get_source
from raymm.data.sources.cmu_mosei import CmuMosei
from raymm.data.sources.collection import Collection, collect, write_collection
from raymm.data.sources.crema_d import CremaD
from raymm.data.sources.files import SOUND, VIDEO, Files
from raymm.data.sources.food101 import Food101
from raymm.data.sources.kinetics_sounds import KineticsSounds
from raymm.data.sources.lists import LineError, Lists
from raymm.data.sources.mm_debiased import MmDebiased
from raymm.data.sources.nvgesture import NvGesture
from raymm.data.sources.ucf101 import Ucf101
from raymm.data.sources.vggsound import VggSound

__all__ = [
    "SOUND",
    "SOURCES",
    "VIDEO",
    "Absent",
    "Collection",
    "Entry",
    "Files",
    "LineError",
    "Listing",
    "Lists",
    "Source",
    "SourceSettings",
    "collect",
    "get_source",
    "write_collection",
]

BUILT_IN = {
    "kinetics_sounds": KineticsSounds,
    "ucf101": Ucf101,
    "crema_d": CremaD,
    "vggsound": VggSound,
    "ave": Ave,
    "mm_debiased": MmDebiased,
    "cmu_mosei": CmuMosei,
    "food101": Food101,
    "nvgesture": NvGesture,
}
for _name, _source in BUILT_IN.items():
    SOURCES.register(_name, _source)
