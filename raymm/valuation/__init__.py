"""Shapley values of modalities: coalitions, utilities, exact and sampled values, interactions and the table."""

from typing import TYPE_CHECKING

from raymm.deferred import importing
from raymm.valuation.conformance import ModelError, check_model
from raymm.valuation.enumeration import contributions, value_samples
from raymm.valuation.exact import banzhaf_values, interactions, shapley_values
from raymm.valuation.protocol import AdditiveModel, SplitModel, logit_source, source_for
from raymm.valuation.sample_values import SampleValues
from raymm.valuation.sampling.budget import Sampling
from raymm.valuation.sampling.estimator import value_sampled
from raymm.valuation.table import TableInfo, ValuationTable, join_tables
from raymm.valuation.table_file import read_table, write_table
from raymm.valuation.utilities import Utility, get_utility, register_utility, utility

if TYPE_CHECKING:
    from raymm.valuation.own import BatchError, value_batches

__all__ = [
    "AdditiveModel",
    "BatchError",
    "ModelError",
    "SampleValues",
    "Sampling",
    "SplitModel",
    "TableInfo",
    "Utility",
    "ValuationTable",
    "banzhaf_values",
    "check_model",
    "contributions",
    "get_utility",
    "interactions",
    "join_tables",
    "logit_source",
    "read_table",
    "register_utility",
    "shapley_values",
    "source_for",
    "utility",
    "value_batches",
    "value_sampled",
    "value_samples",
    "write_table",
]

OWN = ("BatchError", "value_batches")
"""Names that are imported when they are first used: they load all of `raymm.data`, which the rest does without."""

__getattr__ = importing(__name__, {name: ("raymm.valuation.own", name) for name in OWN})
