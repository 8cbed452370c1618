"""The reference of all metrics, `docs/metrics.md`, rendered from their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.reports.tables import markdown_table
from raymm.tracking.gauges import GAUGES
from raymm.tracking.metrics import METRICS

if TYPE_CHECKING:
    from raymm.tracking.metric import Metric

__all__ = ["metrics_page"]

OPENING = """# Metrics

Rendered from `raymm/tracking/metrics.py`, where every metric is declared; after a change there:

```bash
python -c "from raymm.reports.metrics_page import metrics_page; print(metrics_page(), end='')" > docs/metrics.md
```

The history of a run holds the metrics of every epoch (`RUN/result/result.json`; in MLflow the step is
the epoch, counted from 1), its
result those of `best`, the epoch picked on validation, and of `test`, read once, by the picked model. Each trial of a
sweep records the means of these over its seeds, without those of the test split, and its score: the best value of
`val/` and `training.selection` over the epochs, in that metric's unit, negated for a loss. A value that is not finite
is left out, and so is, on validation and test, a metric of a modality that no sample of the split has.

In a name, `{modality}` is a modality of the data set, `{seed}` a seed of the trial, and `{status}` one of `finished`,
`stopped` and `failed`. Shares lie between 0 and 1. Contributions are in units of the utility, and those of all
modalities of a sample sum to the utility of its full prediction less that of the empty coalition.
"""

GAUGES_OPENING = """## Prometheus

Gauges of runs that are under way, exported by Ray's metrics agents under these names with `ray_` before them;
`grafana/raymm.json` draws them.
"""


def metrics_page() -> str:
    """The page as Markdown."""
    metrics = markdown_table(
        ("name", "split", "unit", "better", "meaning"),
        ((_code(each.pattern), ", ".join(each.splits), *_facts(each)) for each in METRICS),
    )
    gauges = markdown_table(
        ("name", "labels", "unit", "better", "meaning"),
        ((_code(each.pattern), ", ".join(each.tags), *_facts(each)) for each in GAUGES),
    )
    return "\n".join([OPENING, "## Runs and sweeps", "", *metrics, "", GAUGES_OPENING, *gauges]) + "\n"


def _facts(metric: Metric) -> tuple[str, str, str]:
    return metric.unit, "" if metric.better == "neither" else metric.better, metric.meaning


def _code(name: str) -> str:
    return f"`{name}`"
