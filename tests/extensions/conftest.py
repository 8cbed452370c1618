"""A folder in which the parts of a package that raymm does not know lie, and nothing of them left afterwards."""

import shutil
import sys
from pathlib import Path

import pytest

from raymm.config import plugins, registries

HERE = Path(__file__).parent
REGISTRIES = [part for part in vars(registries).values() if isinstance(part, registries.Registry)]


@pytest.fixture(scope="session")
def bring():
    """Copy `partpack` and `single_file_parts.py` into folders."""

    def copy(package_to, file_to):
        shutil.copytree(HERE / "partpack", package_to / "partpack", ignore=shutil.ignore_patterns("__pycache__"))
        file_to.mkdir(exist_ok=True)
        return shutil.copy(HERE / "single_file_parts.py", file_to)

    return copy


@pytest.fixture
def outside(tmp_path, monkeypatch, bring):
    """The current folder with `partpack` and `elsewhere/single_file_parts.py`; neither is imported yet."""
    bring(tmp_path, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_parts", {name: registry.get(name) for name in registry})
    before = set(sys.modules)
    yield tmp_path
    plugins._load_installed.cache_clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
