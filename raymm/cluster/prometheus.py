"""Gauges for Prometheus: how a run goes, exported by Ray's metrics agents, one set of series a run.

The gauges are declared in `raymm.tracking.metrics`. Ray puts `ray_` before their names and labels every series with
its node and process. The process that follows the committed epochs sets what is known of an epoch; the process that
holds the actor pool sets how fast it values. `grafana/raymm.json` draws exactly these.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from ray.util.metrics import Gauge

from raymm.tracking.gauges import GAUGES
from raymm.tracking.metrics import ROWS, TRAIN_SECONDS
from raymm.tracking.of_an_epoch import phi_by_modality

__all__ = ["export_epoch_metrics", "export_valuation_rate", "run_label"]

DECLARED = {gauge.pattern: gauge for gauge in GAUGES}


def run_label(name: str, key: str) -> str:
    """The tag `run`: the folder's name, and enough of the key to tell runs of the same name apart."""
    return f"{name}-{key[:6]}"


def export_epoch_metrics(run: str, history: Sequence[dict[str, Any]]) -> None:
    """Set the gauges of the newest committed epoch.

    Parameters
    ----------
    run
        The tag, see `run_label`.
    history
        Entries `{"epoch": 0, "metrics": {...}}`, the newest last; may be empty.
    """
    if not history:
        return
    metrics = history[-1]["metrics"]
    _set("raymm_epoch", history[-1]["epoch"] + 1, run=run)
    if metrics[TRAIN_SECONDS] > 0:
        _set("raymm_rows_per_second", metrics[ROWS] / metrics[TRAIN_SECONDS], run=run)
    for modality, value in phi_by_modality(metrics, "val").items():
        _set("raymm_mean_phi", value, run=run, modality=modality)


def export_valuation_rate(run: str, samples: int, seconds: float) -> None:
    """Set the gauge of samples valued a second."""
    if seconds > 0:
        _set("raymm_valued_samples_per_second", samples / seconds, run=run)


def _set(name: str, value: float, **tags: str) -> None:
    _gauge(name).set(float(value), tags=tags)


@cache
def _gauge(name: str) -> Gauge:
    return Gauge(name, DECLARED[name].meaning, tag_keys=DECLARED[name].tags)
