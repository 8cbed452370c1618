"""Re-sampling: from contributions to the rows that the next epoch trains."""

from raymm.methods import reference
from raymm.methods.functions import FAMILIES, function, register_family
from raymm.methods.plan import Plan, base_plan, epoch_order, make_plan
from raymm.methods.strategies import STRATEGIES, Copies, Situation, register_strategy, strategy

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
