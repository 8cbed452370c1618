"""Re-sampling in a loop with Hugging Face Accelerate: `pip install 'raymm[accelerate]'`.

loader = prepare_loader(accelerator, resampler, samples)
model, optimizer = accelerator.prepare(model, optimizer)
accelerator.register_for_checkpointing(resampler)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from accelerate.data_loader import prepare_data_loader
from torch.utils import data

from raymm.errors import ConfigError

if TYPE_CHECKING:
    from raymm.integrations.resampler import Resampler
    from raymm.integrations.rows import Row

__all__ = ["prepare_loader"]


def prepare_loader(
    accelerator: Any,
    resampler: Resampler,
    inner: Any,
    *,
    collate_fn: Callable[[list[Any]], Any] = data.default_collate,
    **options: Any,
) -> Any:
    """A prepared loader over a map-style data set, whose rows the Resampler has split over the processes already.

    `accelerator.prepare` leaves it as it is; a loader that Accelerate prepares by itself would be split once more.

    Parameters
    ----------
    accelerator
        An `accelerate.Accelerator`.
    inner
        The data set.
    collate_fn, options
        As for `Resampler.loader`.

    Raises
    ------
    ConfigError
        When the Resampler is of another rank or number of processes than the accelerator.
    """
    theirs = (accelerator.process_index, accelerator.num_processes)
    if resampler.ranks != theirs:
        raise ConfigError(
            f"the Resampler has rank and world {resampler.ranks}, and the accelerator {theirs}; make it with "
            "rank=accelerator.process_index, world=accelerator.num_processes"
        )
    loader: data.DataLoader[Any] = data.DataLoader(
        resampler.dataset(inner),
        batch_sampler=_Batches(resampler),
        collate_fn=resampler.collate(collate_fn),
        **{"generator": torch.Generator(), **options},
    )
    prepared = prepare_data_loader(
        loader,
        accelerator.device,
        num_processes=1,
        process_index=0,
        put_on_device=accelerator.device_placement,
        rng_types=None,
        dispatch_batches=False,
    )
    prepared._is_accelerate_prepared = True  # noqa: SLF001  (Accelerate's own mark)
    return accelerator.prepare_data_loader(prepared)


class _Batches:
    """The batches of a Resampler, without its `set_epoch`: Accelerate counts epochs from the start of a process."""

    drop_last = False

    def __init__(self, resampler: Resampler) -> None:
        self._resampler = resampler

    def __iter__(self) -> Iterator[list[Row]]:
        return iter(self._resampler)

    def __len__(self) -> int:
        return len(self._resampler)
