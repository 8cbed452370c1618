"""One head node for all tests that submit jobs."""

import pytest

from tests.head import start_head


@pytest.fixture(scope="session")
def head():
    with start_head() as made:
        yield made
