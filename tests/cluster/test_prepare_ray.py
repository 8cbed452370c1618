"""Preparing on Ray gives the very same data set as preparing in one process."""

import pytest

import raymm.data.prepare as module
from raymm.cluster.prepare import run_on_ray
from raymm.data.dataset import open_dataset
from tests.data.clips import collection, cut, manifest, prepare


@pytest.mark.ray
def test_ray_and_one_process_give_the_same_data_set(tmp_path, ray_local, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ROWS", 2)
    path = manifest(tmp_path, collection(tmp_path, "mp4", each=4))
    cut(tmp_path / "train-low-0.mp4")
    here = prepare(path, tmp_path, "audio,rgb,flow", tmp_path / "here", "quarantine")
    there = prepare(path, tmp_path, "audio,rgb,flow", tmp_path / "there", "quarantine", run=run_on_ray)
    assert sorted(there, key=lambda report: report.number) == here
    assert len(here) == 12
    assert open_dataset(tmp_path / "there").digest == open_dataset(tmp_path / "here").digest
    again = list(prepare(path, tmp_path, "audio,rgb,flow", tmp_path / "there", "quarantine", run=run_on_ray))
    assert all(report.reused for report in again)
