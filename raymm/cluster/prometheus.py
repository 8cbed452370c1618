"""What Prometheus can see of a run while it goes: gauges that Ray's metrics agents export, one set a run.

Ray puts `ray_` before the names and says on every series which node and process it came from. The process that
follows the committed epochs sets what is known of an epoch; the one that holds the actor pool, how fast it values.
`grafana/raymm.json` draws exactly these.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from ray.util.metrics import Gauge

__all__ = ["GAUGES", "label_of", "show_epochs", "show_valued"]

GAUGES = {
    "raymm_epoch": ("epochs that the run has committed", ("run",)),
    "raymm_rows_per_second": ("rows trained a second in the newest epoch", ("run",)),
    "raymm_valued_samples_per_second": ("samples valued a second since the valuation began", ("run",)),
    "raymm_mean_phi": ("mean contribution on the validation split; 1 is the fair share", ("run", "modality")),
}
"""Name of each gauge: what it says, and its tags."""

PHI = "phi/val_"


def label_of(name: str, key: str) -> str:
    """The tag `run`: the folder's name, and enough of the key to tell runs of the same name apart."""
    return f"{name}-{key[:6]}"


def show_epochs(run: str, history: Sequence[dict[str, Any]]) -> None:
    """Set the gauges of the newest committed epoch.

    Parameters
    ----------
    run
        The tag, see `label_of`.
    history
        Entries `{"epoch": 0, "metrics": {...}}`, the newest last; may be empty.
    """
    if not history:
        return
    metrics = history[-1]["metrics"]
    _set("raymm_epoch", history[-1]["epoch"] + 1, run=run)
    if metrics["time/train_s"] > 0:
        _set("raymm_rows_per_second", metrics["rows/epoch"] / metrics["time/train_s"], run=run)
    for name, value in metrics.items():
        if name.startswith(PHI):
            _set("raymm_mean_phi", value, run=run, modality=name.removeprefix(PHI))


def show_valued(run: str, samples: int, seconds: float) -> None:
    """Set how fast samples are valued: so many in so many seconds."""
    if seconds > 0:
        _set("raymm_valued_samples_per_second", samples / seconds, run=run)


def _set(name: str, value: float, **tags: str) -> None:
    _gauge(name).set(float(value), tags=tags)


@cache
def _gauge(name: str) -> Gauge:
    description, tags = GAUGES[name]
    return Gauge(name, description, tag_keys=tags)
