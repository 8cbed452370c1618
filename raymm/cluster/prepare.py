"""Prepare chunks as Ray tasks, a bounded number in flight, reports as they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import ray

from raymm.data.prepare import prepare_chunk

if TYPE_CHECKING:
    from raymm.data.prepare import Chunk, ChunkReport
    from raymm.data.schema import Schema

__all__ = ["run_on_ray"]

QUEUED_PER_CPU = 2
"""Chunks in flight for each CPU: one runs, one is queued."""


def run_on_ray(chunks: Sequence[Chunk], schema: Schema, media_root: Path, out: Path) -> Iterator[ChunkReport]:
    """Prepare chunks on the connected cluster; `media_root` and `out` must be visible from every node."""
    task = ray.remote(num_cpus=1, max_retries=3)(prepare_chunk)
    limit = QUEUED_PER_CPU * max(1, int(ray.cluster_resources().get("CPU", 1)))
    remaining = iter(chunks)
    in_flight = [task.remote(chunk, schema, media_root, out) for chunk in islice(remaining, limit)]
    while in_flight:
        ready, in_flight = ray.wait(in_flight, num_returns=1)
        following = next(remaining, None)
        if following is not None:
            in_flight.append(task.remote(following, schema, media_root, out))
        yield ray.get(ready[0])
