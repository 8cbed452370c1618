"""How contributions are computed."""

from typing import Annotated, Literal

from pydantic import Field

from raymm.config.base import Settings

__all__ = ["ValuationConfig"]


class ValuationConfig(Settings):
    """Which game is played, how exactly, and how it is split."""

    utility: str = Field(
        default="count",
        description="count, correct, probability, log_probability, logit, margin, or package.module:NAME; of several "
        "labels a sample also score and soft_count; of a regression soft_count (where it is not given), score, error "
        "or squared_error",
    )
    method: Literal["auto", "exact", "sampled"] = Field(
        default="auto", description="auto: exact to 12 modalities (16 where logits are sums), sampled beyond"
    )
    budget: int | Annotated[str, Field(pattern=r"^\d+(\.\d+)?x$")] | None = Field(
        default=None,
        description="sampled: coalitions a sample; '1x': as many as cost one forward pass of the encoders",
    )
    refine: bool = Field(
        default=True,
        description="sampled: evaluate all coalitions of samples whose phi may be on either side of the fair share",
    )
    source: Literal["pass", "online"] = Field(
        default="pass",
        description="where contributions of training samples come from: a pass over them in the evaluation view, or "
        "the training pass itself, whose features are at hand (augmented, by the weights of each step). Validation "
        "and test are always valued by a pass",
    )
    batch_size: int = Field(default=64, ge=1, description="samples of one batch; actors value a batch at a time")
