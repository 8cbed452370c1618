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
    """Called after an epoch, says what the machine did since the call before; empty where psutil is not installed."""

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
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / MEGABYTE,
            "system_memory_usage_percentage": 100 * memory.used / memory.total,
            "disk_usage_percentage": disk.percent,
            "disk_available_megabytes": disk.free / MEGABYTE,
            **self._network(psutil),
        }
        for gpu in self._gpu_readers():
            found |= gpu()
        return {machine_metric(name): value for name, value in found.items()}

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
