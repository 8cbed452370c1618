"""What the declaration of a metric is, and a metric's name taken apart."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["PLACEHOLDERS", "Metric", "ParsedMetric"]

PLACEHOLDERS = {
    "modality": "[a-z][a-z0-9_]*",
    "seed": "[0-9]+",
    "status": "finished|stopped|failed",
    "figure": "[a-z][a-z0-9_]*",
}
"""What a placeholder of a pattern stands for, as regular expressions; `{split}` stands for the metric's `splits`."""


@dataclass(frozen=True)
class Metric:
    """The declaration of a metric, or of a family of metrics.

    Attributes
    ----------
    pattern
        The name; `{split}`, `{modality}`, `{seed}`, `{status}` and `{figure}` stand for parts that differ.
    unit
        As people write it.
    better
        Which values are better: "higher", "lower", or "neither" for what is no aim.
    meaning
        A phrase.
    splits
        What `{split}` stands for.
    tags
        Labels of the series, of a Prometheus gauge.
    """

    pattern: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    meaning: str
    splits: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class ParsedMetric:
    """A metric's name taken apart; parts that its pattern lacks are None."""

    metric: Metric
    split: str | None = None
    modality: str | None = None
    seed: str | None = None
    status: str | None = None
    figure: str | None = None
