"""How busy this machine is, under the names by which MLflow lists system metrics."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from raymm.tracking.metrics import machine_metric

__all__ = ["MachineLoad"]

MEGABYTE = 1e6


@dataclass
class MachineLoad:
    """Called after an epoch, says what the machine did since the call before; empty where psutil is not installed.

    Each object counts from its own last call, so that runs that are trained side by side have one each.
    """

    _times: tuple[float, float] | None = None
    _sent: tuple[int, int] | None = None
    _gpus: list[Callable[[], dict[str, float]]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self()

    def __call__(self) -> dict[str, float]:
        """The metrics by their names."""
        try:
            psutil: Any = import_module("psutil")
        except ImportError:
            return {}
        memory, disk = psutil.virtual_memory(), psutil.disk_usage("/")
        found = {
            **self._processor(psutil),
            "system_memory_usage_megabytes": memory.used / MEGABYTE,
            "system_memory_usage_percentage": 100 * memory.used / memory.total,
            "disk_usage_percentage": disk.percent,
            "disk_available_megabytes": disk.free / MEGABYTE,
            **self._network(psutil),
        }
        for gpu in self._gpu_readers():
            found |= gpu()
        return {machine_metric(name): value for name, value in found.items()}

    def _processor(self, psutil: Any) -> dict[str, float]:
        """Share of the processors' time that was not idle; of a guest's time, which is part of the user's, once."""
        times = psutil.cpu_times()._asdict()
        total = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
        now, before = (total, times["idle"] + times.get("iowait", 0.0)), self._times
        self._times = now
        if before is None or now[0] <= before[0]:  # less than a tick of the clock
            return {}
        idle = (now[1] - before[1]) / (now[0] - before[0])
        return {"cpu_utilization_percentage": 100 * min(max(1 - idle, 0.0), 1.0)}

    def _network(self, psutil: Any) -> dict[str, float]:
        counted = psutil.net_io_counters()
        if counted is None:
            return {}
        now, before = (counted.bytes_recv, counted.bytes_sent), self._sent
        self._sent = now
        received, sent = ((new - old) / MEGABYTE for new, old in zip(now, before or now, strict=True))
        return {"network_receive_megabytes": received, "network_transmit_megabytes": sent}

    def _gpu_readers(self) -> list[Callable[[], dict[str, float]]]:
        """One for each GPU of NVIDIA, where its library is installed."""
        if self._gpus is None:
            self._gpus = []
            with suppress(Exception):  # no library, no driver, no GPU
                pynvml: Any = import_module("pynvml")
                pynvml.nvmlInit()
                handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
                self._gpus = [_gpu_reader(pynvml, number, handle) for number, handle in enumerate(handles)]
        return self._gpus


def _gpu_reader(nvml: Any, number: int, handle: Any) -> Callable[[], dict[str, float]]:
    def read() -> dict[str, float]:
        with suppress(nvml.NVMLError):
            memory, rates = nvml.nvmlDeviceGetMemoryInfo(handle), nvml.nvmlDeviceGetUtilizationRates(handle)
            return {
                f"gpu_{number}_utilization_percentage": rates.gpu,
                f"gpu_{number}_memory_usage_megabytes": memory.used / MEGABYTE,
                f"gpu_{number}_memory_usage_percentage": 100 * memory.used / memory.total,
            }
        return {}

    return read
