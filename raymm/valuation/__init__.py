"""Shapley values of modalities: coalitions, utilities, the exact kernel, interactions and the table."""

from raymm.valuation.exact import interactions, shapley_values
from raymm.valuation.samples import SampleValues, value_samples
from raymm.valuation.table import TableInfo, ValuationTable, read_table, write_table

__all__ = [
    "SampleValues",
    "TableInfo",
    "ValuationTable",
    "interactions",
    "read_table",
    "shapley_values",
    "value_samples",
    "write_table",
]
