"""Parts from outside raymm: modules of a folder are imported, and nothing of them is left afterwards."""

import sys
from contextlib import contextmanager

import pytest

from raymm.config import plugins, registries

__all__ = ["copy_registries", "guest"]

REGISTRIES = [part for part in vars(registries).values() if isinstance(part, registries.Registry)]


def copy_registries(patch):
    """Let parts be registered until `patch` is undone."""
    for registry in REGISTRIES:
        patch.setattr(registry, "_parts", {name: registry.get(name) for name in registry})


@contextmanager
def guest(folder):
    """Let modules of a folder be imported, and leave nothing of them: no module, no registered part."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(folder), *sys.path])
        copy_registries(patch)
        yield
    plugins._load_installed.cache_clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
            del sys.modules[name]
