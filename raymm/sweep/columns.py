"""What the columns of a sweep's tables are, in a sentence each: what is measured, its unit, and what is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.tracking.metrics import higher_is_better
from raymm.tracking.units import unit_among

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["FAILED_COLUMNS", "effect_columns", "score_head", "score_legend", "trial_columns"]

UNITS = {"share": "a share of 0 to 1", "1": "a plain number"}

SHARED = ", with the warm-up that trials share"

FAILED_COLUMNS = {"trial": "its number", "cause": "the error that ended it"}

CONTROLS = {
    "joint": "joint training at the same seed",
    "random": "`random` at the same seed, which trains as many copies of any samples",
}

NOT_COMPARED = {"joint": ", of a group that is not compared that of its mean", "random": ""}
"""What the margin is of where there is no difference."""


def score_head(metric: str, *, short: bool = False) -> str:
    """The head of the scores of a metric: with a minus where less of it is better, since scores are then negated.

    >>> score_head("val/accuracy"), score_head("val/loss"), score_head("val/loss", short=True)
    ('val/accuracy', '-val/loss', '-loss')
    """
    name = metric.rpartition("/")[2] if short else metric
    return name if higher_is_better(metric) else f"-{name}"


def score_legend(metric: str, others: Collection[str] = ()) -> str:
    """What a score is, its unit, and what is better; `others` are metrics that the trials have beside it."""
    known = unit_among(metric, others)
    unit = f", {UNITS.get(known, f'in {known}')}" if known else ""
    turned = "" if higher_is_better(metric) else f"; less {metric} is better, so it is negated"
    return f"best {metric} of each seed, mean over the seeds{unit}{turned}; higher is better"


def trial_columns(metric: str, others: Collection[str] = ()) -> dict[str, str]:
    """Of the table of trials."""
    return {
        "place": "1 is the best: finished trials by their score, then stopped, then failed ones",
        "trial": "its number, in the order in which trials were drawn, from 0",
        score_head(metric): score_legend(metric, others),
        "± sd": "standard deviation of the score over its seeds; a dash with one seed",
        "seeds": "seeds that ended",
        "status": "finished; stopped early by the scheduler; or failed",
        "settings": "drawn settings in which trials differ",
        "epochs": f"epochs that its seeds trained, together{SHARED}",
        "rows": f"rows that its seeds trained, together: samples and copies of them{SHARED}; fewer cost less",
        "seconds": f"time of training and valuation of its seeds, together, in seconds{SHARED}; fewer are better",
    }


def effect_columns(metric: str, header: Sequence[str]) -> dict[str, str]:
    """Of the table of methods and families, which has these heads."""
    of_score = f"in the unit of {metric}"
    known = {
        "group": "method, families and fusion that its trials share",
        "trials": "finished trials of the group",
        "seeds": "seeds of each of them",
        "mean": f"mean score over its trials and seeds, {of_score}; higher is better",
    }
    for control, what in CONTROLS.items():
        known[f"- {control}"] = f"mean score less that of {what}, {of_score}; above 0 the group is better"
        known[f"± 95 % ({control})"] = (
            f"half of its 95 % interval (Student's t over seeds){NOT_COMPARED[control]}; where it is the larger, no "
            "difference is shown"
        )
    known["± 95 %"] = "half of the 95 % interval of what stands before it (Student's t over seeds)"
    return {head: known[head] for head in header}
