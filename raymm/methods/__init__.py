"""Methods against modality imbalance, one file each, and the plan of rows that an epoch trains.

`raymm.methods.base` says what a method is; `METHODS` has them by name.
"""

from raymm.config.registries import METHODS
from raymm.methods.agm import Agm
from raymm.methods.alone import Alone
from raymm.methods.amco import Amco
from raymm.methods.arl import Arl
from raymm.methods.auto import Auto
from raymm.methods.base import ExtraRows, Method, MethodContext, ResamplingInputs
from raymm.methods.cml import Cml
from raymm.methods.coalition import Coalition
from raymm.methods.dropout import Dropout
from raymm.methods.ensemble import Ensemble
from raymm.methods.epochs import EpochEnd, EpochStart
from raymm.methods.functions import FAMILIES, Family, get_function
from raymm.methods.g_blend import GBlend
from raymm.methods.greedy import Greedy
from raymm.methods.inforeg import InfoReg
from raymm.methods.joint import Joint
from raymm.methods.lfm import Lfm
from raymm.methods.mbsd import Mbsd
from raymm.methods.mcr import Mcr
from raymm.methods.mla import Mla
from raymm.methods.mmcosine import MMCosine
from raymm.methods.mmpareto import MMPareto
from raymm.methods.modality import Modality
from raymm.methods.modality_reference import ModalityReference
from raymm.methods.multitask import Multitask
from raymm.methods.ogm_ge import OgmGe
from raymm.methods.opm import Opm
from raymm.methods.per_class import PerClass
from raymm.methods.plan import Plan, base_plan, epoch_batches, epoch_order, make_plan
from raymm.methods.pmr import Pmr
from raymm.methods.pretrained import Pretrained
from raymm.methods.random_copies import RandomCopies
from raymm.methods.reconboost import ReconBoost
from raymm.methods.registry import build_method, get_method
from raymm.methods.relearning import Relearning
from raymm.methods.remix import Remix
from raymm.methods.sample import Sample
from raymm.methods.step import Step
from raymm.methods.umt import Umt
from raymm.methods.valued import Valued

__all__ = [
    "FAMILIES",
    "METHODS",
    "Agm",
    "Alone",
    "Amco",
    "Arl",
    "Auto",
    "Cml",
    "Coalition",
    "Dropout",
    "Ensemble",
    "EpochEnd",
    "EpochStart",
    "ExtraRows",
    "Family",
    "GBlend",
    "Greedy",
    "InfoReg",
    "Joint",
    "Lfm",
    "MMCosine",
    "MMPareto",
    "Mbsd",
    "Mcr",
    "Method",
    "MethodContext",
    "Mla",
    "Modality",
    "ModalityReference",
    "Multitask",
    "OgmGe",
    "Opm",
    "PerClass",
    "Plan",
    "Pmr",
    "Pretrained",
    "RandomCopies",
    "ReconBoost",
    "Relearning",
    "Remix",
    "ResamplingInputs",
    "Sample",
    "Step",
    "Umt",
    "Valued",
    "base_plan",
    "build_method",
    "epoch_batches",
    "epoch_order",
    "get_function",
    "get_method",
    "make_plan",
]
