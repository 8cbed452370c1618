"""The examples of the public functions run as they stand."""

import doctest
import importlib

import pytest

import raymm


@pytest.mark.parametrize("module", sorted({*raymm.PUBLIC.values(), "raymm.config.sections", "raymm.api.settings"}))
def test_examples_of(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(importlib.import_module(module))
    assert failed == 0
