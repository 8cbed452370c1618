"""What the tests of the command line share."""

import pytest


@pytest.fixture(scope="module")
def data(dataset):
    """The folder of the small data set."""
    return dataset.path
