"""The names of all metrics: in the history of a run, in a tracking store, and in Prometheus.

A metric's name is an interface: runs select their best epoch by it, sweeps compare by it, tracking stores and
dashboards keep it. So every name is declared here, with its unit and meaning, is built by the functions below and is
read back by `parse`; `docs/metrics.md` is rendered from the declarations (`raymm.reports.metrics_page`).
"""

import re
from functools import cache
from string import Formatter

from raymm.tracking.metric import PLACEHOLDERS, Metric, ParsedMetric

__all__ = [
    "BACKWARDS",
    "BEST_EPOCH",
    "BEST_SCORE",
    "CPU_SECONDS",
    "ENCODINGS",
    "FUSIONS",
    "LEARNING_RATE",
    "MEMORY",
    "METRICS",
    "ROWS",
    "ROWS_DROPPED",
    "ROWS_TOTAL",
    "SAMPLES_PER_SECOND",
    "SCORE",
    "SCORE_SD",
    "STOPPED_EPOCH",
    "TRAIN_ACCURACY_COPIED",
    "TRAIN_ACCURACY_UNCOPIED",
    "TRAIN_LOSS",
    "TRAIN_SECONDS",
    "UNCALIBRATED_TEST",
    "UPDATES",
    "VALUE_ENCODINGS",
    "VALUE_FUSIONS",
    "VALUE_SECONDS",
    "agreement_metric",
    "breaks_metric",
    "conflict_metric",
    "conflict_rows_metric",
    "gap_metric",
    "higher_is_better",
    "is_of_split",
    "low_metric",
    "machine_metric",
    "method_metric",
    "parse",
    "phi_metric",
    "repairs_metric",
    "run_count",
    "seed_score",
    "split_metric",
    "trial_count",
]

TRAIN_LOSS = "train/loss"
LEARNING_RATE = "train/lr"
UPDATES = "train/updates"
ROWS = "rows/epoch"
ROWS_TOTAL = "rows/total"
ROWS_DROPPED = "rows/dropped"
TRAIN_ACCURACY_COPIED = "train/accuracy_copied"
TRAIN_ACCURACY_UNCOPIED = "train/accuracy_uncopied"
ENCODINGS = "cost/encodings"
FUSIONS = "cost/fusions"
BACKWARDS = "cost/backwards"
VALUE_ENCODINGS = "cost/value_encodings"
VALUE_FUSIONS = "cost/value_fusions"
MEMORY = "cost/memory_mib"
TRAIN_SECONDS = "time/train_s"
VALUE_SECONDS = "time/value_s"
CPU_SECONDS = "time/cpu_s"
SAMPLES_PER_SECOND = "time/samples_per_second"
BEST_EPOCH = "best/epoch"
STOPPED_EPOCH = "stopped/epoch"
SCORE = "score"
SCORE_SD = "score_sd"
BEST_SCORE = "best/score"

UNCALIBRATED_TEST = "uncalibrated_test"

OF_A_MODEL = ("val", "best", "test", UNCALIBRATED_TEST)
"""Where a model's metrics are measured: the validation split after an epoch, the same of the epoch that was picked,
and the test split, once, by the picked model; where that was calibrated, also by the model as it was trained."""

OF_TEST = ("test", UNCALIBRATED_TEST)

