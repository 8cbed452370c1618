"""Arguments of a Hugging Face Trainer that say which rows are trained, where a Resampler says so already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raymm.integrations.resampler import Resampler

__all__ = ["unfit_arguments"]

ORDER = "the Resampler draws the order of the rows"

REFUSED = {
    "data_seed": (None, f"{ORDER}, by its own seed: leave it out, and set Resampler(seed=...)"),
    "group_by_length": (False, f"{ORDER}: leave it out"),
    "train_sampling_strategy": ("random", f"{ORDER}: leave it out"),
    "dataloader_in_order": (True, "rows are trained in the order of their plan: leave it out"),
    "auto_find_batch_size": (False, "rows of a batch are batch_size of the Resampler: leave it out, and set that"),
}
"""Arguments of which a Resampler leaves no choice: their default, and what to do about another value."""


def unfit_arguments(arguments: Any, resampler: Resampler) -> list[str]:
    """What `TrainingArguments` say otherwise than the Resampler, in words.

    `dataloader_drop_last=False` is left alone beside a Resampler that drops: it is the default, and is of the loader
    of the evaluation too.
    """
    found = [
        f"{name}={given!r}: {remedy}"
        for name, (default, remedy) in REFUSED.items()
        if (given := _plain(getattr(arguments, name, default))) != default
    ]
    if arguments.dataloader_drop_last and not resampler.drop_last:
        found.append(
            "dataloader_drop_last=True: the Resampler keeps the last batch; set Resampler(drop_last=True), or leave "
            "it out"
        )
    parallelism = getattr(arguments, "parallelism_config", None)
    shared = getattr(parallelism, "non_data_parallel_size", 1)
    if shared > 1:
        found.append(
            f"parallelism_config: {shared} processes have to read the same rows, and the Resampler gives each its "
            "own; leave out tensor, context and sequence parallelism"
        )
    return found


def _plain(value: Any) -> Any:
    """The value of a choice that is an Enum in some versions."""
    return getattr(value, "value", value)
