"""Prepare chunks as Ray tasks, a bounded number in flight, reports as they are done."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import ray

from raymm.data.prepare import Chunk, ChunkReport, prepare_chunk
from raymm.data.schema import Schema

__all__ = ["run_on_ray"]

AHEAD = 2
"""Chunks that wait for each CPU."""


def run_on_ray(chunks: Sequence[Chunk], schema: Schema, media_root: Path, out: Path) -> Iterator[ChunkReport]:
    """Prepare chunks on the connected cluster; `media_root` and `out` must be visible from every node."""
    task = ray.remote(num_cpus=1, max_retries=3)(prepare_chunk)
    limit = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting = iter(chunks)
    flying = [task.remote(chunk, schema, media_root, out) for chunk in islice(waiting, limit)]
    while flying:
        ready, flying = ray.wait(flying, num_returns=1)
        following = next(waiting, None)
        if following is not None:
            flying.append(task.remote(following, schema, media_root, out))
        yield ray.get(ready[0])