METRICS = (
    Metric(TRAIN_LOSS, "nats", "lower", "mean loss over the rows that the epoch trained"),
    Metric(LEARNING_RATE, "1", "neither", "learning rate of the epoch, of its last update where it changes within"),
    Metric(UPDATES, "updates", "neither", "updates of the weights in the epoch, each of training.accumulate batches"),
    Metric("{split}/accuracy", "share", "higher", "samples that the model predicts right", OF_A_MODEL),
    Metric(
        "{split}/macro_f1",
        "share",
        "higher",
        "F1 score of each class, averaged over those that occur as label or answer; multi-label: over all labels, 0 "
        "for one that does neither",
        OF_A_MODEL,
    ),
    Metric("{split}/micro_f1", "share", "higher", "F1 score of all labels of all samples (multi-label)", OF_A_MODEL),
    Metric("{split}/mAP", "share", "higher", "average precision, mean of the labels (multi-label)", OF_A_MODEL),
    Metric("{split}/auc", "share", "higher", "area under the ROC curve, mean of the classes", OF_TEST),
    Metric("{split}/ece", "share", "lower", "expected calibration error of the answers, in 15 bins", OF_TEST),
    Metric("{split}/mae", "label", "lower", "mean absolute error of the answers (regression)", OF_A_MODEL),
    Metric("{split}/rmse", "label", "lower", "root of the mean squared error (regression)", OF_A_MODEL),
    Metric("{split}/r2", "1", "higher", "part of the labels' variance that is explained (regression)", OF_A_MODEL),
    Metric("{split}/pearson", "1", "higher", "correlation of answers and labels (regression)", OF_A_MODEL),
    Metric("{split}/loss", "nats", "lower", "mean loss; of a regression in variances of the labels", OF_A_MODEL),
    Metric(
        "{split}/accuracy_{modality}",
        "share",
        "higher",
        "samples predicted right from this modality alone, of those that have it",
        OF_A_MODEL,
    ),
    Metric(
        "phi/{split}_{modality}",
        "utility",
        "neither",
        "mean contribution (Shapley value) of the modality over the samples that have it; on the training split, "
        "over those valued last",
        ("train", "val", "test", UNCALIBRATED_TEST),
    ),
    Metric(
        "phi/low_{modality}",
        "share",
        "lower",
        "validation samples whose contribution is below the fair share, of those that have the modality",
    ),
    Metric(
        "phi/agreement_{modality}",
        "kappa",
        "higher",
        "whether the validation samples below the fair share (of a utility without one, below the median) are those "
        "of the epoch before: Cohen's kappa, 1 for the same samples and 0 for as many by chance",
    ),
    Metric(
        "phi/breaks_{modality}",
        "share",
        "lower",
        "validation samples that all other modalities predict right and all together wrong, of those that have it "
        "and another that the model reads; only where all coalitions are evaluated",
    ),
    Metric(
        "phi/repairs_{modality}",
        "share",
        "higher",
        "validation samples that all other modalities predict wrong and all together right, of the same",
    ),
    Metric(
        TRAIN_ACCURACY_COPIED,
        "share",
        "higher",
        "whole samples predicted right while they were trained, of those that had copies in the epoch",
    ),
    Metric(TRAIN_ACCURACY_UNCOPIED, "share", "higher", "the same, of those without copies in an epoch with copies"),
    Metric(
        "conflict/rows_{modality}",
        "rows",
        "neither",
        "rows that the mean cosine of `conflict/{modality}` is of: those that keep this modality and another that "
        "the model reads, and of which neither gradient is 0",
    ),
    Metric(
        "conflict/{modality}",
        "cosine",
        "higher",
        "mean cosine, over the rows of the epoch's first batch, between the gradients of the loss of all modalities "
        "and of the loss of this one alone, by its features; below 0 they oppose each other",
    ),
    Metric(
        "online/gap_{modality}",
        "utility",
        "lower",
        "mean distance between contributions from the training pass of the last epoch and those of the evaluation "
        "view by the weights after it, over at most 512 training samples",
    ),
    Metric("method/{figure}", "1", "neither", "a number of the method's own, see docs/methods.md"),
    Metric(
        ENCODINGS,
        "rows",
        "lower",
        "rows that went through an encoder in the epoch's training, by what its method does after it too; a row with "
        "three modalities counts three times",
    ),
    Metric(
        FUSIONS, "outputs", "lower", "outputs fused in the epoch's training; a row counts once for each coalition"
    ),
    Metric(BACKWARDS, "rows", "lower", "rows that went through a backward pass in the epoch"),
    Metric(VALUE_ENCODINGS, "rows", "lower", "rows that were encoded to value the training split after the epoch"),
    Metric(VALUE_FUSIONS, "outputs", "lower", "outputs that were fused to value the training split after the epoch"),
    Metric(MEMORY, "MiB", "lower", "most memory that the epoch's training held: of the GPU, or of the process"),
    Metric(ROWS, "rows", "neither", "rows that the epoch trained: the samples and the plan's extra rows"),
    Metric(ROWS_TOTAL, "rows", "lower", "rows trained since the first epoch"),
    Metric(ROWS_DROPPED, "rows", "neither", "extra rows that the row budget cut from the epoch's plan"),
    Metric(TRAIN_SECONDS, "s", "lower", "time that the epoch trained"),
    Metric(SAMPLES_PER_SECOND, "rows/s", "higher", "rows that the epoch trained a second, all workers together"),
    Metric(VALUE_SECONDS, "s", "lower", "time that the epoch valued, evaluated and planned"),
    Metric(
        CPU_SECONDS,
        "s",
        "lower",
        "processor time of the first worker in the epoch, all threads together; other work does not lengthen it",
    ),
    Metric(
        BEST_EPOCH,
        "epoch",
        "neither",
        "epoch that validation picked; counted from 0 in the files of a run, from 1 in MLflow",
    ),
    Metric(STOPPED_EPOCH, "epochs", "neither", "epochs after which training.patience ended the run early"),
    Metric(SCORE, "selection", "higher", "mean over the seeds of the best validation metric; a loss is negated"),
    Metric(SCORE_SD, "selection", "neither", "standard deviation of the score over the seeds"),
    Metric("seed_{seed}/score", "selection", "higher", "score of one seed"),
    Metric(BEST_SCORE, "selection", "higher", "score of the best trial of a sweep"),
    Metric("trials/{status}", "trials", "neither", "trials of a sweep that ended in this way"),
    Metric(
        "runs/{status}", "count", "neither", "runs of a study that ended in this way; stopped: not yet at the end"
    ),
    Metric(
        "system/{figure}",
        "%, MB",
        "neither",
        "load of the driver's machine, in MLflow only: processor and network since the epoch before, else at its end",
    ),
)
"""What a run (per epoch, and at its end), a sweep and a study record."""


