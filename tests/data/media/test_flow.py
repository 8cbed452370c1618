"""Optical flow has the direction and the size of the motion, by both methods."""

import numpy as np
import pytest
import torch
from torchvision.models.optical_flow import raft_small

from raymm.data.kinds.flow import FlowSpec
from raymm.data.media.flow import dense_flow
from raymm.data.media.problem import MediaError
from raymm.errors import ConfigError


def moving_texture(dx, dy, count=4, size=48):
    """Gray frames [count, size, size] of a smooth texture that moves by (dx, dy) pixels a frame."""
    y, x = np.mgrid[:size, :size].astype(float)
    waves = np.random.default_rng(0).uniform(-0.6, 0.6, (12, 3))
    frames = [sum(np.sin(a * (x - dx * t) + b * (y - dy * t) + 9 * c) for a, b, c in waves) for t in range(count)]
    return np.clip(128 + 20 * np.stack(frames), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("dx", "dy"), [(1.0, 0.0), (-1.5, 0.0), (0.0, 1.0), (1.0, -1.0)])
def test_flow_follows_the_motion(dx, dy):
    flow = dense_flow(moving_texture(dx, dy))
    assert flow.shape == (3, 2, 48, 48)
    assert flow.dtype == np.float16
    median = np.median(flow[:, :, 8:-8, 8:-8].astype(float), axis=(0, 2, 3))
    assert np.allclose(median, [dx, dy], atol=0.25)


def test_a_still_picture_has_no_flow():
    flow = dense_flow(moving_texture(0.0, 0.0))
    assert np.abs(flow).max() < 0.1


def test_frames_that_are_too_small_for_dis_are_refused_by_the_schema():
    with pytest.raises(ConfigError, match=r"FlowSpec: 2 problems\n  - height: must be 12 or more"):
        FlowSpec(name="flow", frames=3, height=8, width=8)
    smallest = FlowSpec(name="flow", frames=3, height=12, width=12)
    assert dense_flow(moving_texture(0.5, 0.0, size=12), smallest.method).shape[1:] == (2, 12, 12)


def test_raft_reads_its_weights_from_a_file(tmp_path):
    torch.manual_seed(0)
    torch.save(raft_small(weights=None).state_dict(), tmp_path / "raft.pt")
    spec = FlowSpec(name="flow", frames=1, method="raft", weights=str(tmp_path / "raft.pt"))
    flow = dense_flow(moving_texture(1.0, 0.0, count=2, size=24), spec.method, spec.weights)
    assert flow.shape == (1, 2, 24, 24)
    assert np.isfinite(flow).all()


def test_raft_says_which_weights_cannot_be_used(tmp_path):
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pt")
    spec = FlowSpec(name="flow", frames=1, method="raft", weights=str(tmp_path / "other.pt"))
    with pytest.raises(MediaError, match=r"weights .*other\.pt cannot be used"):
        dense_flow(moving_texture(1.0, 0.0, count=2, size=24), spec.method, spec.weights)
