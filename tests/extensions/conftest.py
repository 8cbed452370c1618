"""A folder in which the parts of a package that raymm does not know lie, and nothing of them left afterwards."""

import shutil
from pathlib import Path

import pytest

from tests.guests import guest

HERE = Path(__file__).parent


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
    with guest(tmp_path):
        yield tmp_path
