"""Values of one's own model on one's own batches, in memory."""

from raymm.valuation.own.errors import BatchError
from raymm.valuation.own.values import value_batches

__all__ = ["BatchError", "value_batches"]
