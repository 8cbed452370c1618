"""Examples of the docstrings of raymm.data are right, and every function that it exports has one."""

import doctest
import inspect
import pkgutil
from importlib import import_module

import pytest

import raymm.data

MODULES = ["raymm.data", *(found.name for found in pkgutil.walk_packages(raymm.data.__path__, "raymm.data."))]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_right(name):
    assert doctest.testmod(import_module(name)).failed == 0


def test_every_exported_function_has_an_example():
    functions = [name for name in raymm.data.__all__ if inspect.isfunction(getattr(raymm.data, name))]
    assert {"open_dataset", "write_dataset"} <= set(functions)
    assert [name for name in functions if ">>>" not in getattr(raymm.data, name).__doc__] == []


def test_names_of_version_0_1_0_are_still_exported():
    names = (
        "AudioSpec Batch Dataset FlowSpec ModalitySpec RgbSpec Sample Schema SequenceSpec TextSpec VectorSpec View "
        "open_dataset write_dataset"
    )
    assert set(names.split()) <= set(raymm.data.__all__)
    assert raymm.data.View is raymm.data.BatchReader
