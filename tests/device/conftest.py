"""A GPU for the tests of this folder, which are skipped where there is none."""

import pytest
import torch


@pytest.fixture(scope="session")
def cuda() -> torch.device:
    """The first GPU, with sums that come out alike in each run and products in whole float32."""
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda", 0)
