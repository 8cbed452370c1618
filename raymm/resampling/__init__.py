"""Re-sampling: from contributions to the rows that the next epoch trains."""

from raymm.resampling import reference
from raymm.resampling.functions import FAMILIES, function, register_family
from raymm.resampling.plan import Plan, base_plan, epoch_order, make_plan
from raymm.resampling.strategies import STRATEGIES, Copies, Situation, register_strategy, strategy

__all__ = [
    "FAMILIES",
    "STRATEGIES",
    "Copies",
    "Plan",
    "Situation",
    "base_plan",
    "epoch_order",
    "function",
    "make_plan",
    "reference",
    "register_family",
    "register_strategy",
    "strategy",
]
