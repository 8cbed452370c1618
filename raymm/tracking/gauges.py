"""What Prometheus can scrape while a run goes."""

from raymm.tracking.metric import Metric

__all__ = ["GAUGES"]

GAUGES = (
    Metric("raymm_epoch", "epochs", "neither", "epochs that the run has committed", tags=("run",)),
    Metric(
        "raymm_rows_per_second",
        "rows/s",
        "higher",
        "rows trained a second in the newest epoch",
        tags=("run",),
    ),
    Metric(
        "raymm_valued_samples_per_second",
        "samples/s",
        "higher",
        "samples valued a second since the valuation began",
        tags=("run",),
    ),
    Metric(
        "raymm_mean_phi",
        "utility",
        "neither",
        "mean contribution on the validation split",
        tags=("run", "modality"),
    ),
)
"""What Prometheus can scrape while a run goes; Ray puts `ray_` before these names."""
