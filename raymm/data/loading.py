"""Batches from `torch.utils.data.DataLoader`: read in the process that trains, or ahead of it in worker processes.

What a batch holds is decided by its request: sample numbers, the modalities to keep, and random keys. Workers only
read what is requested, with one thread each, and the training process reads with one thread as well, so that the bits
of a batch do not depend on the number of workers (log-mel spectrograms depend on the number of threads).

Workers come from a fork server, since a process that has threads (of torch, of Ray) must not be forked: the server
starts in one to two seconds, each worker in some 50 ms. As with all processes that Python starts in this way, a
script that trains with workers keeps its calls under `if __name__ == "__main__":`.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch.utils import data

from raymm.allocator import tune_malloc
from raymm.data.batch import Batch
from raymm.data.identity import digest_of
from raymm.data.mixup import Mixing, mixed
from raymm.data.shards import Shards
from raymm.data.threads import on_threads
from raymm.errors import DataError, RaymmError, TrainingError
from raymm.storage.directory import read_manifest

if TYPE_CHECKING:
    from raymm.data.reader import BatchReader, Untransformed

    _Late = tuple[Untransformed, Mixing | None]
    """What is read of a batch that is transformed and mixed later."""

__all__ = ["BatchLoader", "BatchRequest"]

PREFETCH = 2
"""Batches that each worker reads ahead."""

START_METHOD = "forkserver"
PRELOADED = [__name__, "pandas"]
"""Modules that the fork server imports once, for all workers; pyarrow imports pandas when it converts strings."""


@dataclass(frozen=True)
class BatchRequest:
    """What a batch is made of: the arguments of the reader's `batch`, and how its rows are mixed, if they are."""

    index: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_] | None = None
    keys: npt.NDArray[np.uint64] | None = None
    mixing: Mixing | None = None


class BatchLoader:
    """Reads batches as they are requested; a context manager that ends its workers.

    Parameters
    ----------
    reader
        Reads one batch.
    workers
        Processes that read ahead. They start with the first call of `load` and last until `close`. With 0 each batch
        is read when it is asked for.
    device
        Where the batches go; default: the CPU. On the way to a GPU they are in pinned memory.
    late
        Whether values are transformed (and rows mixed) on the device, in place of where they are read.
    """

    def __init__(
        self, reader: BatchReader, workers: int = 0, device: torch.device | None = None, *, late: bool = False
    ) -> None:
        self.reader = reader
        self._late = late
        self._device = torch.device("cpu") if device is None else device
        self._workers = workers
        self._requests = _Requests()
        self._loader: data.DataLoader[Any] | None = None
        self._batches: Any = None
        self._running = False

    def load(self, requests: Iterable[BatchRequest]) -> Iterator[Batch]:
        """Yield the batches of `requests`, in their order; one call at a time.

        Raises
        ------
        RaymmError
            What the reader raised, in a worker or here, in the same words.
        TrainingError
            When a worker could not start or was ended from outside.
        """
        self._requests.current = requests
        if self._loader is None:
            self._loader = self._start()
        self._batches = iter(self._loader)
        while (found := self._next()) is not None:
            yield found.to(self._device) if isinstance(found, Batch) else self._transformed(*found)

    def close(self) -> None:
        """End the workers."""
        if self._workers and self._batches is not None:
            self._batches._shutdown_workers()  # noqa: SLF001  (else they last as long as some traceback refers to them)
        self._batches = self._loader = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _start(self) -> data.DataLoader[Any]:
        if self._workers:
            multiprocessing.get_context(START_METHOD).set_forkserver_preload(PRELOADED)
        return data.DataLoader(
            _Batches(self.reader, self._late),
            sampler=self._requests,
            batch_size=None,  # a request is a whole batch
            collate_fn=_unchanged,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            prefetch_factor=PREFETCH if self._workers else None,
            multiprocessing_context=START_METHOD if self._workers else None,
            worker_init_fn=_start_worker if self._workers else None,
            pin_memory=self._device.type == "cuda",
            generator=torch.Generator(),  # DataLoader draws a number an epoch: not from the generator of dropout
        )

    def _transformed(self, read: Untransformed, mixing: Mixing | None) -> Batch:
        with _one_thread():
            batch = self.reader.transformed(read.to(self._device))
            return batch if mixing is None else mixed(batch, mixing)

    def _next(self) -> Batch | _Late | None:
        try:
            found: Batch | _Late | RaymmError | None = next(self._batches, None)
        except (RuntimeError, OSError, EOFError) as cause:
            if not self._workers or str(cause).startswith("Caught "):  # torch's word for what the reader raised
                raise
            raise TrainingError(_explained(cause, self._running)) from cause
        self._running = True
        if isinstance(found, RaymmError):
            raise found
        return found


def _explained(cause: Exception, running: bool) -> str:
    said = " ".join(str(cause).split())
    if not running:
        return (
            f"the processes that read batches did not start ({said}); a script that trains with them is a file whose "
            'calls stand under `if __name__ == "__main__":`; or set training.loader_workers=0'
        )
    return (
        f"a process that reads batches was ended from outside ({said}); where memory is short (/dev/shm counts), "
        "lower training.loader_workers or training.batch_size"
    )


class _Requests:
    """A sampler whose samples are the requests of the current call."""

    current: Iterable[BatchRequest] = ()

    def __iter__(self) -> Iterator[BatchRequest]:
        return iter(self.current)


class _Batches(data.Dataset[Any]):
    """The map from a request to its batch; a copy in another process opens the files of the data set anew."""

    def __init__(self, reader: BatchReader, late: bool) -> None:
        self._reader, self._late = reader, late
        self._opened = True

    def __getitem__(self, request: BatchRequest) -> Batch | _Late | RaymmError:
        """The batch, or the error that the reader raised: as a value it comes out of a worker unchanged."""
        try:
            if not self._opened:
                self._reader, self._opened = _reopened(self._reader), True
            with _one_thread():
                wanted = (request.index, request.mask, request.keys)
                if self._late:
                    return self._reader.untransformed(*wanted), request.mixing
                batch = self._reader.batch(*wanted)
                return batch if request.mixing is None else mixed(batch, request.mixing)
        except RaymmError as cause:
            return cause

    def __getstate__(self) -> dict[str, Any]:
        """The reader without its caches, and without its shards where these are files."""
        dataset = self._reader.dataset
        on_disk = isinstance(dataset.shards, Shards)
        closed = replace(dataset, shards=None) if on_disk else dataset  # type: ignore[arg-type]
        return {"_reader": replace(self._reader, dataset=closed), "_late": self._late, "_opened": not on_disk}


def _reopened(reader: BatchReader) -> BatchReader:
    dataset = reader.dataset
    manifest = read_manifest(dataset.path)
    if digest_of(manifest) != dataset.digest:
        raise DataError(f"{dataset.path}: changed while it was read; start a new run")
    return replace(reader, dataset=replace(dataset, shards=Shards(dataset.path, dataset.schema, manifest["files"])))


def _one_thread() -> AbstractContextManager[None]:
    return on_threads(None if torch.get_num_threads() == 1 else 1)


def _start_worker(number: int) -> None:
    del number
    tune_malloc()


def _unchanged(found: Any) -> Any:
    return found
