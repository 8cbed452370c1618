"""What a page says of contributions that came from the training pass: how far they are from the evaluation view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raymm.reports.pages.words import decimal, listed
from raymm.tracking.metrics import gap_metric

__all__ = ["online_sentence"]


def online_sentence(metrics: Mapping[str, float], names: Sequence[str], fair_share: float | None) -> str:
    """The distance of each modality after the last epoch, and what it means; empty where none was measured.

    Parameters
    ----------
    metrics
        Of the result of a run.
    names
        Of the modalities that the model reads.

    Examples
    --------
    >>> online_sentence({"online/gap_audio": 0.12}, ["audio"], 1.0)[:61]
    'Contributions of training samples came from the training pass'
    >>> online_sentence({}, ["audio", "rgb"], 1.0)
    ''
    """
    gaps = {name: metrics[gap_metric(name)] for name in names if gap_metric(name) in metrics}
    if not gaps:
        return ""
    said = listed([f"{decimal(gap)} for {name}" for name, gap in gaps.items()])
    share = "" if fair_share is None else f", where the fair share is {fair_share:g}"
    return (
        "Contributions of training samples came from the training pass (`valuation.source=online`). Those of the "
        f"last epoch are this far from the evaluation view by the weights after it: {said}, on average over at most "
        f"512 training samples{share}. By so much are the values off that the method acts on, since samples are "
        "valued as they were augmented and while weights change; where the learning rate decays, those of earlier "
        "epochs may be farther off. Validation and test are always valued by a pass."
    )
