"""Exact values and the training step on a GPU, without Ray: the values of the CPU, and how long they take.

python -m bench.device [--device cuda]

Checks first, for additive heads, small MLP heads and a fusion that is no sum: whether each coalition is right is as
on the CPU, and values are equal to 1e-12 (of soft utilities 1e-6). Then rates for 12 to 20 modalities with a linear
head, and the largest memory. Then the whole training step, against plain torch (`bench.device_step`), and epochs
from a data set on disk, with values transformed by loader workers or on the device (`bench.device_loop`); `--small`
makes both small enough for a CPU.
Writes bench/results/device-cuda.json. It is not among the benches that `python -m bench` runs, since a machine may
have no GPU; with `--device cpu` it checks itself.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.device_loop import LoopSize, loop_rates
from bench.device_step import StepSize, step_rates
from bench.heads import never_called
from bench.timing import seconds_of
from raymm.valuation import SampleValues, value_samples

SIZE, CLASSES, HIDDEN = 32, 10, 16
GROWTH = {12: 8_192, 16: 1_024, 18: 256, 20: 64}
"""Samples of each number of modalities."""

SMALL = StepSize(rows=4, frames=2, side=32, seconds=0.2, steps=1, rounds=2, variants=("channels_last",))
SMALL_LOOP = LoopSize(rows=24, batch=8, frames=2, side=32, seconds=0.2, workers=0, epochs=2)

HARD, SOFT = "count", "probability"
TOLERANCES = {HARD: 1e-12, SOFT: 1e-6}
"""Hard values are sums of weights, which a GPU adds in another order."""

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Check, measure, write, print; exit with 1 when values differ from those of the CPU."""
    parser = argparse.ArgumentParser(prog="python -m bench.device")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--most", type=int, default=max(GROWTH), help="modalities at most")
    parser.add_argument("--small", action="store_true", help="a training step of a few small rows")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    name, small = f"device-{device.type}.json", arguments.small
    parts: dict[str, Callable[[], Any]] = {
        "checks": lambda: [
            _check(n, head, name, device) for n in (3, 8, 12) for head in _HEADS for name in (HARD, SOFT)
        ],
        "rates": lambda: {n: _rate(n, samples, device) for n, samples in GROWTH.items() if n <= arguments.most},
        "step": lambda: step_rates(device, SMALL if small else StepSize()),
        "loop": lambda: loop_rates(device, SMALL_LOOP if small else LoopSize()),
    }
    record: dict[str, Any] = {"device": _name(device), "torch": torch.__version__}
    for part, measure in parts.items():
        record[part] = measure()
        print(f"{part}: {json.dumps(record[part])}", flush=True)
        (RESULTS / name).write_text(json.dumps(record, indent=2) + "\n")  # what is measured stays, if the rest fails
    return 0 if all(check["equal"] for check in record["checks"]) else 1


def _check(n: int, head: str, utility: str, device: torch.device) -> dict[str, Any]:
    """Values of the device against those of the CPU."""
    there, here = (_value(n, 64, head, utility, where) for where in (device, torch.device("cpu")))
    largest = float((there.phi.cpu() - here.phi).abs().max())
    same = bool((there.outcomes.cpu() == here.outcomes).all())
    equal = largest <= TOLERANCES[utility] and (same or utility == SOFT)
    return {"n": n, "head": head, "utility": utility, "largest": largest, "outcomes_equal": same, "equal": equal}


def _rate(n: int, samples: int, device: torch.device) -> dict[str, float]:
    """Samples a second after a warm-up, and the largest memory of the device in GiB (0 on the CPU)."""
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)

    def work() -> None:
        _value(n, samples, "linear", "count", device)
        if cuda:
            torch.cuda.synchronize(device)

    work()
    seconds = min(seconds_of(work) for _ in range(3))
    memory = torch.cuda.max_memory_allocated(device) / 2**30 if cuda else 0.0
    return {"samples": samples, "seconds": seconds, "samples_per_second": samples / seconds, "GiB": memory}


def _value(n: int, samples: int, head: str, utility: str, device: torch.device) -> SampleValues:
    """Values of random features; all that is random is drawn on the CPU, so that devices play the same games."""
    generator = torch.Generator().manual_seed(n)
    features = torch.randn(samples, n, SIZE, generator=generator).to(device)
    labels = torch.randint(CLASSES, (samples,), generator=generator).to(device)
    with torch.inference_mode():
        return _HEADS[head](features, labels, utility, generator)


def _linear(features: Tensor, labels: Tensor, utility: str, generator: torch.Generator) -> SampleValues:
    weight = _whole(features.shape[1], SIZE, CLASSES, generator=generator).to(features.device)
    partials = lambda z: (torch.einsum("bnd,ndk->bnk", z.round(), weight), weight.new_zeros(CLASSES))  # noqa: E731
    return value_samples(never_called, features, labels, utility_name=utility, partials=partials)


def _mlp(features: Tensor, labels: Tensor, utility: str, generator: torch.Generator) -> SampleValues:
    first = _whole(features.shape[1], SIZE, HIDDEN, generator=generator).to(features.device)
    second = _whole(HIDDEN, CLASSES, generator=generator).to(features.device)
    partials = lambda z: (torch.einsum("bnd,ndh->bnh", z.round(), first), first.new_zeros(HIDDEN))  # noqa: E731
    finish = lambda sums: sums.relu() @ second  # noqa: E731
    return value_samples(never_called, features, labels, utility_name=utility, partials=partials, finish=finish)


def _fused(features: Tensor, labels: Tensor, utility: str, generator: torch.Generator) -> SampleValues:
    """A head that is no sum: products of neighbours, whole numbers as well."""
    weight = _whole(SIZE, CLASSES, generator=generator).to(features.device)

    def predict(z: Tensor, mask: Tensor) -> Tensor:
        kept = z.round() * mask[..., None]
        return (kept * kept.roll(1, dims=1)).sum(dim=1) @ weight

    return value_samples(predict, features, labels, utility_name=utility)


_HEADS = {"linear": _linear, "mlp": _mlp, "fused": _fused}


def _whole(*shape: int, generator: torch.Generator) -> Tensor:
    """Whole numbers from -2 to 2: their sums are exact, so the order of additions cannot decide who is right."""
    return torch.randint(-2, 3, shape, generator=generator).float()


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
