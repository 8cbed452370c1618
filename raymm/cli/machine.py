"""What `raymm doctor` looks at beside Ray: versions, devices, the tracking store, disk and limits."""

import os
import platform
import resource
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from raymm import __version__
from raymm.api.store_check import existing_folder, tracking
from raymm.cluster.probe import Finding

__all__ = ["devices", "disk", "limits", "tracking", "versions"]

PACKAGES = ("torch", "torchvision", "torchaudio", "ray", "mlflow", "pyarrow", "av")
GIB = 2**30
LEAST_FREE = 2 * GIB
LEAST_SHARED = GIB // 2
FULLEST = 0.95
LEAST_FILES = 1024


def versions() -> list[Finding]:
    """Python, raymm and what it stands on, against what raymm asks for."""
    advice = "" if sys.version_info >= (3, 11) else "raymm needs Python 3.11 or newer"
    found = [Finding("python", platform.python_version(), advice), Finding("raymm", __version__)]
    wanted = _wanted()
    return found + [_version(name, wanted.get(name)) for name in PACKAGES]


def devices() -> list[Finding]:
    """CPU cores, memory, threads and CUDA devices."""
    try:
        import torch
    except (ImportError, OSError) as cause:
        return [Finding("torch", f"cannot be imported ({cause})", "install it again: `make clean`, then `make test`")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = [
        Finding("CPU", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {memory / GIB:.1f} GiB of memory")
    ]
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        found.append(Finding(f"CUDA {index}", f"{about.name}, {about.total_memory / GIB:.1f} GiB"))
    return found if torch.cuda.is_available() else [*found, Finding("CUDA", "none; training uses the CPU")]


def disk(path: Path) -> list[Finding]:
    """Free space where runs go, and where Ray keeps what does not fit into memory."""
    return [_space("disk for runs", path), _space("disk for Ray", Path(tempfile.gettempdir()))]


def limits() -> list[Finding]:
    """Open files and shared memory."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 0 <= files < LEAST_FILES
    found = [Finding("open files", str(files), f"run `ulimit -n {LEAST_FILES}` or more first" if few else "")]
    shared = Path("/dev/shm")  # noqa: S108  (where Ray keeps its objects on Linux)
    if shared.is_dir():
        free = shutil.disk_usage(shared).free
        advice = (
            "" if free >= LEAST_SHARED else "start the container with --shm-size=2g; Ray would use the disk, slowly"
        )
        found.append(Finding("shared memory", f"{free / GIB:.1f} GiB free", advice))
    return found


def _wanted() -> dict[str, Requirement]:
    try:
        listed = [Requirement(text) for text in requires("raymm") or ()]
    except PackageNotFoundError:
        return {}
    return {need.name: need for need in listed if need.marker is None}


def _version(name: str, wanted: Requirement | None) -> Finding:
    try:
        have = version(name)
    except PackageNotFoundError:
        return Finding(name, "not installed", f"install {wanted or name}, or run `make test` to make .venv anew")
    if wanted and not wanted.specifier.contains(have, prereleases=True):
        return Finding(name, have, f"raymm needs {wanted.specifier}; install that version")
    return Finding(name, have)


def _space(name: str, path: Path) -> Finding:
    usage = shutil.disk_usage(existing_folder(path.absolute()))
    value = f"{usage.free / GIB:.1f} GiB free at {path.absolute()}"
    if usage.free < LEAST_FREE:
        return Finding(name, value, f"free at least {LEAST_FREE // GIB} GiB, or choose another disk")
    if usage.used / usage.total > FULLEST:
        return Finding(name, value, "the disk is more than 95 % full, where Ray stops writing; free some space")
    return Finding(name, value)
