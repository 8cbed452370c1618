"""The loop over epochs."""

from typing import ClassVar, Literal

from pydantic import Field

from raymm.config.base import Settings
from raymm.config.loss import LossConfig

__all__ = ["TrainingConfig"]


class TrainingConfig(Settings):
    """The loop."""

    epochs: int = Field(default=30, ge=1, description="passes over the training split")
    batch_size: int = Field(default=32, ge=1, description="rows of a global batch, over all workers")
    seed: int = Field(default=0, ge=0, description="decides everything that is random")
    accumulate: int = Field(
        default=1,
        ge=1,
        description="batches per update: gradients of so many are added up, as of one batch of all their rows",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="epochs without a better training.selection after which training ends early; none of them before "
        "the method acts (method.warmup)",
    )
    min_delta: float = Field(default=0.0, ge=0, description="how much better is better, for patience")
    ema: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="part of their moving average that the weights keep in an update, such as 0.999; the average is "
        "then evaluated, valued and exported",
    )
    compile: bool = Field(default=False, description="encoders and fusion by torch.compile, which needs a compiler")
    channels_last: bool = Field(
        default=False,
        description="weights of convolutions over pictures and clips lie channels last in memory, which some GPUs "
        "read faster and others slower (measure it); numbers then differ in their last digits",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="of encoders and fusion in training (autocast); weights stay float32"
    )
    selection: str = Field(
        default="accuracy",
        description="validation metric that picks the model: accuracy, macro_f1 or loss; of several labels a sample "
        "also micro_f1 or mAP; of a regression loss (where it is not given), mae, rmse, r2 or pearson. The "
        "lower loss decides between equals",
    )
    loss: LossConfig = Field(default_factory=LossConfig)
    keep: int = Field(default=2, ge=1, description="epochs kept on disk beside the best")
    threads: int | None = Field(default=None, ge=1, description="CPU threads of torch in each process")
    loader_workers: int = Field(
        default=0,
        ge=0,
        description="processes that read batches ahead of each training process, which need CPUs of their own; 0: it "
        "reads by itself. The numbers do not depend on it",
    )

    transforms: Literal["loader", "device"] = Field(
        default="loader",
        description="where training batches are transformed (log-mel, shifts, crops, masks, mixup): where they are "
        "read, or on the device that trains, in batches; on a CPU the numbers are the same",
    )

    UNDECISIVE: ClassVar[tuple[str, ...]] = ("keep", "loader_workers")
    """Settings that decide no number of a run."""
