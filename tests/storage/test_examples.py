"""The examples in the docstrings of the storage package are true."""

import doctest

import pytest

from raymm.storage import layout, remote


@pytest.mark.parametrize("module", [layout, remote], ids=lambda module: module.__name__)
def test_examples(module):
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)
