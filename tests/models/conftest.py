"""What tests of models of one's own share."""

import pytest

from tests.games import gappy_dataset

SPLITS = ("train",) * 22 + ("val",) * 9 + ("test",) * 6


@pytest.fixture
def without_copies_of_the_tests(monkeypatch):
    """The code of these models is that of the tests, of which runs would else make copies."""
    monkeypatch.setattr("raymm.config.own_code._code_of", lambda module: [])
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three vectors of six numbers, of which samples lack some."""
    return gappy_dataset(tmp_path_factory.mktemp("data") / "d", 3, SPLITS, (0.3, 0.4), "classification")
