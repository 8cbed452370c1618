"""A folder in which the parts of a package that raymm does not know lie, and nothing of them left afterwards."""

import shutil
import sys
from contextlib import contextmanager
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


@contextmanager
def guest(folder):
    """Let modules of a folder be imported, and leave nothing of them: no module, no registered part."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(folder), *sys.path])
        for registry in REGISTRIES:
            patch.setattr(registry, "_parts", {name: registry.get(name) for name in registry})
        yield
    plugins._load_installed.cache_clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def outside(tmp_path, monkeypatch, bring):
    """The current folder with `partpack` and `elsewhere/single_file_parts.py`; neither is imported yet."""
    bring(tmp_path, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    with guest(tmp_path):
        yield tmp_path


@pytest.fixture(scope="session")
def importable():
    """`guest`, for a test whose processes are all started, and which now reads what they made."""
    return guest