def split_metric(split: str, figure: str, modality: str | None = None) -> str:
    """A model's metric on a split, of all modalities or of one alone.

    Examples
    --------
    >>> split_metric("val", "accuracy"), split_metric("test", "accuracy", "audio")
    ('val/accuracy', 'test/accuracy_audio')
    """
    return f"{split}/{figure}" if modality is None else f"{split}/{figure}_{modality}"


def phi_metric(split: str, modality: str) -> str:
    """Mean contribution of a modality on a split.

    Examples
    --------
    >>> phi_metric("val", "audio")
    'phi/val_audio'
    """
    return f"phi/{split}_{modality}"


def low_metric(modality: str) -> str:
    """Share of samples whose contribution is below the fair share."""
    return f"phi/low_{modality}"


def agreement_metric(modality: str) -> str:
    """Agreement of two epochs on which samples contribute little."""
    return f"phi/agreement_{modality}"


def breaks_metric(modality: str) -> str:
    """Share of samples on which a modality turns a right answer of all others wrong."""
    return f"phi/breaks_{modality}"


def repairs_metric(modality: str) -> str:
    """Share of samples on which a modality turns a wrong answer of all others right."""
    return f"phi/repairs_{modality}"


def conflict_metric(modality: str) -> str:
    """Conflict of a modality with all together."""
    return f"conflict/{modality}"


def conflict_rows_metric(modality: str) -> str:
    """Rows that the conflict of a modality is the mean of."""
    return f"conflict/rows_{modality}"


def gap_metric(modality: str) -> str:
    """How far contributions from the training pass are from the evaluation view."""
    return f"online/gap_{modality}"


def method_metric(figure: str) -> str:
    """A number of the method's own."""
    return f"method/{figure}"


def machine_metric(figure: str) -> str:
    """A number of the machine, in MLflow's words."""
    return f"system/{figure}"


def seed_score(seed: int) -> str:
    """Score of one seed of a trial."""
    return f"seed_{seed}/score"


def trial_count(status: str) -> str:
    """How many trials of a sweep ended with a status."""
    return f"trials/{status}"


def run_count(status: str) -> str:
    """How many runs of a study ended with a status."""
    return f"runs/{status}"


def parse(name: str) -> ParsedMetric | None:
    """The declaration of a metric and the parts of its name; None for a name that is not declared.

    Examples
    --------
    >>> found = parse("val/accuracy_audio")
    >>> found.metric.pattern, found.split, found.modality
    ('{split}/accuracy_{modality}', 'val', 'audio')
    >>> parse("val/acuracy") is None
    True
    """
    for metric in METRICS:
        found = _regex(metric).fullmatch(name)
        if found:
            return ParsedMetric(metric, **found.groupdict())
    return None


def higher_is_better(name: str) -> bool:
    """Whether a greater value of a metric is better; also for a name that is not declared."""
    found = parse(name)
    return found is None or found.metric.better != "lower"


def is_of_split(name: str, split: str) -> bool:
    """Whether a metric was measured on a split, as a model's metric or a mean contribution.

    Examples
    --------
    >>> [name for name in ("test/loss", "phi/test_audio", "val/loss") if is_of_split(name, "test")]
    ['test/loss', 'phi/test_audio']
    """
    ways = (split, UNCALIBRATED_TEST) if split == "test" else (split,)
    return name.startswith(tuple(measure(way, "") for way in ways for measure in (split_metric, phi_metric)))


@cache
def _regex(metric: Metric) -> re.Pattern[str]:
    parts = {**PLACEHOLDERS, "split": "|".join(metric.splits)}
    fields = ((re.escape(text), name) for text, name, _, _ in Formatter().parse(metric.pattern))
    return re.compile("".join(f"{text}(?P<{name}>{parts[name]})" if name else text for text, name in fields))
