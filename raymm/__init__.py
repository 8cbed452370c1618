"""raymm: value every modality of every sample, and re-sample the ones that contribute too little.

A public name is imported when it is first used: importing this package loads neither torch nor Ray nor MLflow.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

PUBLIC = {
    "CoalitionLoss": "raymm.integrations.coalition_loss",
    "Config": "raymm.config",
    "Model": "raymm.models.own",
    "Progress": "raymm.api.progress",
    "Resampler": "raymm.integrations.resampler",
    "check": "raymm.api.check",
    "compare": "raymm.api.compare",
    "export": "raymm.api.export",
    "load": "raymm.api.load",
    "open_dataset": "raymm.data",
    "predict": "raymm.api.predict",
    "prepare": "raymm.api.prepare",
    "report": "raymm.api.report",
    "status": "raymm.api.status",
    "study": "raymm.api.study",
    "sweep": "raymm.api.sweep",
    "train": "raymm.api.train",
    "value": "raymm.api.value",
    "write_dataset": "raymm.api.write_dataset",
}
"""Public names, and the modules that define them; `__init__.pyi` says the same to type checkers."""

PACKAGES = ("study", "sweep")
"""Public functions that are packages as well, see `raymm.verb`."""

__all__ = ["__version__", *PUBLIC]  # noqa: PLE0604  (strings, from the table)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in PUBLIC:
        raise AttributeError(f"module 'raymm' has no attribute {name!r}")
    if name in PACKAGES:
        return import_module(f"raymm.{name}")
    found = globals()[name] = getattr(import_module(PUBLIC[name]), name)
    return found


def __dir__() -> list[str]:
    """The public names, and what is loaded already."""
    return sorted({*globals(), *PUBLIC} - {"Any", "import_module"})
